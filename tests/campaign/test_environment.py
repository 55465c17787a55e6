"""Which code took a decision: the digest follows what decides, and nothing else."""

from __future__ import annotations

from pathlib import Path

from aiida_inversedesign.campaign.environment import LIBRARIES, difference, environment, source_digest


def make_package(folder: Path) -> Path:
    """A package with code, a table, and files that decide nothing."""
    for name in ('learn/fit.py', 'chemistry/radii.csv', 'audit/figures.py', 'cli/show.py', 'learn/__pycache__/fit.pyc'):
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f'content of {name}')
    return folder


def test_the_digest_follows_code_and_tables(tmp_path: Path) -> None:
    first = source_digest(make_package(tmp_path / 'one'))
    package = make_package(tmp_path / 'other')
    assert source_digest(package) == first
    for name in ('audit/figures.py', 'cli/show.py', 'learn/__pycache__/fit.pyc'):
        (package / name).write_text('changed')
    assert source_digest(package) == first
    digests = {first}
    for name in ('learn/fit.py', 'chemistry/radii.csv'):
        (package / name).write_text('changed')
        digests.add(source_digest(package))
    (package / 'learn/fit.py').rename(package / 'learn/moved.py')
    digests.add(source_digest(package))
    assert len(digests) == 4


def test_the_environment_here_is_told_and_can_be_altered_by_nobody() -> None:
    here = environment()
    assert len(here['code']) == 16
    assert set(here['libraries']) == {'python', *LIBRARIES}
    here['libraries']['numpy'] = '0'
    assert environment()['libraries']['numpy'] != '0'


def test_only_what_both_know_is_compared() -> None:
    here = {'code': 'b', 'libraries': {'numpy': '2.4', 'scipy': '1.17'}}
    assert difference(here, here) == difference({}, here) == difference(here, {}) == []
    assert difference({'libraries': {'gone': '1'}}, here) == []
    other = {'code': 'a', 'libraries': {'numpy': '1.26', 'scipy': '1.17'}}
    assert difference(other, here) == [
        'code of aiida-inversedesign with digest a (here b)',
        'numpy 1.26 (here 2.4)',
    ]
