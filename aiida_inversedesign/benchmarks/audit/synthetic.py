"""A large campaign written straight into the storage of the loaded profile, in the shape that real ones have.

Every evaluation has a relaxation of two base work chains and one single point, each with a job of pw.x, its inputs and
outputs; some jobs fail and are restarted, some are cache copies, some evaluations fail. Contents are drawn from a seed.
"""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any
from uuid import UUID

import numpy as np
from aiida import orm
from aiida.orm.entities import EntityTypes

from aiida_inversedesign.campaign.candidate import Candidate, Verdict
from aiida_inversedesign.campaign.row import EvaluationRow, is_hit
from aiida_inversedesign.campaign.spec import CampaignSettings
from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.nodes.pool_data import PoolData
from aiida_inversedesign.nodes.surrogate_data import SurrogateData
from aiida_inversedesign.nodes.table_data import TableData

SETTINGS = {
    'name': 'synthetic',
    'goal': {'objectives': [{'property': 'bulk_modulus', 'maximize': True, 'hit': 320.0}]},
    'space': {'elements': ['B', 'C', 'N', 'Si', 'Al', 'Ga', 'Ti', 'Zr'], 'ratios': ['1:1', '2:1', '3:1', '2:1:1']},
    'select': {'initial': 20, 'batch': 20, 'control_fraction': 0.1},
    'evaluate': {'engine': 'quantumespresso', 'pw': 'pw@localhost', 'pseudos': 'family'},
}
#: evaluations of one generation
BATCH = 20
#: rows written at once
CHUNK = 5000


