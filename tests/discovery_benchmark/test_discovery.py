"""Whole searches on a small made-up library of metals, with effective medium theory as the oracle."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import command_line
import numpy as np
import pytest

from aiida_inversedesign.benchmarks.discovery import report
from aiida_inversedesign.benchmarks.discovery.arms import Arm, Episode, arms_named
from aiida_inversedesign.benchmarks.discovery.models import prepared
from aiida_inversedesign.benchmarks.discovery.run import Oracle, Outcome, Plan, Search, run
from aiida_inversedesign.benchmarks.discovery.systems import Ask, System, drawn, given, made, named
from aiida_inversedesign.benchmarks.potentials.relaxer import Relaxer
from aiida_inversedesign.benchmarks.proposal.queries import BenchmarkError
from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.libraries.library import Library, Template

A = {'Cu': 3.61, 'Al': 4.05, 'Ni': 3.52, 'Pd': 3.89, 'Pt': 3.92, 'Ag': 4.09, 'Au': 4.08}
CORNERS = [[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]]


def auricupride(rare: str, common: str) -> Crystal:
    """Cu₃Au type."""
    return Crystal((A[rare] + 3 * A[common]) / 4 * np.eye(3), (rare, *[common] * 3), CORNERS)


def layered(one: str, other: str) -> Crystal:
    """CuAu type, in its cell of two atoms."""
    a = (A[one] + A[other]) / 2
    return Crystal(a * np.diag([0.5**0.5, 0.5**0.5, 1.0]), (one, other), [[0, 0, 0], [0.5, 0.5, 0.5]])


def caesium_chloride(one: str, other: str) -> Crystal:
    a = 0.8 * (A[one] + A[other]) / 2
    return Crystal(a * np.eye(3), (one, other), [[0, 0, 0], [0.5, 0.5, 0.5]])


def entries() -> list[dict[str, Any]]:
    """Three systems whose compounds are on the hull, with one above it, and templates of other metals."""
    crystals = [(Crystal(A[el] / 2 * (1 - np.eye(3)), (el,), [[0, 0, 0]]), 0.0) for el in A]
    for one, other in (('Cu', 'Au'), ('Pd', 'Cu'), ('Ni', 'Pt')):
        crystals += [(auricupride(one, other), 0.0), (layered(one, other), 0.0), (caesium_chloride(one, other), 0.2)]
    crystals += [(auricupride('Ag', 'Al'), 0.0), (layered('Ag', 'Pt'), 0.0), (caesium_chloride('Al', 'Ni'), 0.0)]
    return [
        {'id': f'm{number}', **crystal.to_dict(), 'e_above_hull': energy}
        for number, (crystal, energy) in enumerate(crystals)
    ]


@pytest.fixture(scope='module')
def library() -> Library:
    return Library(
        Template(item['id'], Crystal.from_dict(item), 'made up', 'CC0', e_above_hull=item['e_above_hull'])
        for item in entries()
    )


@pytest.fixture(scope='module')
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keeps the relaxations of all tests."""
    return tmp_path_factory.mktemp('kept')


@pytest.fixture(scope='module')
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp('library') / 'metals.jsonl'
    path.write_text(''.join(json.dumps(item) + '\n' for item in entries()))
    return path


call = partial(command_line.call, 'benchmark', 'discovery')


def searched(library: Library, folder: Path, systems: list[System], arms: Any, **plan: Any) -> list[Outcome]:
    ready = prepared(library, systems, 'none')
    emt = Relaxer('emt', folder)
    return run(systems, library, arms, emt, emt, Plan(**plan), ready.model, ready.templates)


def test_what_is_asked_for_and_what_is_hidden(library: Library) -> None:
    (system,) = named(library, ['Cu-Au'], Ask(decoys=2))
    assert system.elements == ('Au', 'Cu')
    assert sorted(item.crystal.formula for item in system.truths) == ['CuAu', 'CuAu3']
    # the library has two ratios of two elements
    assert system.decoys == ('Cu3Au',)
    assert set(system.formulas) == {item.crystal.formula for item in system.own} - {'Cu', 'Au'} | set(system.decoys)
    assert {'Cu', 'Au'} <= system.hidden
    assert not {'Cu', 'Au'} & system.compounds
    assert all(item.crystal.formula not in system.decoys for item in library)
    asked = made(library, ['Cu', 'Au'], Ask(elements_only=True))
    # 1:1 once, 3:1 in both directions
    assert sorted(asked.formulas) == sorted({'CuAu', 'Cu3Au', 'CuAu3'})
    (only,) = given(library, ['Au3Cu'], Ask())
    assert only.formulas == ('CuAu3',)
    assert len(only.truths) == 2


