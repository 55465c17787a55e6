"""``benchmark proposal --sources``: which sources find a structure that no template has."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.cli import cli

FCC = np.array([[0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
LIBRARY = [
    Crystal(3.35 * np.eye(3), ('Po',), [[0, 0, 0]]),
    Crystal(4.05 * FCC, ('Al',), [[0, 0, 0]]),
    Crystal(4.81 * FCC, ('Ca', 'O'), [[0, 0, 0], [0.5, 0.5, 0.5]]),
]
CU3AU = Crystal(3.75 * np.eye(3), ('Au', 'Cu', 'Cu', 'Cu'), [[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
NACL = Crystal(5.64 * FCC, ('Na', 'Cl'), [[0, 0, 0], [0.5, 0.5, 0.5]])


def lines(path: Path, crystals: list[Crystal]) -> Path:
    records = [{'id': f'{path.stem}{n}', **item.to_dict(), 'e_above_hull': 0.0} for n, item in enumerate(crystals)]
    path.write_text(''.join(json.dumps(item) + '\n' for item in records))
    return path


@pytest.fixture
def call(tmp_path: Path) -> Any:
    library, queries = lines(tmp_path / 'library.jsonl', LIBRARY), lines(tmp_path / 'queries.jsonl', [CU3AU, NACL])

    def run(*arguments: str) -> Result:
        given = ('--library', str(library), '--queries', str(queries), '--recipe', 'none', '--baseline', 'none')
        return CliRunner().invoke(cli, ['benchmark', 'proposal', *given, *arguments])

    return run


def test_a_missing_structure_is_found_and_ordered_by_the_potential(call: Any, tmp_path: Path) -> None:
    for package in ('pyxtal', 'icet'):
        pytest.importorskip(package)
    arms = ('--sources', 'decoration', '--sources', 'decoration:2+symmetric:1', '--sources', 'uniform')
    arguments = (*arms, '--crystals', '6', '--max-sites', '4', '--new-prototypes', '--format', 'json')
    screened = ('--screen', 'emt', '--state', str(tmp_path / 'state'))
    done = call(*arguments, *screened)
    assert done.exit_code == 0, done.output
    figures = json.loads(done.stdout)
    assert figures['ceiling']['0.1'] is None
    assert 'no fingerprints' in figures['ceiling']['reason']
    found = figures['sources']
    # the library has rock salt: that query is not asked
    assert (found['n'], [item['formula'] for item in found['queries']]) == (1, ['Cu3Au'])
    assert found['screen']['versions']['ase']
    for name in ('decoration', 'decoration:2+symmetric:1'):
        arm = found['arms'][name]
        assert (arm['found']['5'], arm['proposed'], arm['by_source']) == (1.0, 1.0, {'decoration': 1})
        assert 0 < arm['relaxations'] <= 6
    assert found['arms']['uniform']['crystals'] == 6
    # of the crystals of Cu3Au one has its prototype
    calibration = found['arms']['decoration']['calibration']
    assert round(sum(item['n'] * item['right'] for item in calibration)) == 1
    assert sum(item['n'] for item in calibration) == found['arms']['decoration']['crystals']
    assert all(0 < item['said'] <= 1 for item in calibration)
    assert found['arms']['uniform']['calibration'] == []
    assert set(found['paired']) == {'decoration:2+symmetric:1', 'uniform'}
    # the relaxations are kept, and charged again
    kept = list((tmp_path / 'state').glob('emt-*.jsonl'))
    before = kept[0].read_text()
    again = json.loads(call(*arguments, *screened).stdout)['sources']
    assert kept[0].read_text() == before
    assert again['arms']['uniform']['cpu_seconds']['screen'] == found['arms']['uniform']['cpu_seconds']['screen'] > 0
    # without a potential in the order of the sources
    plain = json.loads(call(*arguments).stdout)['sources']
    assert (plain['screen'], plain['arms']['decoration']['relaxations']) == (None, 0)
    assert plain['arms']['decoration']['proposed'] == 1.0
    assert 'Right crystal' in call(*arms, '--crystals', '2').output


def test_the_same_crystals_are_counted_as_proposed_too(call: Any) -> None:
    for package in ('pyxtal', 'icet', 'ase_ga'):
        pytest.importorskip(package)
    arms = ('--sources', 'decoration', '--sources', 'symmetric+evolution', '--crystals', '6', '--max-sites', '4')
    screened = json.loads(call(*arms, '--screen', 'emt', '--new-prototypes', '--format', 'json').stdout)['sources']
    plain = json.loads(call(*arms[:2], *arms[4:], '--new-prototypes', '--format', 'json').stdout)['sources']
    before = screened['arms']['decoration']['as_proposed']
    assert before['found'] == plain['arms']['decoration']['found']
    (asked,) = screened['queries']
    rank, proposed = asked['found']['decoration']['rank'], asked['found']['decoration']['rank_as_proposed']
    assert proposed == plain['queries'][0]['found']['decoration']['rank']
    assert plain['queries'][0]['found']['decoration']['rank_as_proposed'] is None
    test = before['paired']['1']
    assert (test['first_only'], test['second_only']) == (rank == 1 != proposed, proposed == 1 != rank)
    # descendants are proposed only after the screening of their parents
    assert screened['arms']['symmetric+evolution']['as_proposed'] is None
    assert plain['arms']['decoration']['as_proposed'] is None
    table = call(*arms, '--screen', 'emt', '--new-prototypes').output
    assert table.count('proposed') == 1
    assert 'top 1' in table


@pytest.mark.parametrize(('most', 'formulas'), [((), ['Cu3Au', 'NaCl']), (('--source-queries', '1'), ['Cu3Au'])])
def test_the_first_queries_may_be_enough(call: Any, most: tuple[str, ...], formulas: list[str]) -> None:
    done = call('--sources', 'colouring', '--crystals', '2', '--max-sites', '4', *most, '--format', 'json')
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)['sources']
    assert (found['n'], [item['formula'] for item in found['queries']]) == (len(formulas), formulas)


def test_a_compound_of_several_draws_counts_once(call: Any) -> None:
    pytest.importorskip('icet')
    asked = ('--queries', 'random', '--n', '2', '--sources', 'decoration', '--crystals', '2', '--max-sites', '4')

    def found(*draws: str) -> Any:
        done = call(*asked, *draws, '--format', 'json')
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)['sources']

    # of three formulas two are drawn: of two draws one at least is the same
    one, other = found('--seed', '1'), found('--seed', '3')
    formulas = [item['formula'] for item in one['queries']]
    new = [item for item in other['queries'] if item['formula'] not in formulas]
    assert (len(formulas), len(new)) == (2, 1)
    both = found('--seed', '1', '--draw-again', '3', '--draw-again', '1')
    assert (both['n'], both['seeds']) == (3, [1, 3])
    # each with the templates and the seed of its own draw
    assert both['queries'] == [*one['queries'], *new]
    assert '3 compounds of 2 draws' in ' '.join(call(*asked, '--seed', '1', '--draw-again', '3').output.split())


def test_a_draw_that_leaves_nothing_does_not_end_the_others(call: Any) -> None:
    asked = ('--queries', 'random', '--n', '1', '--sources', 'colouring', '--crystals', '1', '--max-sites', '1')

    def result(seed: str, *again: str) -> Result:
        return call(*asked, '--seed', seed, *again, '--format', 'json')

    seeds = [str(seed) for seed in range(12)]
    done = {seed: result(seed) for seed in seeds}
    # CaO has two atoms
    (nothing, *_), (something, *_) = ([seed for seed in seeds if done[seed].exit_code == code] for code in (1, 0))
    assert 'no query of at most 1 atoms is left' in done[nothing].output
    both = result(nothing, '--draw-again', something)
    assert both.exit_code == 0, both.output
    assert json.loads(both.stdout)['sources']['n'] == 1


@pytest.mark.parametrize(
    ('arguments', 'says'),
    [
        (['--sources', 'magic'], "there is no source 'magic'; there are"),
        (['--sources', 'symmetric:-1'], 'has no positive share'),
        (['--sources', 'symmetric:x'], 'has no positive share'),
        (['--sources', 'symmetric:nan'], 'has no positive share'),
        (['--sources', 'uniform+symmetric'], 'uniform cannot be mixed'),
        (['--sources', 'library'], "there is no source 'library'"),
        (['--sources', 'cspml'], 'add --recipe ours'),
        (['--sources', 'evolution', '--screen', 'emt'], 'write evolution+symmetric'),
        (['--sources', 'symmetric+evolution'], 'add --screen'),
        (['--sources', 'symmetric', '--max-sites', '1'], 'no query of at most 1 atoms is left'),
        (['--sources', 'symmetric', '--screen', 'magic'], 'magic'),
        (['--screen', 'emt'], 'need --sources'),
        (['--sources', 'symmetric', '--draw-again', '2'], '--draw-again draws formulas'),
        (['--queries', 'random', '--draw-again', '2'], 'it needs --sources'),
        (
            ['--queries', 'random', '--n', '1', '--sources', 'cspml', '--draw-again', '2'],
            'which is trained for one draw',
        ),
        (['--sources', 'symmetric', '--lower-bound'], 'name the potential with --screen'),
        ([], 'nothing to compare'),
    ],
)
def test_what_is_asked_wrongly_is_said(call: Any, arguments: list[str], says: str) -> None:
    done = call(*arguments)
    assert done.exit_code == 1
    assert says in done.output
    assert 'Traceback' not in done.output


def test_a_lower_bound_relaxes_all_crystals_only_where_one_is_right(call: Any) -> None:
    for package in ('pyxtal', 'icet'):
        pytest.importorskip(package)
    plan = ('--sources', 'decoration', '--sources', 'uniform', '--screen', 'emt', '--crystals', '4', '--new-prototypes')
    done = call(*plan, '--max-sites', '4', '--jobs', '2', '--format', 'json')
    assert done.exit_code == 0, done.output
    whole = json.loads(done.stdout)['sources']['arms']['decoration']
    done = call(*plan, '--max-sites', '4', '--lower-bound', '--format', 'json')
    assert done.exit_code == 0, done.output
    arms = json.loads(done.stdout)['sources']['arms']
    # one of those of Cu3Au has its prototype: all are relaxed, and its rank is that among all
    assert (arms['decoration']['crystals'], arms['decoration']['relaxations']) == (4, 4)
    assert arms['decoration']['found'] == whole['found']
    assert arms['decoration']['by_source'] == {'decoration': 1}
    # four crystals drawn at random do not have the prototype of Cu3Au
    assert (arms['uniform']['crystals'], arms['uniform']['relaxations'], arms['uniform']['proposed']) == (4, 0, 0)


def test_evolution_has_its_share_of_the_relaxations(call: Any) -> None:
    for package in ('pyxtal', 'ase_ga'):
        pytest.importorskip(package)
    arm = ('--sources', 'symmetric+evolution', '--screen', 'emt', '--new-prototypes')
    done = call(*arm, '--crystals', '6', '--max-sites', '4', '--format', 'json')
    assert done.exit_code == 0, done.output
    (mixed,) = json.loads(done.stdout)['sources']['arms'].values()
    assert 3 < mixed['relaxations'] <= 6


def test_results_are_split_by_what_the_potential_was_trained_on(call: Any, tmp_path: Path) -> None:
    pytest.importorskip('icet')
    names = tmp_path / 'trained.txt'
    names.write_text('mp-149\nAu2Cu6\n')
    plan = ('--sources', 'decoration', '--screen', 'emt', '--crystals', '4', '--max-sites', '4', '--new-prototypes')
    done = call(*plan, '--trained-on', str(names), '--format', 'json')
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)['sources']
    # Cu3Au is listed by its formula, and is the only query: there is nothing outside
    assert found['remark'] == 'the potential was trained on 1 of the compounds asked for'
    assert set(found['training']) == {'inside'}
    assert found['training']['inside']['n'] == 1
    assert found['training']['inside']['found']['decoration']['5']['share'] == 1.0
    names.write_text('mp-149\n')
    done = call(*plan, '--trained-on', str(names))
    assert 'outside the training data' in ' '.join(done.output.split())
    names.write_text('\n')
    assert 'names no compound' in call(*plan, '--trained-on', str(names)).output
    done = call('--sources', 'decoration', '--trained-on', str(names))
    assert 'name the potential with --screen' in done.output
