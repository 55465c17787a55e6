"""``benchmark proposal`` as a user calls it."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import partial
from itertools import product
from pathlib import Path

import command_line
import numpy as np
import pytest

from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.chemistry.fingerprints.structure import LENGTH
from aiida_inversedesign.chemistry.symbols import SYMBOLS
from aiida_inversedesign.cli.benchmark.commands import BASELINES, RECIPES
from aiida_inversedesign.libraries.library import Library, Template
from aiida_inversedesign.propose.rankers.by_name import NAMES

FCC = np.array([[0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])


call = partial(command_line.call, 'benchmark', 'proposal')


NOT_CATIONS = {
    'Ne',
    'Ar',
    'Kr',
    'Xe',
    'F',
    'Cl',
    'Br',
    'I',
    'O',
    'S',
    'Se',
    'Te',
    'N',
    'P',
    'As',
    'Sb',
    'C',
    'Si',
    'Ge',
}
CATIONS = [symbol for symbol in SYMBOLS[2:80] if symbol not in NOT_CATIONS]
ANIONS = ['F', 'Cl', 'Br', 'I', 'O', 'S', 'Se', 'Te', 'N', 'P', 'As', 'Sb', 'C', 'Si', 'Ge']
TOTAL = len(CATIONS) * len(ANIONS)


@pytest.fixture(scope='module')
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made-up salts: those of the first twenty cations are rock salts, the others zinc blendes."""
    templates, marks = [], []
    for (number, cation), anion in product(enumerate(CATIONS), ANIONS):
        first = number < 20
        crystal = Crystal(5.5 * FCC, (cation, anion), [[0] * 3, [0.5 if first else 0.25] * 3])
        templates.append(Template(crystal.formula, crystal, 'made', 'none', '', 225 if first else 216, 0.0))
        marks.append(np.full(LENGTH, 0.0 if first else 1.0))
    path = tmp_path_factory.mktemp('library') / 'salts.parquet'
    path.write_bytes(Library(templates, np.array(marks, dtype=np.float32)).to_bytes())
    return path


def test_the_options_name_every_ranking() -> None:
    assert set(RECIPES) | set(BASELINES) == set(NAMES)


def test_help_needs_no_profile_and_shows_an_example() -> None:
    text = call('--help').output
    assert 'benchmark proposal --library mp --n 1000' in text


def test_random_queries_with_models_trained_anew(library: Path, tmp_path: Path) -> None:
    output, models = tmp_path / 'found.json', tmp_path / 'models'
    common = ('--library', str(library), '--n', '5', '--seed', '1', '--recipe', 'published', '--format', 'json')
    result = call(*common, '--epochs', '2', '--output', str(output), '--save-models', str(models))
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found == json.loads(output.read_text())
    assert found['schema'] == 'inversedesign/1'
    assert found['n'] == 5
    assert found['library']['templates'] == TOTAL - 5
    assert set(found['rankings']) == {'published', *BASELINES}
    assert set(found['rankings']['random']['recall']) == {'0.1', '0.2', '0.3'}
    assert set(found['rankings']['random']['recall']['0.1']) == {'1', '5', '10', '20', '50'}
    assert found['ceiling'].keys() >= {'0.1', '0.2', '0.3', 'matcher'}
    assert found['volume_error'].keys() >= {'median', 'p90', 'template_median'}
    assert found['rankings']['element_dissimilarity']['recall']['0.1']['10'] == 1.0
    assert found['models']['published']['formulas'] == TOTAL - 5

    # the saved model knows none of these queries, but some of another draw
    again = json.loads(call(*common, '--model', str(models / 'published.npz')).stdout)
    assert again['rankings']['published']['recall'] == found['rankings']['published']['recall']
    refused = call('--library', str(library), '--n', '5', '--seed', '2', '--recipe', 'published',
                   '--model', str(models / 'published.npz'))  # fmt: skip
    assert refused.exit_code == 1
    assert 'may have been trained on' in refused.output
    assert '--model new' in refused.output


