"""What a campaign hands to its evaluations, and these to their jobs: what is altered there is found and named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rehearsal import make_python_code
from tampers import Copy, opened

from aiida_inversedesign.campaign.load import validate_campaign
from aiida_inversedesign.verify import verify
from aiida_inversedesign.verify.run import is_sound
from aiida_inversedesign.workchains.build import build_campaign
from aiida_inversedesign.workchains.foreground import run_campaign

#: Two crystals of the library ``metals``, and what is asked of them.
SMALL = {
    'name': 'handed on',
    'goal': {
        'objectives': [{'property': 'volume', 'minimize': True, 'hit': 9.0}],
        'constraints': [{'property': 'formation_energy', 'max': 0.125}],
    },
    'propose': {'library': 'metals', 'method': 'library'},
    'select': {'initial': 2, 'batch': 2},
    'learn': {'surrogate': 'gp'},
    'budget': {'evaluations': 2, 'dft_calculations': 40},
}


def relink(copy: Copy, process: Any, label: str, node: Any) -> None:
    """Another node as the input of a process."""
    assert copy.sql('SELECT id FROM db_dblink WHERE output_id = ? AND label = ?', process.pk, label)
    copy.sql('UPDATE db_dblink SET input_id = ? WHERE output_id = ? AND label = ?', node.pk, process.pk, label)


def change(copy: Copy, node: Any, **values: Any) -> None:
    """Other attributes of a node."""
    copy.change(node.pk, {**node.base.attributes.all, **values})


def evaluations_of(campaign: Any) -> tuple[list[Any], list[Any]]:
    """Evaluations of candidates, and those of elements."""
    found = [child for generation in campaign.called for child in generation.called if hasattr(child.inputs, 'limits')]
    references = [node for node in found if node.label.startswith('reference_')]
    return [node for node in found if node not in references], references


@pytest.fixture
def found_after(aiida_profile: Any, tmp_path: Path) -> Callable[..., list[tuple[str, str]]]:
    """Kinds and messages of what ``verify`` finds in a copy that was altered, hashes made to fit."""
    storage = Path(aiida_profile.storage_config['filepath'])

    def find(campaign: str, alter: Callable[[Copy, Any], None]) -> list[tuple[str, str]]:
        folder = tmp_path / f'copy{len(list(tmp_path.iterdir()))}'
        copy = Copy.of(storage, folder, campaign)
        with opened(copy.folder):
            alter(copy, copy.load())
        copy.rehash()
        return [(item['kind'], item['message']) for item in copy.verify(sample=1)['findings']]

    return find


def said(findings: list[tuple[str, str]], kind: str, words: str) -> bool:
    return any(kind == item and words in message for item, message in findings)


@pytest.mark.usefixtures('campaign')
def test_settings_properties_limits_and_the_energy_limit(found_after: Any, tmp_path: Path) -> None:
    """A campaign with pw.x in slices that ends before anything is computed: there are no pseudopotentials."""
    from aiida_pseudo.groups.family import PseudoPotentialFamily

    PseudoPotentialFamily(label='empty').store()
    code = make_python_code(tmp_path, 'quantumespresso.pw')
    engine = {'engine': 'quantumespresso', 'pw': code.full_label, 'pseudos': 'empty', 'slices': {'steps': 4}}
    spec = validate_campaign({**SMALL, 'evaluate': {**engine, 'cutoff_wfc': 30, 'cutoff_rho': 240}})
    node = run_campaign(build_campaign(spec))
    uuid = node.uuid
    candidates, references = evaluations_of(node)
    assert (len(candidates), len(references)) == (2, 2)
    assert [item.inputs.energy_limit['value'] for item in candidates] == [0.125, 0.125]
    assert not any('energy_limit' in item.inputs for item in references)
    report = verify(node)
    assert is_sound(report), report['findings']

    def first(campaign: Any) -> Any:
        return evaluations_of(campaign)[0][0]

    higher = found_after(uuid, lambda copy, root: change(copy, first(root).inputs.energy_limit, value=0.5))
    assert said(higher, 'settings', 'other energy_limit than its settings give (value: stored 0.125, found 0.5)')
    none = found_after(
        uuid,
        lambda copy, root: copy.sql(
            "DELETE FROM db_dblink WHERE output_id = ? AND label = 'energy_limit'", first(root).pk
        ),
    )
    assert said(none, 'settings', 'other energy_limit')

    def several(copy: Copy, root: Any) -> None:
        (one, other), (element, second) = evaluations_of(root)
        change(copy, one.inputs.properties, list=['volume'])
        change(copy, other.inputs.limits, dft_calculations=41)
        change(copy, element.inputs.settings, max_restarts=9)
        relink(copy, second, 'candidate', element.inputs.candidate)

    findings = found_after(uuid, several)
    assert said(findings, 'settings', 'other properties than its settings give')
    assert said(findings, 'budget', 'was allowed 41 DFT calculations, its generation 40')
    assert said(findings, 'settings', 'other settings than the campaign has (max_restarts: stored 2, found 9)')
    assert said(findings, 'structure', 'another crystal than that of the element')


@pytest.mark.usefixtures('campaign')
def test_crystals_codes_and_references_of_jobs(found_after: Any, tmp_path: Path) -> None:
    """A campaign of real jobs, with energies of the elements."""
    from aiida import orm

    code = make_python_code(tmp_path, 'inversedesign.ase')
    orm.InstalledCode(
        label='other', computer=code.computer, filepath_executable='/bin/false', default_calc_job_plugin=None
    ).store()
    engine = {'engine': 'ase', 'code': code.full_label, 'calculator': 'emt', 'steps': 40}
    space = {'elements': ['Cu', 'Au'], 'ratios': ['1']}
    spec = validate_campaign({**SMALL, 'space': space, 'evaluate': engine})
    node = run_campaign(build_campaign(spec))
    uuid = node.uuid
    candidates, references = evaluations_of(node)
    assert len(candidates) == 2
    assert len(references) == 2
    assert all(item.is_finished_ok for item in [*candidates, *references])
    report = verify(node)
    assert is_sound(report), report['findings']

    def several(copy: Copy, root: Any) -> None:
        one, other = evaluations_of(root)[0]
        relink(copy, one, 'references', root.inputs.budget)
        job, second = one.called[0], other.called[0]
        relink(copy, job, 'structure', second.inputs.structure)
        relink(copy, job, 'settings', root.inputs.settings)
        relink(copy, second, 'code', orm.load_code('other'))
        relink(copy, other.caller, 'engine__code', orm.load_code('other'))

    findings = found_after(uuid, several)
    assert said(findings, 'reference', 'other elemental energies than the campaign had found')
    assert said(findings, 'structure', 'took a structure that its evaluation was not given')
    assert said(findings, 'settings', 'had other settings than its evaluation')
    assert said(findings, 'settings', 'took a code that its evaluation was not given')
    assert said(findings, 'settings', 'generation_001 has another code than the campaign')


def test_what_was_taken_over_is_verified_with_what_made_it(campaign: Any, found_after: Any) -> None:
    sections = {'select': {'initial': 2}, 'learn': {'surrogate': 'gp'}, 'budget': {'evaluations': 2}}
    run_campaign(campaign(**sections)[0])
    node = run_campaign(campaign(**sections, evaluate={'reuse': True})[0])
    uuid = node.uuid
    assert {item.process_label for item in evaluations_of(node)[0]} == {'ReusedEvaluateWorkChain'}
    report = verify(node)
    assert is_sound(report), report['findings']
    # the look-ups of the earlier campaign
    assert report['evaluations']['calculations'] == report['evaluations']['identical'] == 2

    def forge(copy: Copy, root: Any) -> None:
        one, other = (item.inputs.earlier.properties for item in evaluations_of(root)[0])
        wrong = {**one['stiffness'], 'value': 999.0}
        change(copy, one, stiffness=wrong)
        copy.delete(other.creator.pk)

    findings = found_after(uuid, forge)
    assert said(findings, 'missing_calculation', 'took over: no calculation made it')
    assert said(findings, 'property', 'look_up of an earlier evaluation: properties.stiffness.value')
