"""Every registered engine meets the contract, and those that need no DFT code are run."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from aiida import orm
from aiida.engine import run_get_node
from aiida.plugins import CalculationFactory, WorkflowFactory

from aiida_inversedesign.campaign.contracts.engine import NOT_PHYSICAL, installed
from aiida_inversedesign.campaign.contracts.registry import load
from aiida_inversedesign.campaign.properties import PROPERTIES
from aiida_inversedesign.engines.ase.settings import Ase
from aiida_inversedesign.engines.common.calcfunctions import fit_scan
from aiida_inversedesign.engines.table.settings import Table
from aiida_inversedesign.graph.diagnosis import core_seconds, jobs_below
from aiida_inversedesign.tools import CampaignTools
from aiida_inversedesign.verify.replay import load_function, run_again

#: A valid section of each engine of this package.
SECTIONS = {
    'ase': {'code': 'python@localhost'},
    'table': {'data': 'answers', 'code': 'python@localhost'},
    'quantumespresso': {
        'pw': 'pw@localhost',
        'pseudos': 'family',
        'prerelax': {'code': 'python@localhost'},
        'slices': {'steps': 5},
    },
}


@pytest.mark.parametrize('name', list(installed()))
def test_inputs_outputs_and_exit_codes(name: str) -> None:
    spec = WorkflowFactory(installed()[name].workchain).spec()
    for port, required in (
        ('candidate', True),
        ('properties', True),
        ('settings', True),
        ('limits', False),
        ('references', False),
    ):
        assert spec.inputs[port].required is required
    assert 'engine' in spec.inputs
    assert spec.outputs['relaxed'].valid_type is orm.Data
    assert spec.outputs['properties'].valid_type is orm.Dict
    own = [code for code in spec.exit_codes.values() if code.status >= 300]
    assert own
    assert all(code.message and not code.message.startswith('ERROR') for code in own)


@pytest.mark.parametrize('name', list(SECTIONS))
def test_what_a_descriptor_names_is_there(name: str) -> None:
    engine = installed()[name]
    section = engine.section.model_validate({'engine': name, **SECTIONS[name]})
    ports = WorkflowFactory(engine.workchain).spec().inputs['engine']
    needs = engine.needs(section)
    assert needs
    assert all(need.port in ports for need in needs)
    assert all(CalculationFactory(need.plugin) for need in needs if need.kind == 'code')
    assert all(CalculationFactory(kind.process_type.partition(':')[2]) for kind in engine.job_kinds)
    assert engine.not_physical | NOT_PHYSICAL <= set(engine.section.model_fields)
    hooks = (engine.prepare, engine.examine, engine.equal, engine.answers, engine.methods, engine.citations)
    assert all(callable(load(hook)) for hook in hooks if hook)
    assert all(callable(load_function(item)) for item in engine.repeatable)
    asked = engine.properties(section) or {'shine'}
    once, most = engine.jobs(section, asked), engine.most_jobs(section, asked)
    assert 0 <= once.charged <= once.total <= most.total
    assert (once.charged > 0) is engine.makes_dft
    assert all(engine.yields(section, item) for item in asked)
    parents, jobs = engine.slots(section, asked, queued=True)
    assert parents >= 1
    assert jobs >= min(1, once.total)


def ase_settings(**changes: Any) -> orm.Dict:
    return orm.Dict(Ase(engine='ase', code='python@localhost', **changes).model_dump(mode='json'))


def run_ase(structure: Any, code: Any, settings: orm.Dict, properties: list[str], **inputs: Any) -> tuple[Any, Any]:
    return run_get_node(
        WorkflowFactory('inversedesign.evaluate.ase'),
        candidate=structure,
        properties=orm.List(properties),
        settings=settings,
        engine={'code': code},
        **inputs,
    )


def test_ase_relaxes_and_fits(structure: Any, python_code: Any) -> None:
    wanted = ['bulk_modulus', 'lattice_constant', 'formation_energy']
    references = orm.Dict({'Cu': 0.0})
    results, node = run_ase(structure, python_code, ase_settings(), wanted, references=references)
    assert node.is_finished_ok, node.exit_message
    properties = results['properties'].get_dict()
    # EMT: a = 3.590 Å, B = 135 GPa (Jacobsen, Stoltze and Nørskov, Surf. Sci. 366, 394 (1996))
    assert properties['lattice_constant']['value'] == pytest.approx(3.59, abs=0.01)
    assert properties['bulk_modulus']['value'] == pytest.approx(135, rel=0.05)
    assert properties['bulk_modulus']['source'] == 'equation_of_state'
    assert properties['formation_energy']['value'] == pytest.approx(properties['energy']['value'])
    assert abs(properties['pressure']['value']) < 1
    assert all(properties[name]['unit'] == PROPERTIES[name].unit for name in properties)
    assert results['relaxed'].get_cell_volume() == pytest.approx(properties['volume']['value'])
    state = results['equation_of_state'].get_dict()
    assert len(state['volumes']) == 7
    assert state['degrees_of_freedom'] == 3
    assert state['noise'] >= 2e-6
    # the error of B0 is measured, as are repeats: in the record, and at least that of the fit
    assert properties['bulk_modulus']['error'] == state['errors']['B0'] >= state['forms']['birch_murnaghan']['error']
    assert properties['bulk_modulus_derivative']['error'] == state['errors']['B0_prime'] > 0
    assert 'error' not in properties['eos_residual']
    assert 0 < properties['bulk_modulus']['error'] < 2
    assert state['forms']['vinet']['B0'] == pytest.approx(state['B0'], abs=2)
    assert sum(form['probability'] for form in state['forms'].values()) == pytest.approx(1)
    fit = next(link.node for link in node.base.links.get_outgoing() if link.link_label == 'fit_equation_of_state')
    assert run_again(fit.pk).status == 'identical'
    # fits of earlier versions were made without a floor, and are repeated as they were
    old, _ = fit_scan.run_get_node(scan=fit.inputs.scan)
    assert set(state) - set(old.get_dict()) == {'errors', 'noise', 'degrees_of_freedom', 'forms'}
    assert {name: state[name] for name in old.get_dict()} == old.get_dict()
    tools = CampaignTools(node)
    tools._record = SimpleNamespace(
        evaluations=[SimpleNamespace(uuid=node.uuid, candidate='c', key='Cu')], uuid='-', has_ended=True
    )
    table = tools.equations_of_state()
    assert list(table['form']) == ['birch_murnaghan', 'vinet', 'murnaghan']
    assert table['B0'][0] == properties['bulk_modulus']['value']
    assert results['properties'].creator.process_label == 'job_properties'
    assert {link.link_label for link in node.base.links.get_outgoing().all()} >= {'relax', 'gather_properties'}
    (job,) = jobs_below(node)
    seconds = job.outputs.results['wall_time_seconds']
    assert core_seconds(job) == pytest.approx(seconds)
    assert 0 < seconds < (job.mtime - job.ctime).total_seconds()


@pytest.mark.parametrize(
    ('changes', 'wanted', 'words'),
    [
        ({'calculator': 'nonsense'}, ['volume'], "the ASE calculator 'nonsense' cannot be used"),
        ({'steps': 1, 'fmax': 1e-9}, ['volume'], 'did not converge within 1 steps'),
        ({}, ['band_gap'], 'does not compute band_gap'),
        ({}, ['formation_energy'], 'needs references of Cu'),
    ],
)
def test_ase_fails_in_plain_words(
    structure: Any, python_code: Any, changes: dict[str, Any], wanted: list[str], words: str
) -> None:
    _, node = run_ase(structure, python_code, ase_settings(**changes), wanted)
    assert node.is_failed
    assert words in node.exit_message


def test_ase_tells_what_the_calculator_said(python_code: Any) -> None:
    from ase.build import bulk

    _, node = run_ase(orm.StructureData(ase=bulk('Si')), python_code, ase_settings(), ['volume'])
    assert 'stopped with an error: NotImplementedError: No EMT-potential for Si' in node.exit_message


def test_ase_keeps_its_limits(structure: Any, python_code: Any) -> None:
    _, node = run_ase(
        structure,
        python_code,
        ase_settings(),
        ['volume'],
        limits=orm.Dict({'dft_calculations': 0, 'core_hours': 0.001}),
    )
    assert node.is_failed
    # none of its jobs is a DFT calculation: only the core-hours stop it
    assert 'stopped to keep the budget: 0.001 core-hours are left' in node.exit_message
    assert not [child for child in node.called if isinstance(child, orm.CalcJobNode)]


def test_ase_without_ase_says_so(structure: Any, aiida_code_installed: Any) -> None:
    code = aiida_code_installed(label='false', filepath_executable='/bin/false')
    _, node = run_ase(structure, code, ase_settings(), ['volume'])
    assert 'the job left no results' in node.exit_message


def run_table(
    structure: Any, library: Any, properties: list[str], code: Any = None, limits: Any = None, **changes: Any
) -> tuple[Any, Any]:
    label = None if code is None else code.full_label
    settings = Table(engine='table', data='x', code=label, units={'shine': 'lm'}, **changes)
    engine = {'data': library} | ({} if code is None else {'code': code})
    return run_get_node(
        WorkflowFactory('inversedesign.evaluate.table'),
        candidate=structure,
        properties=orm.List(properties),
        settings=orm.Dict(settings.model_dump(mode='json')),
        engine=engine,
        **({} if limits is None else {'limits': limits}),
    )


def test_table_finds_the_entry(structure: Any, library: Any) -> None:
    results, node = run_table(structure, library, ['bulk_modulus', 'shine'])
    assert node.is_finished_ok, node.exit_message
    assert results['properties']['bulk_modulus'] == {'value': 137.0, 'unit': 'GPa', 'source': 'entry copper'}
    assert results['properties']['shine']['unit'] == 'lm'
    assert results['relaxed'].get_formula() == 'Cu'
    assert results['properties'].creator.process_label == 'look_up'


def test_table_gives_no_unit_to_what_only_has_the_name_of_ours(structure: Any, library: Any) -> None:
    results, _ = run_table(structure, library, ['shine'])
    assert results['properties']['bulk_modulus'] == {'value': 137.0, 'unit': '', 'source': 'entry copper'}


def test_table_matches_by_structure_only_if_asked(structure: Any, library: Any) -> None:
    from ase.build import bulk

    other = orm.StructureData(ase=bulk('Cu', 'fcc', 3.6, cubic=True))
    _, exact = run_table(other, library, ['shine'])
    results, similar = run_table(other, library, ['shine'], match='structure')
    assert 'none of its 1 entries of Cu has this structure' in exact.exit_message
    assert similar.is_finished_ok
    assert results['properties']['shine']['value'] == 9.0


def test_table_without_an_answer_fails_with_the_reason(library: Any) -> None:
    from ase.build import bulk

    _, unknown = run_table(orm.StructureData(ase=bulk('Al')), library, ['bulk_modulus'])
    _, lacking = run_table(orm.StructureData(ase=bulk('Si', 'diamond', 5.43)), library, ['bulk_modulus'])
    assert unknown.exit_message == 'the data set has no answer: it has no entry of Al'
    assert lacking.exit_message == 'the data set has no answer: its entry silicon has no bulk_modulus'


def test_table_job_takes_its_time(structure: Any, library: Any, python_code: Any) -> None:
    results, node = run_table(structure, library, ['shine'], code=python_code, delay_seconds=0.2, delay_sigma=0.5)
    assert node.is_finished_ok, node.exit_message
    assert results['properties']['shine']['value'] == 9.0
    (job,) = [child for child in node.called if isinstance(child, orm.CalcJobNode)]
    assert 0.02 < job.outputs.results['seconds'] < 2


@pytest.mark.parametrize(('hours', 'seconds'), [(0.02, 72), (1.0, 3600), (None, 3600), (0.001, None)])
def test_table_job_keeps_its_limits(
    structure: Any, library: Any, python_code: Any, hours: float | None, seconds: int | None
) -> None:
    limits = orm.Dict({'dft_calculations': None, 'core_hours': hours})
    _, node = run_table(structure, library, ['shine'], code=python_code, limits=limits)
    jobs = [child for child in node.called if isinstance(child, orm.CalcJobNode)]
    if seconds is None:
        assert 'stopped to keep the budget: 0.001 core-hours are left' in node.exit_message
        assert not jobs
    else:
        assert node.is_finished_ok, node.exit_message
        assert [job.get_option('max_wallclock_seconds') for job in jobs] == [seconds]


@pytest.mark.parametrize('as_job', [False, True])
def test_table_fails_on_purpose(structure: Any, library: Any, python_code: Any, as_job: bool) -> None:
    code = python_code if as_job else None
    _, node = run_table(structure, library, ['shine'], code=code, fail_fraction=1.0)
    assert node.is_failed
    assert 'failed on purpose' in node.exit_message