def test_the_table_shows_each_ranking(library: Path) -> None:
    result = call(
        '--library', str(library), '--n', '4', '--recipe', 'published', '--epochs', '1', '--matcher-queries', '2'
    )
    assert result.exit_code == 0, result.output
    for name in ('published', *BASELINES):
        assert name in result.stdout
    assert 'Recall of the findable' in result.stdout
    assert '(of 2)' in result.stdout


@pytest.mark.parametrize(
    ('arguments', 'says'),
    [
        (('--library', 'missing.parquet'), 'no such file'),
        (('--queries', 'cspml90'), '--queries-file'),
        (('--queries', 'nothing.jsonl'), 'existing file'),
        (('--taus', 'near'), 'positive distances'),
        (('--recipe', 'published', '--model', 'missing.npz'), 'no such file'),
        (('--recipe', 'published', '--model', 'ours=missing.npz'), "'ours' is not compared"),
        (('--recipe', 'none', '--baseline', 'none'), 'nothing to compare'),
        (('--n', '99999'), f'{TOTAL} or less'),
    ],
)
def test_what_cannot_be_run_is_said_plainly(library: Path, arguments: tuple[str, ...], says: str) -> None:
    given = arguments if '--library' in arguments else ('--library', str(library), *arguments)
    result = call(*given)
    assert result.exit_code == 1
    assert says in ' '.join(result.output.split())


def test_plain_rules_are_compared_without_training(library: Path) -> None:
    result = call('--library', str(library), '--n', '3', '--recipe', 'none', '--taus', '0.1', '--format', 'json')
    found = json.loads(result.stdout)
    assert list(found['rankings']) == ['element_dissimilarity', 'nearest_descriptor', 'substitution', 'random']
    assert found['models'] == {}


def test_queries_from_a_file_are_removed_from_the_library(library: Path, tmp_path: Path) -> None:
    path = tmp_path / 'queries.jsonl'
    crystal = Crystal(6 * FCC, ('Na', 'Cl'), [[0] * 3, [0.5] * 3])
    path.write_text(json.dumps({'id': 'mine', **crystal.to_dict()}) + '\n{broken\n')
    marks = tmp_path / 'marks.npz'
    np.savez(marks, ids=np.array(['mine']), fingerprints=np.zeros((1, LENGTH), dtype=np.float32))
    result = call('--library', str(library), '--queries', str(path), '--fingerprints', str(marks),
                  '--recipe', 'published', '--epochs', '1', '--format', 'json')  # fmt: skip
    found = json.loads(result.stdout)
    assert found['n'] == 1
    assert found['library']['templates'] == TOTAL - 1
    assert found['rankings']['element_dissimilarity']['both'] == {'1': 1.0, '5': 1.0, '10': 1.0}
    assert len(found['skipped']) == 1


@pytest.mark.usefixtures('aiida_profile_clean')
def test_a_library_of_the_profile_is_found_by_its_label(library: Path) -> None:
    from aiida_inversedesign.nodes.library_data import LibraryData

    LibraryData.from_library(Library.from_bytes(library.read_bytes()), label='salts').store()
    common = ('--n', '3', '--recipe', 'none', '--baseline', 'random', '--matcher-queries', '0', '--format', 'json')
    stored = json.loads(call('--library', 'salts', *common).stdout)
    assert stored['library'] == json.loads(call('--library', str(library), *common).stdout)['library']
    assert "there is no library 'salt'" in call('--library', 'salt', *common).output


def test_what_comes_with_the_package_needs_no_profile(tmp_path: Path) -> None:
    program = (
        'from aiida_inversedesign.cli.benchmark import commands\n'
        "assert len(commands._library('aflow')) > 200\n"
        "assert commands._models(('ours=shipped',), ('ours',))['ours'][0] == 'shipped'\n"
        "import sys\nassert 'aiida' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, '-c', program], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
