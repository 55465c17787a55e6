"""Campaigns that look at their candidates with a potential first: real jobs, with effective medium theory."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from aiida_inversedesign.campaign.load import validate_campaign
from aiida_inversedesign.chemistry.matching import same_crystal

#: Waits until some candidates of its first job are done, and kills it then.
KILLS = """#!/bin/bash
if mkdir {mark} 2>/dev/null; then
  {python} "$@" & job=$!
  until [ "$(grep -c digest results.jsonl 2>/dev/null || echo 0)" -ge 3 ]; do sleep 0.02; done
  kill -9 $job
  exit 1
fi
exec {python} "$@"
"""


@pytest.fixture
def python(aiida_profile_clean: Any, tmp_path: Path) -> Any:
    """An interpreter on this machine, and a library of metals."""
    from rehearsal import make_library, make_python_code

    from aiida_inversedesign.nodes.library_data import LibraryData

    LibraryData.from_library(make_library(), label='metals').store()
    return make_python_code(tmp_path, 'inversedesign.ase')


@pytest.fixture
def wrapped(python: Any, tmp_path: Path) -> Callable[[str, str], str]:
    """Makes a code of a script that stands for the interpreter, and gives its label."""
    from aiida.orm import InstalledCode

    def make(label: str, text: str) -> str:
        program = tmp_path / label
        program.write_text(text)
        program.chmod(0o755)
        code = InstalledCode(label=label, computer=python.computer, filepath_executable=str(program)).store()
        return str(code.full_label)

    return make


def run(evaluations: int = 3, code: str = 'python@localhost', initial: int | None = None, **screen: Any) -> Any:
    """A campaign on four metals in the cells of all."""
    from aiida_inversedesign.workchains.build import build_campaign
    from aiida_inversedesign.workchains.foreground import run_campaign

    return run_campaign(build_campaign(spec_of(evaluations, code, initial, **screen)))


def spec_of(evaluations: int, code: str, initial: int | None = None, **screen: Any) -> Any:
    """The campaign file."""
    return validate_campaign(
        {
            'name': 'screened',
            'seed': 3,
            'goal': {'objectives': [{'property': 'bulk_modulus', 'maximize': True, 'hit': 150}]},
            'space': {'elements': ['Cu', 'Al', 'Ni', 'Pt'], 'ratios': ['1'], 'charge_neutral': 'off'},
            'propose': {'library': 'metals', 'method': 'random', 'top_k': 10},
            'screen': {'potential': 'emt', 'code': code, **screen},
            'select': {'initial': initial or evaluations, 'batch': 1},
            'evaluate': {'engine': 'ase', 'code': 'python@localhost', 'calculator': 'emt', 'steps': 60},
            'budget': {'evaluations': evaluations},
        }
    )


def called(campaign: Any, label: str) -> list[Any]:
    """What the first generation called under labels that begin so, oldest first."""
    generation = campaign.called[0]
    links = generation.base.links.get_outgoing().all()
    return sorted(
        (link.node for link in links if link.link_label.startswith(label) and link.link_type.value.startswith('call')),
        key=lambda node: node.pk,
    )


def reason(candidate: Any) -> str:
    """Why the potential rejected a candidate, if it did."""
    verdict = candidate.verdicts.get('potential')
    return '' if verdict is None else str(verdict.reason)


def test_candidates_are_relaxed_and_each_crystal_stays_once(python: Any) -> None:
    from aiida_inversedesign.verify.run import is_sound, verify

    node = run(bundle=20)
    assert node.is_finished_ok, node.exit_message
    proposed, screened = (called(node, name)[-1].outputs.pool.get_candidates() for name in ('propose', 'screen'))
    assert [item.id for item in screened] == [item.id for item in proposed]
    accepted = [item for item in screened if item.accepted]
    assert 4 <= len(accepted) <= sum(item.accepted for item in proposed)
    for one, other in itertools.combinations(accepted, 2):
        assert one.key != other.key or not same_crystal(one.content, other.content)
    for item in accepted:
        assert item.screening['converged']
        assert item.estimates['bulk_modulus'] > 20
        assert 0 <= item.verdicts['potential'].value <= 0.1
    # what is merged hands its chances on, and the ids of all are there
    merged = [name for item in accepted for name in item.screening.get('merged', [])]
    dropped = [item for item in screened if 'relaxes to the same' in reason(item)]
    assert sorted(merged) == sorted(item.id for item in dropped)
    ranks = {key: sorted(item.rank for item in accepted if item.key == key) for key in ('Cu', 'Al', 'Ni', 'Pt')}
    assert all(found == list(range(1, len(found) + 1)) for found in ranks.values())
    # the evaluations begin with the relaxed crystals
    table = node.outputs.table.get_rows()
    for row in table:
        assert row.proposed.volume == pytest.approx(row.relaxed.volume, rel=0.01)
    assert not any(row.copy_of for row in table)
    report = verify(node)
    assert is_sound(report), report['findings']
    assert report['by_kind']['screening']['identical'] == 1


def test_a_job_that_is_killed_goes_on_where_it_was(wrapped: Any, python: Any, tmp_path: Path) -> None:
    code = wrapped('fragile', KILLS.format(mark=tmp_path / 'killed', python=sys.executable))
    node = run(code=code, at_once=1)
    assert node.is_finished_ok, node.exit_message
    jobs = called(node, 'screen_001')
    assert [job.exit_status for job in jobs] == [410, 0]
    first, second = ([record['id'] for record in job.outputs.results['records']] for job in jobs)
    assert len(first) >= 3
    assert not set(first) & set(second)
    assert sorted([*first, *second]) == sorted(jobs[0].inputs.candidates.get_list())


def test_a_potential_that_is_missing_is_said_with_what_to_do(wrapped: Any, python: Any) -> None:
    code = wrapped('bare', f'#!/bin/bash\nexec {sys.executable} -S "$@"\n')
    node = run(code=code)
    assert node.exit_status != 0
    assert "the potential 'emt' cannot be used here: the package ase is not installed" in node.exit_message
    assert 'pip install ase' in node.exit_message


def test_the_potential_is_asked_for_properties_where_that_is_worth_its_cost(python: Any) -> None:
    from aiida_inversedesign.audit.audit import audit
    from aiida_inversedesign.verify.run import is_sound, verify

    node = run(evaluations=5, initial=4, estimate_cost=0.3)
    assert node.is_finished_ok, node.exit_message
    generations = sorted((item for item in node.called if 'generation' in str(item.process_type)), key=lambda x: x.pk)
    assert len(generations) == 2
    asked = [call for item in generations for call in item.called if call.process_label == 'ask_estimates']
    names = [name for call in asked for name in call.outputs.result.get_list()]
    # three answers cost less than an evaluation: so many are asked for at once, and none twice
    assert len(asked[0].outputs.result.get_list()) == 3
    assert len(names) == len(set(names)) > 3
    jobs = [call for item in generations for call in item.called if 'potential' in str(call.process_type)]
    records = [record for job in jobs for record in job.outputs.results['records']]
    assert sorted(record['id'] for record in records if 'bulk_modulus' in record) == sorted(names)
    pool = max((call for item in generations for call in item.called if call.label == 'screen_candidates'),
               key=lambda call: call.pk).outputs.pool.get_candidates()  # fmt: skip
    assert {f'estimate:{item.id}' for item in pool if (item.screening or {}).get('asked')} == set(names)
    report = verify(node)
    assert is_sound(report), report['findings']
    assert report['by_kind']['screening']['identical'] == len(asked) + sum(
        call.label == 'screen_candidates' for item in generations for call in item.called
    )
    figure = audit(node)['screening']
    assert figure['questions'] == len(names)
    assert figure['candidates'] == figure['kept'] + sum(figure['dropped'].values()) == 8


#: Jobs with a potential that have ended well.
SCREENED = (
    "SELECT count(*) FROM db_dbnode WHERE process_type = 'aiida.calculations:inversedesign.potential' "
    "AND json_extract(attributes, '$.exit_status') = 0"
)


def test_a_campaign_that_is_stopped_in_the_middle_takes_what_was_looked_at(aiida_profile: Any, python: Any) -> None:
    from test_interrupt import Interruption

    from aiida_inversedesign.verify.run import is_sound, verify
    from aiida_inversedesign.workchains.foreground import run_campaign
    from aiida_inversedesign.workchains.resume import resume_campaign

    with Interruption(aiida_profile, SCREENED) as interruption:
        stopped = run(bundle=2, at_once=1)
    assert interruption.sent
    assert not called(stopped, 'select')
    first = called(stopped, 'screen_')
    done = [record['id'] for job in first if 'results' in job.outputs for record in job.outputs.results['records']]
    assert 2 <= len(done) < 8

    node = run_campaign(resume_campaign(stopped, {})[0])
    assert node.is_finished_ok, node.exit_message
    further = [record['id'] for job in called(node, 'screen_') if job.process_label == 'PotentialCalculation'
               for record in job.outputs.results['records']]  # fmt: skip
    assert not set(done) & set(further)
    screened = called(node, 'screen')[-1].outputs.pool.get_candidates()
    assert {item.id for item in screened if item.screening} == {*done, *further}
    report = verify(node)
    assert is_sound(report), report['findings']


def test_the_audit_keeps_the_costs_apart(python: Any) -> None:
    from aiida_inversedesign.audit.audit import audit

    node = run(evaluations=4)
    report = audit(node)
    figure = report['screening']
    assert figure['potential'] == 'emt'
    assert figure['candidates'] == figure['kept'] + sum(figure['dropped'].values()) == 8
    assert figure['jobs'] == 1
    assert 0 < figure['core_hours'] < 0.1
    assert report['dft_calculations']['total'] == 0
    estimated = figure['estimates']['bulk_modulus']
    # the potential is the engine: the remainder is the difference between two volumes and seven
    assert estimated['n'] == 4
    assert estimated['mae'] < 15
    assert estimated['rank_correlation'] > 0.7
    chosen = [item['acquisition'] for item in called(node, 'select')[0].outputs.batch['choices']]
    assert chosen.count('estimate') == 2


def test_the_hull_of_the_potential_is_computed_once_and_decides(aiida_profile_clean: Any, tmp_path: Path) -> None:
    """Formulas come one by one: each generation relaxes only the phases that no earlier one has relaxed."""
    import numpy as np
    from rehearsal import make_library, make_python_code

    from aiida_inversedesign.chemistry.crystal import Crystal
    from aiida_inversedesign.libraries.library import Library, Template
    from aiida_inversedesign.nodes.library_data import LibraryData
    from aiida_inversedesign.verify.run import is_sound, verify
    from aiida_inversedesign.workchains.build import build_campaign
    from aiida_inversedesign.workchains.foreground import run_campaign

    make_python_code(tmp_path, 'inversedesign.ase')
    metals = [item for item in make_library() if item.id in ('Cu', 'Pd', 'Au')]
    places = [[0, 0, 0], [0.5, 0.5, 0.5]]
    alloys = [
        Template('caesium chloride', Crystal(3.1 * np.eye(3), ('Ag', 'Al'), places), 'made up', 'CC0'),
        Template('layers', Crystal(np.diag([2.8, 2.8, 3.9]), ('Ag', 'Pt'), places), 'made up', 'CC0'),
    ]
    LibraryData.from_library(Library([*metals, *alloys]), label='alloys').store()
    spec = validate_campaign(
        {
            'name': 'hull',
            'goal': {'objectives': [{'property': 'bulk_modulus', 'maximize': True, 'hit': 150}]},
            'space': {
                'elements': ['Cu', 'Pd', 'Au'], 'ratios': ['1:1'], 'charge_neutral': 'off', 'max_formulas': 1
            },
            'propose': {'library': 'alloys', 'method': 'random', 'top_k': 2},
            'screen': {'potential': 'emt', 'code': 'python@localhost', 'hull': 0.05, 'window': 5.0},
            'select': {'initial': 1, 'batch': 1},
            'evaluate': {'engine': 'ase', 'code': 'python@localhost', 'calculator': 'emt', 'steps': 60},
            'budget': {'evaluations': 2},
        }
    )  # fmt: skip
    node = run_campaign(build_campaign(spec))
    generations = [item for item in node.called if str(item.process_type).endswith('generation')]
    assert len(generations) == 2
    jobs = [job for generation in generations for job in generation.called if 'potential' in str(job.process_type)]
    relaxed = [record['id'] for job in jobs for record in job.outputs.results['records']]
    assert len(relaxed) == len(set(relaxed))
    phases = {name for name in relaxed if name.startswith(('phase:', 'reference:'))}
    assert {'phase:Cu', 'phase:Pd', 'phase:Au'} >= {name for name in phases if name.startswith('phase:')}
    screenings = [call for generation in generations for call in generation.called if call.label == 'screen_candidates']
    assert len(screenings) >= 2
    for item in screenings[-1].outputs.pool.get_candidates():
        if item.screening is not None and 'energy' in item.screening:
            assert item.screening['e_above_hull'] >= 0
            assert ('(screen.hull)' in reason(item)) == (item.screening['e_above_hull'] > 0.05)
    report = verify(node)
    assert is_sound(report), report['findings']
    audited = node.tools.audit()['screening']
    assert audited['phases'] == len(phases)
    assert audited['failed_phases'] == 0
    assert audited['candidates'] == len(relaxed) - len(phases)