@pytest.mark.parametrize(
    ('call', 'words'),
    [
        (lambda lib: named(lib, ['Cu'], Ask()), 'two elements or more'),
        (lambda lib: named(lib, ['Ag-Au'], Ask()), 'nothing to find'),
        (lambda lib: named(lib, ['Cu-Au'], Ask(max_sites=1)), 'nothing to find'),
        (lambda lib: drawn(lib, 9, 2, Ask()), 'only 3 systems of 2 elements'),
        (lambda lib: drawn(lib, 1, 3, Ask()), 'only 0 systems of 3 elements'),
        (lambda lib: drawn(lib, 3, 2, Ask(), able=['Cu', 'Au']), 'only 1 systems'),
        (lambda lib: arms_named(['templates', 'none']), "no arm 'none'"),
        (lambda lib: prepared(lib, named(lib, ['Cu-Au'], Ask()), 'no.npz'), 'existing file'),
    ],
)
def test_what_cannot_be_asked(library: Library, call: Any, words: str) -> None:
    with pytest.raises(BenchmarkError, match=words):
        call(library)


def test_systems_are_drawn_by_the_seed(library: Library) -> None:
    names = [[item.name for item in drawn(library, 2, 2, Ask(seed=seed))] for seed in (0, 0, 1, 2, 3)]
    assert names[0] == names[1]
    assert len({tuple(item) for item in names}) > 1


def test_a_model_that_may_know_the_answers_is_refused(library: Library) -> None:
    with pytest.raises(BenchmarkError, match='may have been trained'):
        prepared(library, named(library, ['Ni-Pt'], Ask()), 'shipped')


def test_the_arms_find_the_hidden_compounds(library: Library, kept: Path) -> None:
    systems = named(library, ['Cu-Au', 'Cu-Pd'], Ask(decoys=1))
    found = searched(
        library, kept, systems, arms_named(['templates+hull', 'templates+screen', 'templates', 'random']), repeats=2
    )
    assert [len(item.searches['random']) for item in found] == [2, 2]
    for outcome in found:
        assert not outcome.reason
        assert outcome.stable_truths == 2
        for runs in outcome.searches.values():
            for one in runs:
                places = [place for place in one.known if place is not None]
                assert sorted(places) == [0, 1]
                assert sum(one.new) >= 2
                assert one.cpu_seconds > 0
        # what the screening merged is not evaluated twice
        assert len(outcome.searches['templates+screen'][0].new) <= len(outcome.searches['templates'][0].new)


def test_no_arm_sees_a_hidden_formula(library: Library, kept: Path) -> None:
    seen: list[Episode] = []

    def spy(episode: Episode) -> Any:
        seen.append(episode)
        for item in episode.proposed():
            assert item.template_formula not in episode.hidden
            if item.accepted:
                yield item.content
                assert episode.observations[-1].proposed is item.content

    systems = named(library, ['Cu-Au'], Ask())
    (outcome,) = searched(library, kept, systems, [Arm('spy', spy, '')], budget=3)
    assert len(outcome.searches['spy'][0].new) == 3
    assert not {item.crystal.formula for item in seen[0].templates} & systems[0].hidden
    # the elements are known phases, the compounds are not
    assert {crystal.formula for crystal in seen[0].phases.values()} == {'Cu', 'Au'}


def test_the_oracle_tells_stable_from_unstable_and_recognises_truths(library: Library, kept: Path) -> None:
    (system,) = named(library, ['Cu-Au'], Ask())
    oracle = Oracle(system, library, Relaxer('emt', kept))
    good = oracle.evaluated(layered('Cu', 'Au').scaled_to(32.0))
    assert good.e_above_hull == pytest.approx(0.0, abs=1e-3)
    assert good.relaxed is not None
    assert oracle.index_of(good.relaxed) is not None
    poor = oracle.evaluated(caesium_chloride('Cu', 'Au'))
    assert poor.e_above_hull is not None
    assert poor.relaxed is not None
    assert poor.e_above_hull > good.e_above_hull
    assert oracle.index_of(poor.relaxed) is None
    failed = oracle.evaluated(Crystal(4 * np.eye(3), ('U',), [[0, 0, 0]]))
    assert failed.relaxed is None
    assert failed.e_above_hull is None


