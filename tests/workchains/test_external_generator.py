"""Campaigns whose crystals come from a program: recorded, counted and verified, whatever the program does."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

#: a generator of elements: fcc and bcc, or what the campaign's test makes of it
PROGRAM = """
import json, os, sys
request = json.load(open(sys.argv[1]))
os.makedirs(request['output'], exist_ok=True)
FATE
A = {'Cu': 3.61, 'Al': 4.05, 'Ni': 3.52, 'Ag': 4.09, 'Au': 4.08}
CELLS = {'fcc': [[0, .5, .5], [.5, 0, .5], [.5, .5, 0]], 'bcc': [[-.4, .4, .4], [.4, -.4, .4], [.4, .4, -.4]]}
with open(request['output'] + '/crystals.jsonl', 'w') as lines:
    for formula in request['formulas']:
        for score, (name, cell) in enumerate(CELLS.items()):
            lattice = [[A[formula] * x for x in row] for row in cell]
            crystal = {'id': formula + name, 'lattice': lattice, 'species': [formula], 'frac_coords': [[0, 0, 0]]}
            lines.write(json.dumps({**crystal, 'score': -score, 'parent': 'none'}) + '\\n')
status = {'program': 'test', 'version': '1', 'license': 'MIT', 'deterministic': False, 'seed': request['seed']}
json.dump({**status, 'weights_sha256': (request['weights'] or {}).get('sha256')},
          open(request['output'] + '/status.json', 'w'))