class Writer:
    """Collects node and link rows and writes them in bulk; nodes are referred to by a number of the writer's own."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311  # no secrets
        self.time = datetime(2026, 1, 1, tzinfo=UTC)
        self.backend = orm.QueryBuilder().backend
        user = orm.User.collection.get_default()
        assert user is not None  # noqa: S101  # every profile has one
        self.user = user.pk
        self.nodes: list[dict[str, Any]] = []
        self.links: list[tuple[int, int, str, str]] = []

    def node(
        self, kind: type[orm.Node], attributes: dict[str, Any], process_type: str | None = None, **columns: Any
    ) -> int:
        """Add a node; returns its number."""
        self.time += timedelta(milliseconds=10)
        self.nodes.append(
            {
                'uuid': str(UUID(int=self.random.getrandbits(128), version=4)),
                'node_type': kind.class_node_type,
                'process_type': process_type,
                'label': '',
                'description': '',
                'ctime': self.time,
                'mtime': self.time + timedelta(minutes=20),
                'attributes': attributes,
                'extras': {'_aiida_hash': f'{self.random.getrandbits(256):064x}'},
                'repository_metadata': {},
                'user_id': self.user,
                'dbcomputer_id': None,
                **columns,
            }
        )
        return len(self.nodes) - 1

    def link(self, source: int, target: int, label: str, kind: str) -> None:
        """Add a link between two nodes of :meth:`node`."""
        self.links.append((source, target, label, kind))

    def write(self) -> list[int]:
        """Write everything; returns the PK of each node."""
        pks: list[int] = []
        rows = iter(self.nodes)
        while chunk := list(islice(rows, CHUNK)):
            pks += self.backend.bulk_insert(EntityTypes.NODE, chunk)
        links = (
            {'input_id': pks[source], 'output_id': pks[target], 'label': label, 'type': kind}
            for source, target, label, kind in self.links
        )
        while chunk := list(islice(links, CHUNK)):
            self.backend.bulk_insert(EntityTypes.LINK, chunk)
        return pks


def make_campaign(evaluations: int, seed: int = 0) -> str:
    """Write a finished campaign of so many evaluations with three jobs each.

    :returns: its UUID.
    """
    settings = CampaignSettings.model_validate(SETTINGS).model_dump(mode='json')
    goal = CampaignSettings.model_validate(SETTINGS).goal
    writer = Writer(seed)
    draw = writer.random
    settings_node = writer.node(orm.Dict, settings)
    budget = writer.node(orm.Dict, {'evaluations': evaluations})
    campaign = _process(writer, 'aiida.workflows:inversedesign.campaign')
    writer.link(settings_node, campaign, 'settings', 'input_work')
    writer.link(budget, campaign, 'budget', 'input_work')
    candidates = [_candidate(number, draw) for number in range(2 * evaluations)]
    rows: list[EvaluationRow] = []
    generation = select = surrogate = propose = 0
    for number in range(evaluations):
        if number % BATCH == 0:
            generation = _process(writer, 'aiida.workflows:inversedesign.generation')
            index = number // BATCH + 1
            writer.link(campaign, generation, f'generation_{index:03d}', 'call_work')
            if number == 0:
                propose = _function(writer, generation, 'propose')
            select = _function(writer, generation, 'select')
            if number:
                writer.link(surrogate, select, 'surrogate', 'input_calc')
            batch = writer.node(orm.Dict, {'generation': index, 'choices': []})
            writer.link(select, batch, 'batch', 'create')
            writer.link(batch, generation, 'batch', 'return')
        row = _evaluate(writer, generation, index, candidates[number], goal, bool(number >= BATCH))
        rows.append(row)
        writer.nodes[batch]['attributes']['choices'].append(
            {
                'candidate': row.candidate,
                'arm': row.arm,
                'acquisition': {'initial': 'spread', 'acquisition': 'log_ei', 'control': 'random'}[row.arm],
                'value': draw.random() if row.arm == 'acquisition' else None,
                'predicted': {name: list(pair) for name, pair in row.predicted.items()},
            }
        )
        if (number + 1) % BATCH == 0 or number + 1 == evaluations:
            harvest, fit = _function(writer, generation, 'harvest'), _function(writer, generation, 'fit')
            # the tables before the last one are not read: their rows are left out
            table = writer.node(TableData, {'counts': {'total': number + 1}, 'best': None, 'content_hash': ''})
            writer.link(harvest, table, 'table', 'create')
            writer.link(table, generation, 'table', 'return')
            surrogate = writer.node(
                SurrogateData,
                {
                    'kind': 'auto',
                    'models': {'bulk_modulus': 'gp'},
                    'rows': {'bulk_modulus': number},
                    'content_hash': '',
                },
            )
            writer.link(fit, surrogate, 'surrogate', 'create')
            writer.link(surrogate, generation, 'surrogate', 'return')
    reason = writer.node(orm.Str, {'value': f'the budget of {evaluations} evaluations is used up'})
    writer.link(reason, campaign, 'stop_reason', 'return')
    pks = writer.write()
    _attach(writer, pks[generation], pks[harvest], 'table', TableData.from_rows(rows, goal))
    _attach(writer, pks[generation], pks[propose], 'pool', PoolData.from_candidates(candidates))
    return str(writer.nodes[campaign]['uuid'])


def _attach(writer: Writer, generation: int, step: int, label: str, node: orm.Data) -> None:
    """Store a node with bulk data as what a step created and a generation returned."""
    node.store()
    # the newest of its kind
    writer.backend.bulk_update(
        EntityTypes.NODE, [{'id': node.pk, 'ctime': writer.time + timedelta(seconds=1), 'mtime': writer.time}]
    )
    rows = [
        {'input_id': step, 'output_id': node.pk, 'label': f'last_{label}', 'type': 'create'},
        {'input_id': generation, 'output_id': node.pk, 'label': label, 'type': 'return'},
    ]
    writer.backend.bulk_insert(EntityTypes.LINK, rows)


def _process(writer: Writer, process_type: str, status: int = 0) -> int:
    name = process_type.rpartition('.')[2]
    return writer.node(
        orm.WorkChainNode,
        {
            'sealed': True,
            'version': {'core': '2.9.4', 'plugin': '0.1.0'},
            'process_label': name,
            'process_state': 'finished',
            'exit_status': status,
            'exit_message': f'it failed with {status}' if status else None,
            'stepper_state_info': '9:inspect',
        },
        process_type,
    )


def _function(writer: Writer, generation: int, step: str) -> int:
    node = writer.node(
        orm.CalcFunctionNode,
        {'sealed': True, 'process_label': step, 'process_state': 'finished', 'exit_status': 0},
        f'aiida.calculations:inversedesign.{step}',
    )
    writer.link(generation, node, step, 'call_calc')
    return node


def _candidate(number: int, draw: random.Random) -> Candidate:
    cation, anion = draw.choice(['Al', 'Ga', 'Ti', 'Zr', 'Si', 'B']), draw.choice(['C', 'N', 'O'])
    a = draw.uniform(3.5, 5.5)
    coords = np.array([[0, 0, 0], [0.5, 0.5, 0], [0.5, 0.5, 0.5], [0, 0, 0.5]]) + draw.random() * 0.01
    crystal = Crystal(np.diag([a, a, a * draw.uniform(0.9, 1.3)]), (cation, cation, anion, anion), coords)
    return Candidate(
        f'g001_c{number:05d}',
        crystal.formula,
        crystal,
        'cspml',
        template=f'template-{draw.randrange(300)}',
        probability=draw.random(),
        rank=1,
        proto_label=f'AB_cP2_{draw.randrange(1, 230)}_a_b',
        verdicts={'charge': Verdict(True), 'distance': Verdict(draw.random() > 0.1, draw.uniform(0.7, 1.2))},
    )


def _evaluate(
    writer: Writer, generation: int, number: int, candidate: Candidate, goal: Any, informed: bool
) -> EvaluationRow:
    """One evaluation with its processes, jobs and data; returns its row of the table."""
    draw = writer.random
    failed = draw.random() < 0.06
    value = draw.gauss(220, 60)
    evaluation = _process(writer, 'aiida.workflows:inversedesign.evaluate.quantumespresso', 310 if failed else 0)
    writer.link(generation, evaluation, candidate.id, 'call_work')
    structure = writer.node(orm.StructureData, _structure(candidate.content))
    writer.link(structure, evaluation, 'candidate', 'input_work')
    relax = _process(writer, 'aiida.workflows:quantumespresso.pw.relax')
    writer.link(evaluation, relax, 'relax', 'call_work')
    restarted = draw.random() < 0.1
    for step in range(1 if restarted else 2):
        base = _process(writer, 'aiida.workflows:quantumespresso.pw.base')
        writer.link(relax, base, f'iteration_{step + 1:02d}', 'call_work')
        for attempt in range(2 if restarted else 1):
            _job(writer, base, f'iteration_{attempt + 1:02d}', 410 if restarted and attempt == 0 else 0)
    base = _process(writer, 'aiida.workflows:quantumespresso.pw.base')
    writer.link(evaluation, base, 'eos_00', 'call_work')
    _job(writer, base, 'iteration_01', 305 if failed else 0)
    properties = {} if failed else {'bulk_modulus': value, 'volume': draw.uniform(8, 20), 'energy': -draw.uniform(3, 9)}
    if not failed:
        record = {name: {'value': number_, 'unit': 'GPa', 'source': 'relax'} for name, number_ in properties.items()}
        result = writer.node(orm.Dict, record)
        writer.link(evaluation, result, 'properties', 'return')
        relaxed = writer.node(orm.StructureData, _structure(candidate.content))
        writer.link(evaluation, relaxed, 'relaxed', 'return')
    arm: Any = 'initial' if not informed else 'control' if draw.random() < 0.1 else 'acquisition'
    predicted = {'bulk_modulus': (value + draw.gauss(0, 20), 20.0)} if informed else {}
    return EvaluationRow(
        candidate=candidate.id,
        generation=number,
        arm=arm,
        key=candidate.key,
        status='failed' if failed else 'completed',
        proposed=candidate.content,
        relaxed=None if failed else candidate.content,
        properties=properties,
        hit=False if failed else is_hit(goal, properties),
        predicted=predicted,
        reason='the output of pw.x breaks off' if failed else '',
        exit_status=310 if failed else 0,
        dft_calculations=3,
        core_hours=0.3,
        template=candidate.template,
        probability=candidate.probability,
    )


def _structure(crystal: Crystal | None) -> dict[str, Any]:
    assert crystal is not None  # noqa: S101  # none of these candidates was rejected before it was built
    return {
        'cell': crystal.lattice.tolist(),
        'pbc1': True,
        'pbc2': True,
        'pbc3': True,
        'kinds': [
            {'mass': 1.0, 'name': symbol, 'symbols': [symbol], 'weights': [1.0]}
            for symbol in dict.fromkeys(crystal.species)
        ],
        'sites': [
            {'position': position, 'kind_name': symbol}
            for position, symbol in zip((crystal.frac_coords @ crystal.lattice).tolist(), crystal.species, strict=True)
        ],
    }


def _job(writer: Writer, parent: int, label: str, status: int) -> int:
    """A job of pw.x as large as a real one, with what it was given and gave."""
    cached = writer.random.random() < 0.02
    job = writer.node(
        orm.CalcJobNode,
        {
            'sealed': True,
            'version': {'core': '2.9.4', 'plugin': '5.1.0'},
            'process_label': 'PwCalculation',
            'process_state': 'finished',
            'exit_status': status,
            'exit_message': 'it did not end well' if status else None,
            'resources': {'num_machines': 1, 'num_mpiprocs_per_machine': 2, 'tot_num_mpiprocs': 2},
            'max_wallclock_seconds': 3600,
            'parser_name': 'quantumespresso.pw',
            'input_filename': 'aiida.in',
            'output_filename': 'aiida.out',
            'scheduler_stdout': '_scheduler-stdout.txt',
            'scheduler_stderr': '_scheduler-stderr.txt',
            'submit_script_filename': '_aiidasubmit.sh',
            'withmpi': True,
            'job_id': str(writer.random.randrange(10**6)),
            'scheduler_state': 'done',
            'scheduler_lastchecktime': '2026-01-01T00:00:00+00:00',
            'retrieve_list': ['aiida.out', 'out/aiida.save/data-file-schema.xml', ['x/*.xml', '.', 2]],
            'retrieve_temporary_list': [['out/aiida.save/K*[0-9]/eigenval*.xml', '.', 2]],
            'last_job_info': json.dumps({'job_id': '1', 'job_state': 'done', 'raw_data': ['x' * 20] * 10}),
            'remote_workdir': '/scratch/aiida/run/ab/cd/00000000-0000-0000-0000-000000000000',
        },
        'aiida.calculations:quantumespresso.pw',
    )
    if cached:
        writer.nodes[job]['extras']['_aiida_cached_from'] = writer.nodes[job]['uuid']
    writer.link(parent, job, label, 'call_calc')
    parameters = writer.node(
        orm.Dict, {'SYSTEM': {'ecutwfc': 40.0, 'ecutrho': 320.0}, 'CONTROL': {'etot_conv_thr': 1e-5}}
    )
    writer.link(parameters, job, 'parameters', 'input_calc')
    outputs = {'remote_folder': writer.node(orm.RemoteData, {'remote_path': '/scratch/aiida/run/ab/cd'})}
    outputs['retrieved'] = writer.node(orm.FolderData, {})
    outputs['output_parameters'] = writer.node(orm.Dict, _output_parameters(writer.random))
    for name, node in outputs.items():
        writer.link(job, node, name, 'create')
    return job


def _output_parameters(draw: random.Random) -> dict[str, Any]:
    """As many and as long entries as aiida-quantumespresso writes for a relaxation of a few atoms."""
    numbers = {f'energy_of_contribution_{index}': draw.uniform(-500, 0) for index in range(40)}
    symmetries = [{'symmetry_number': index, 't_rev': '0'} for index in range(24)]
    words = {f'unit_of_quantity_{index}': 'eV / Angstrom' for index in range(25)}
    return {
        **numbers,
        **words,
        'symmetries': symmetries,
        'creator_name': 'pwscf',
        'creator_version': '7.2',
        'wall_time': '  3m 0.1s ',
        'wall_time_seconds': draw.uniform(60, 600),
    }