def test_a_stopped_run_goes_on(library: Library, tmp_path: Path) -> None:
    first = Relaxer('emt', tmp_path)
    crystal = layered('Cu', 'Au')
    record = first.relaxed(crystal)
    assert first.relaxed(crystal) is record
    assert first.charged == pytest.approx(2 * first.spent)
    (file,) = tmp_path.iterdir()
    with file.open('a') as handle:
        handle.write('{"digest": "cut o')
    again = Relaxer('emt', tmp_path)
    assert again.relaxed(crystal)['energy'] == record['energy']
    assert again.spent == 0


def outcome(system: System, **found: list[int]) -> Outcome:
    """Searches that find a stable crystal at these evaluations, out of ten."""
    searches = {
        name: [Search(tuple(n in marks for n in range(1, 11)), (None,) * 10, (0.0,) * 10, 1.0, 2.0)]
        for name, marks in found.items()
    }
    return Outcome(system, searches, 2)


def test_the_figures(library: Library, tmp_path: Path) -> None:
    emt = Relaxer('emt', tmp_path)
    system = named(library, ['Cu-Au'], Ask())[0]
    arms = arms_named(['templates', 'random'])
    outcomes = [outcome(system, templates=[1, 2, 3], random=[6]) for _ in range(8)]
    figures = report.summarise(outcomes, arms, Plan(budget=10), emt, None)
    own = figures['arms']['templates']
    assert own['stable_at']['10'] == {'mean': 3.0, 'low': 3.0, 'high': 3.0}
    assert own['enrichment'] == {'value': 3.0, 'low': 3.0, 'high': 3.0}
    assert own['acceleration']['value'] == pytest.approx(6.0)
    assert own['area']['mean'] == pytest.approx((1 + 2 + 3 * 8) / 55)
    assert figures['arms']['random']['acceleration']['value'] == pytest.approx(1.0)
    assert figures['paired']['against']['random'] == {
        'difference': {'mean': 2.0, 'low': 2.0, 'high': 2.0},
        'more': 8,
        'equal': 0,
        'fewer': 0,
        'p': pytest.approx(2 / 2**8),
    }
    json.dumps(figures, allow_nan=False)


@pytest.mark.parametrize(
    ('found', 'words'),
    [({'templates': [1]}, 'was not run'), ({'templates': [1], 'random': []}, 'random finds none')],
)
def test_figures_that_are_not_known_say_why(
    library: Library, tmp_path: Path, found: dict[str, list[int]], words: str
) -> None:
    emt = Relaxer('emt', tmp_path)
    system = named(library, ['Cu-Au'], Ask())[0]
    figures = report.summarise([outcome(system, **found)], arms_named(list(found)), Plan(budget=10), emt, None)
    for name in ('enrichment', 'acceleration'):
        assert figures['arms']['templates'][name]['value'] is None
        assert words in figures['arms']['templates'][name]['reason']
    # nothing was searched at all
    empty = report.summarise([], arms_named(list(found)), Plan(budget=10), emt, None)
    assert empty['arms']['templates']['stable_at']['10']['reason'] == 'no system was searched'
    json.dumps(empty, allow_nan=False)


def test_the_command(file: Path, kept: Path, tmp_path: Path) -> None:
    output = tmp_path / 'found.json'
    options = ['--library', str(file), '--n', '2', '--size', '2', '--oracle', 'emt', '--screen', 'emt', '--budget', '6']
    options += ['--state', str(kept)]
    result = call(*options, '--output', str(output))
    assert result.exit_code == 0, result.output
    assert 'knows the answers' in result.output
    assert 'templates+screen' in result.output
    data = json.loads(output.read_text())
    assert data['n'] == 2
    assert list(data['arms']) == ['templates+hull', 'templates+screen', 'templates', 'random']
    assert data['oracle']['potential'] == 'emt'
    again = json.loads(call(*options, '--output', str(output), '--format', 'json').stdout)
    for name, arm in again['arms'].items():
        assert arm['stable_at'] == data['arms'][name]['stable_at']
        assert arm['oracle_cpu_seconds'] == data['arms'][name]['oracle_cpu_seconds']


@pytest.mark.parametrize(
    ('options', 'words'),
    [
        (['--oracle', 'none'], 'none'),
        (['--arms', 'luck'], 'no arm'),
        (['--system', 'Cu-Au', '--formula', 'CuAu'], 'not both'),
        (['--system', 'Cu-Xx'], 'Xx'),
        (['--n', '50'], 'only'),
    ],
)
def test_what_the_command_refuses(file: Path, options: list[str], words: str) -> None:
    result = call('--library', str(file), '--oracle', 'emt', '--screen', 'emt', *options)
    assert result.exit_code != 0
    assert words in result.output
