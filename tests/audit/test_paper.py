"""The paper folder of a campaign that was run for real, on answers from a data set."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from command_line import call

FILES = {
    'README.md', 'CITATION.md', 'audit.json', 'campaign.aiida', 'campaign.yaml', 'explanation.json', 'methods.md',
    'references.bib',
    'ro-crate-metadata.json',
}  # fmt: skip


@pytest.fixture(scope='module')
def finished(aiida_profile: Any, tmp_path_factory: Any) -> Any:
    """A campaign of eight evaluations, each with a job and one of them failed; another one is in the same profile."""
    from rehearsal import make_library, make_python_code

    from aiida_inversedesign.campaign.load import validate_campaign
    from aiida_inversedesign.nodes.library_data import LibraryData
    from aiida_inversedesign.workchains.build import build_campaign
    from aiida_inversedesign.workchains.foreground import run_campaign

    aiida_profile.reset_storage()
    LibraryData.from_library(make_library(), label='metals').store()
    make_python_code(tmp_path_factory.mktemp('jobs'), 'inversedesign.table')
    data: dict[str, Any] = {
        'name': 'stiff_1',
        'seed': 5,
        'goal': {'objectives': [{'property': 'stiffness', 'maximize': True, 'hit': 250}]},
        'propose': {'library': 'metals', 'method': 'library'},
        'select': {'initial': 4, 'batch': 4, 'acquisition': 'log_ei'},
        'learn': {'surrogate': 'gp'},
        'evaluate': {
            'engine': 'table', 'data': 'metals', 'units': {'stiffness': 'GPa'}, 'code': 'python@localhost',
            'fail_fraction': 0.25,
        },
        'budget': {'evaluations': 8},
    }  # fmt: skip
    node = run_campaign(build_campaign(validate_campaign(data)))
    other = {**data, 'name': 'another', 'seed': 6, 'budget': {'evaluations': 1}, 'select': {'initial': 1}}
    other['evaluate'] = {key: value for key, value in data['evaluate'].items() if key != 'code'}
    run_campaign(build_campaign(validate_campaign(other)))
    # no node: those of a profile are void once an archive was opened
    return SimpleNamespace(pk=node.pk, uuid=node.uuid)


@pytest.fixture(scope='module')
def folder(finished: Any, tmp_path_factory: Any) -> Path:
    """The paper folder of it."""
    path = tmp_path_factory.mktemp('paper') / 'paper'
    author = 'Ada Lovelace 0000-0002-1825-0097'
    result = call('paper', str(finished.pk), '-o', str(path), '--author', author, '--license', 'CC-BY-4.0')
    assert result.exit_code == 0, result.output
    assert 'audited again: the same figures' in result.output
    return path


def test_the_folder_is_complete_and_nothing_is_left_beside_it(folder: Path) -> None:
    assert {path.name for path in folder.iterdir()} == FILES | {'tables', 'figures', 'crystals'}
    assert [path.name for path in folder.parent.iterdir()] == ['paper']
    assert folder.stat().st_mode & 0o055 == 0o055
    assert all(path.stat().st_size for path in folder.rglob('*') if path.is_file())


def test_the_archive_has_exactly_this_campaign_without_remote_folders(finished: Any, folder: Path) -> None:
    from aiida.orm import CalcJobNode, FolderData, Node, QueryBuilder, RemoteData

    from aiida_inversedesign.audit.archive import open_archive
    from aiida_inversedesign.graph.campaigns import list_campaigns

    assert QueryBuilder().append(RemoteData).count() == 8
    with open_archive(folder / 'campaign.aiida'):
        assert [item['uuid'] for item in list_campaigns()] == [finished.uuid]
        assert QueryBuilder().append(RemoteData).count() == 0
        assert QueryBuilder().append(CalcJobNode).count() == 8
        # what the results were parsed from is there, with its files
        retrieved = QueryBuilder().append(CalcJobNode).append(FolderData).all(flat=True)
        assert len(retrieved) == 8
        assert all('results.json' in item.base.repository.list_object_names() for item in retrieved)
        archived = set(QueryBuilder().append(Node, project='uuid').all(flat=True))
    from aiida.orm import load_node

    called = {node.uuid for node in load_node(finished.pk).called_descendants}
    assert called <= archived


def test_the_archive_gives_the_same_folder_again(folder: Path, tmp_path: Path) -> None:
    again = tmp_path / 'again'
    result = call('paper', '--archive', str(folder / 'campaign.aiida'), '-o', str(again), '--format', 'json')
    assert result.exit_code == 0, result.output
    assert json.loads(result.output)['archive_audited_again'] is True
    for path in folder.rglob('*'):
        # the archive has a time in it, and the others its hash, or the author
        if path.is_file() and path.name not in ('campaign.aiida', 'README.md', 'ro-crate-metadata.json'):
            assert (again / path.relative_to(folder)).read_bytes() == path.read_bytes(), path
    assert (folder / 'campaign.aiida').stat().st_size == pytest.approx(
        (again / 'campaign.aiida').stat().st_size, rel=0.01
    )


def test_the_audit_in_the_folder_is_that_of_the_command(finished: Any, folder: Path) -> None:
    stored = json.loads((folder / 'audit.json').read_text())
    for arguments in ((str(finished.pk),), ('--archive', str(folder / 'campaign.aiida'))):
        audited = json.loads(call('audit', *arguments, '--format', 'json').output)
        assert {**audited, 'source': ''} == {**stored, 'source': ''}
    # no path and no profile of the machine that made it
    assert stored['source'] == f'campaign {finished.uuid}'


def test_tables_say_what_the_audit_says(folder: Path) -> None:
    report = json.loads((folder / 'audit.json').read_text())
    with (folder / 'tables/evaluations.csv').open() as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == report['evaluations']['total'] == 8
    assert sum(row['status'] == 'failed' for row in rows) == report['evaluations']['failed'] > 0
    values = [float(row['stiffness (GPa)']) for row in rows if row['status'] == 'completed']
    assert max(values) == report['best'][0]['properties']['stiffness']
    assert 'pk' not in rows[0]
    with (folder / 'tables/figures.csv').open() as stream:
        figures = {row['figure']: row for row in csv.DictReader(stream)}
    assert float(figures['hit rate']['value']) == report['hit_rate']['value']
    assert float(figures['hit rate']['low']) == report['hit_rate']['low']
    assert figures['core-hours']['value'] == ''
    assert 'not recorded' in figures['core-hours']['not known because']
    error = report['calibration']['stiffness']
    assert float(figures['mean absolute error of stiffness']['low']) == error['intervals']['mae'][0]
    assert float(figures['base rate, whole pool']['value']) == report['enrichment']['base_rate']['value']


@pytest.mark.parametrize('name', ['best', 'evaluations', 'figures', 'generations'])
def test_latex_is_well_formed(folder: Path, name: str) -> None:
    text = (folder / f'tables/{name}.tex').read_text()
    opened = re.findall(r'\\begin\{(\w+)\}', text)
    assert sorted(opened) == sorted(re.findall(r'\\end\{(\w+)\}', text))
    bare = re.sub(r'\\[{}]', '', text)
    assert bare.count('{') == bare.count('}')
    assert bare.replace(r'\$', '').count('$') % 2 == 0
    columns = re.search(r'\\begin\{(?:tabular|longtable)\}\{([lrc]+)\}', text)
    assert columns
    rows = [line for line in text.splitlines() if line.endswith(r' \\') and not line.startswith(r'\caption')]
    assert len(rows) > 1
    assert {len(re.findall(r'(?<!\\)&', row)) for row in rows} == {len(columns.group(1)) - 1}
    for rule in ('toprule', 'midrule', 'bottomrule'):
        assert rf'\{rule}' in text
    assert not re.search(r'(?<!\\)[_%#]', re.sub(r'\\label\{.*?\}', '', text))
    assert rf'\input{{{name}}}' in (folder / 'tables/tables.tex').read_text()


def test_figures_have_journal_widths_and_embedded_fonts(folder: Path) -> None:
    from PIL import Image

    names = {path.stem for path in (folder / 'figures').iterdir()}
    assert {'best_so_far', 'hits', 'hit_rate', 'parity', 'funnel', 'spending', 'overview'} == names
    for name in names:
        width = 178 if name == 'overview' else 86
        with Image.open(folder / f'figures/{name}.png') as image:
            assert image.width == pytest.approx(width / 25.4 * 300, abs=2)
            assert image.convert('L').getextrema() == (0, 255)
        pdf = (folder / f'figures/{name}.pdf').read_bytes()
        assert b'/FontFile2' in pdf
        assert b'/Type3' not in pdf
        box = re.search(rb'/MediaBox \[ 0 0 ([\d.]+) ', pdf)
        assert box
        assert float(box.group(1)) == pytest.approx(width / 25.4 * 72, abs=0.1)


def test_no_text_of_a_figure_is_smaller_than_seven_points(finished: Any) -> None:
    import matplotlib as mpl
    from aiida.orm import load_node
    from matplotlib.text import Text

    from aiida_inversedesign.audit.plot import new_figure
    from aiida_inversedesign.paper import figures, panels
    from aiida_inversedesign.paper.facts import collect_facts

    facts = collect_facts(load_node(finished.pk))
    with mpl.rc_context(figures._STYLE):
        figure = new_figure(figures.SINGLE / 25.4, 62 / 25.4)
        panels.draw_best_so_far(facts, figure.subplots())
        texts = [item for item in figure.findobj(Text) if item.get_text()]
        assert min(item.get_fontsize() for item in texts) >= 7


def test_cifs_come_back_as_the_relaxed_crystals_with_their_lineage(finished: Any, folder: Path) -> None:
    from pymatgen.analysis.structure_matcher import StructureMatcher
    from pymatgen.core import Structure
    from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

    from aiida_inversedesign.audit.frames import best_evaluations, read_record

    record = read_record(finished.pk)
    ranked = best_evaluations(record)
    hits = [item for item in ranked if item.hit]
    files = sorted((folder / 'crystals').iterdir())
    assert len(files) >= len(hits) > 0
    for rank, path in enumerate(files):
        item = ranked[rank]
        read = Structure.from_file(path)
        assert item.relaxed is not None
        expected = item.relaxed.to_pymatgen()
        assert read.composition.reduced_composition == expected.composition.reduced_composition
        assert read.volume / len(read) == pytest.approx(expected.volume / len(expected), rel=1e-4)
        group = SpacegroupAnalyzer(expected, symprec=0.1).get_space_group_number()
        assert SpacegroupAnalyzer(read, symprec=1e-3).get_space_group_number() == group
        assert StructureMatcher().fit(read, expected)
        text = path.read_text()
        for words in (
            f'# candidate: {item.candidate}',
            f'# template: {item.template}',
            item.uuid,
            finished.uuid,
            'GPa',
        ):
            assert words in text


def test_methods_say_what_was_done_and_cite_what_was_used(folder: Path) -> None:
    text = (folder / 'methods.md').read_text()
    body = text.split('## References')[0]
    for words in (
        '≥ 250 GPa',
        'seed 5',
        'expected improvement',
        'Gaussian processes',
        "'metals'",
        'CC0',
        '8 evaluations',
        'times that of a random choice',
    ):
        assert words in body
    cited = set(re.findall(r'@([a-z]+\d*)', body))
    entries = set(re.findall(r'^@\w+\{(\w+),', (folder / 'references.bib').read_text(), re.MULTILINE))
    assert cited == entries
    assert {'aiida2020', 'logei2023', 'botorch2020'} <= cited
    # nothing that was not used
    assert not {'qe2009', 'ase2017', 'scikitlearn2011', 'cspml2022', 'aflow2017'} & cited


def test_the_campaign_file_is_one(folder: Path) -> None:
    import yaml

    from aiida_inversedesign.campaign.load import validate_campaign

    spec = validate_campaign(yaml.safe_load((folder / 'campaign.yaml').read_text()))
    assert (spec.name, spec.seed, spec.budget.evaluations) == ('stiff_1', 5, 8)


def test_the_crate_describes_every_file(finished: Any, folder: Path) -> None:
    from rocrate.rocrate import ROCrate

    crate = ROCrate(folder)
    files = {path.relative_to(folder).as_posix() for path in folder.rglob('*') if path.is_file()}
    described = {entity.id for entity in crate.data_entities}
    assert described == files - {'ro-crate-metadata.json'}
    assert crate.license.id == 'https://spdx.org/licenses/CC-BY-4.0'
    (author,) = crate.root_dataset['author'] if isinstance(crate.root_dataset['author'], list) else [
        crate.root_dataset['author']
    ]  # fmt: skip
    assert (author.id, author['name']) == ('https://orcid.org/0000-0002-1825-0097', 'Ada Lovelace')
    action = crate.get(f'urn:uuid:{finished.uuid}')
    assert action['actionStatus'] == 'http://schema.org/CompletedActionStatus'
    assert {item.id for item in action['result']} == {'campaign.aiida', 'audit.json'}


def test_the_readme_has_commands_that_work(folder: Path) -> None:
    import hashlib

    text = (folder / 'README.md').read_text()
    assert hashlib.sha256((folder / 'campaign.aiida').read_bytes()).hexdigest() in text
    commands = re.findall(r'^aiida-inversedesign (\w+) --archive campaign\.aiida', text, re.MULTILINE)
    assert set(commands) == {'audit', 'verify', 'report', 'paper'}
    for name in commands:
        assert '--archive' in call(name, '--help').output
    for name in re.findall(r'^\| `([^`]+)` \|', text, re.MULTILINE):
        assert (folder / name).exists()


def test_what_is_there_is_never_lost(finished: Any, folder: Path, tmp_path: Path, monkeypatch: Any) -> None:
    import shutil

    from aiida_inversedesign.paper import crystals

    mine = tmp_path / 'mine'
    mine.mkdir()
    (mine / 'thesis.tex').write_text('years of work')
    for arguments in ((), ('--force',)):
        result = call('paper', finished.pk, '-o', mine, *arguments)
        assert result.exit_code == 1
        assert '--force' in result.output
    (tmp_path / 'file').write_text('')
    assert 'is a file' in call('paper', finished.pk, '-o', tmp_path / 'file').output
    earlier = tmp_path / 'earlier'
    shutil.copytree(folder, earlier)

    def fail(*_: Any) -> None:
        raise OSError(28, 'No space left on device')

    with monkeypatch.context() as patch:
        patch.setattr(crystals, 'write_crystals', fail)
        result = call('paper', finished.pk, '-o', earlier, '--force')
    assert result.exit_code == 1
    assert 'No space left' in result.output
    assert (earlier / 'README.md').read_bytes() == (folder / 'README.md').read_bytes()
    (earlier / 'README.md').unlink()
    assert call('paper', str(finished.pk), '-o', str(earlier), '--force').exit_code == 0
    assert (earlier / 'README.md').is_file()
    assert sorted(path.name for path in tmp_path.iterdir()) == ['earlier', 'file', 'mine']
    assert (mine / 'thesis.tex').read_text() == 'years of work'