"""


@pytest.fixture
def generator(aiida_profile_clean: Any, tmp_path: Path) -> Callable[[str], str]:
    """Makes the code of a generator with a line of its own, and gives its label."""
    from aiida.orm import load_code
    from rehearsal import make_python_code

    def make(fate: str = '') -> str:
        from aiida.orm import InstalledCode

        program = tmp_path / 'generator'
        program.write_text(f'#!{sys.executable}\n' + PROGRAM.replace('FATE', fate))
        program.chmod(0o755)
        computer = load_code(make_python_code(tmp_path).full_label).computer
        code = InstalledCode(
            label='gen',
            computer=computer,
            filepath_executable=str(program),
            default_calc_job_plugin='inversedesign.generate',
        )
        return str(code.store().full_label)

    return make


def settings(code: str, **section: Any) -> dict[str, Any]:
    return {
        'space': {'formulas': ['Cu', 'Al', 'Ni'], 'max_sites': 4, 'charge_neutral': 'off'},
        'propose': {
            'method': None,
            'library': 'metals',
            'sources': {'external': 1, 'dissimilarity': 1},
            'top_k': 4,
            'external': {'code': code, 'crystals': 2, **section},
        },
        'budget': {'evaluations': 3},
    }


def run(campaign: Any, **given: Any) -> tuple[Any, Any]:
    """The campaign and its job."""
    from aiida.orm import CalcJobNode

    from aiida_inversedesign.workchains.foreground import run_campaign

    node = run_campaign(campaign(**given)[0])
    jobs = [child for child in node.called_descendants if isinstance(child, CalcJobNode)]
    (job,) = [child for child in jobs if child.process_label == 'GenerateCalculation']
    return node, job


def test_a_generator_is_recorded_counted_and_verified(campaign: Any, generator: Callable[[str], str]) -> None:
    from aiida_inversedesign.audit.audit import audit
    from aiida_inversedesign.audit.load import load_record
    from aiida_inversedesign.graph.campaigns import campaign_cost
    from aiida_inversedesign.verify.run import is_sound, verify

    asked = settings(generator('import time; time.sleep(3)'), conditions={'band_gap': {'value': 0}})
    node, job = run(campaign, **{**asked, 'budget': {'evaluations': 3, 'core_hours': 0.03}})
    assert job.is_finished_ok, job.exit_message
    request = json.loads(job.base.repository.get_object_content('request.json'))
    assert set(request['formulas']) == {'Cu', 'Al', 'Ni'}
    assert request['conditions'] == {'band_gap': {'value': 0.0, 'guidance': None}}
    found = job.outputs.generated.get_dict()
    assert len(found['records']) == 6
    assert found['status']['deterministic'] is False
    assert found['status']['license'] == 'MIT'
    pool = node.outputs.pool.get_candidates()
    ours = {item.key for item in pool if 'external' in (item.proposer, item.also_proposed_by)}
    assert ours == {'Cu', 'Al', 'Ni'}
    assert node.is_finished_ok, node.exit_message
    # its time is charged, and limited by what the budget has
    assert job.get_option('max_wallclock_seconds') == 108
    assert found['wall_time_seconds'] >= 2
    hours = found['wall_time_seconds'] / 3600
    record = load_record(node)
    figures = audit(record)
    assert (
        figures['core_hours'] == figures['spent_on']['by_outcome']['generators']['core_hours'] == pytest.approx(hours)
    )
    assert campaign_cost(node).charged_core_hours == pytest.approx(hours)
    assert [(item.kind, item.has_failed) for item in record.jobs] == [('generator', False)]
    assert 'external' in {entry['proposer'] for entry in figures['by_proposer']}
    report = verify(node)
    assert is_sound(report), report
    assert report['by_kind']['proposal']['identical'] == 1


@pytest.mark.parametrize(
    ('fate', 'status', 'says'),
    [
        ('sys.exit("out of memory on the device")', 310, 'out of memory on the device'),
        ('open("generated/x.cif", "w").write("data_"); sys.exit(0)', 311, 'unreadable (1)'),
        ('request["formulas"] = request["formulas"][:1]', 410, '2 of 6 crystals'),
    ],
)
def test_whatever_the_program_does_the_others_go_on(
    campaign: Any, generator: Callable[[str], str], fate: str, status: int, says: str
) -> None:
    node, job = run(campaign, **settings(generator(fate)))
    assert job.exit_status == status
    assert says in job.exit_message
    assert node.is_finished_ok, node.exit_message
    pool = node.outputs.pool.get_candidates()
    assert {item.key for item in pool if item.accepted} == {'Cu', 'Al', 'Ni'}


def test_a_program_that_hangs_is_stopped_and_what_it_wrote_is_used(
    campaign: Any, generator: Callable[[str], str]
) -> None:
    crystal = {'lattice': [[0, 1.8, 1.8], [1.8, 0, 1.8], [1.8, 1.8, 0]], 'species': ['Cu'], 'frac_coords': [[0, 0, 0]]}
    line = json.dumps({'id': 'one', **crystal})
    fate = f"print('{line}', file=open('generated/a.jsonl', 'w'), flush=True); import time; time.sleep(500)"
    begun = time.monotonic()
    node, job = run(campaign, **settings(generator(fate), options={'max_wallclock_seconds': 10}))
    assert time.monotonic() - begun < 300
    assert job.exit_status == 410
    assert 'stopped after 9 s' in job.exit_message
    assert len(job.outputs.generated['records']) == 1
    assert node.is_finished_ok, node.exit_message


def test_without_core_hours_no_generator_runs(campaign: Any, generator: Callable[[str], str]) -> None:
    from aiida.orm import CalcJobNode

    from aiida_inversedesign.cli.checks.plan import plan
    from aiida_inversedesign.workchains.foreground import run_campaign

    given = {**settings(generator('')), 'budget': {'evaluations': 3, 'core_hours': 0.01}}
    builder, spec = campaign(**given)
    assert plan(spec, False)['generator'] == {'code': spec.propose.external.code, 'core_hours_at_most': 1.0}
    node = run_campaign(builder)
    assert node.is_finished_ok, node.exit_message
    assert not [child for child in node.called_descendants if isinstance(child, CalcJobNode)]
    assert {item.key for item in node.outputs.pool.get_candidates() if item.accepted} == {'Cu', 'Al', 'Ni'}


def test_other_weights_are_not_used(campaign: Any, generator: Callable[[str], str]) -> None:
    weights = {'path': '/weights', 'sha256': 'b' * 64}
    fate = 'request["weights"] = {"sha256": "c" * 64}'
    node, job = run(campaign, **settings(generator(fate), weights=weights))
    assert job.exit_status == 312
    assert 'c' * 64 in job.exit_message
    assert job.outputs.generated['records'] == []
    pool = node.outputs.pool.get_candidates()
    assert 'external' not in {item.proposer for item in pool if item.content is not None}


def test_altered_results_are_found(campaign: Any, generator: Callable[[str], str]) -> None:
    from aiida.manage import get_manager
    from sqlalchemy import text

    from aiida_inversedesign.verify.run import is_sound, verify

    node, job = run(campaign, **settings(generator('')))
    session = get_manager().get_profile_storage().get_session()
    altered = job.outputs.generated.get_dict()
    altered['records'] = altered['records'][:-1]
    session.execute(
        text('UPDATE db_dbnode SET attributes = :new WHERE id = :pk'),
        {'new': json.dumps(altered), 'pk': job.outputs.generated.pk},
    )
    session.commit()
    session.expire_all()
    report = verify(node)
    assert not is_sound(report)
    assert any('files that the generator left' in finding['message'] for finding in report['findings']), report
