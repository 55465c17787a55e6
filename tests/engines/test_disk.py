"""Free disk space: what df and quota print, and what it means."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from aiida_inversedesign.processes.disk_space import parse_space, space_command, space_here

DF = (
    'Filesystem     1024-blocks     Used Available Capacity Mounted on\n'
    'nas:/export/scratch  264212084 29327168  50000000      28% /scratch\nquota\n'
)
HEAD = 'Disk quotas for user ada (uid 1000):\n  Filesystem  blocks  quota  limit  grace  files  quota  limit  grace\n'


@pytest.mark.parametrize(
    ('quota', 'free', 'limit'),
    [
        ('', 51.2, 'disk'),
        # the hard limit is where writing fails
        (HEAD + 'nas:/export/scratch 1000000 1500000 2000000 0 10 0 0\n', 1.024, 'quota'),
        (HEAD + 'nas:/export/scratch 1000000 1500000 0 0 10 0 0\n', 0.512, 'quota'),
        (HEAD + 'nas:/export/scratch 2000001* 1500000 2000000 6days 10 0 0\n', 0.0, 'quota'),
        # no limit, more than the disk has, and another file system
        (HEAD + 'nas:/export/scratch 1000000 0 0 10 0 0\n', 51.2, 'disk'),
        (HEAD + 'nas:/export/scratch 0 0 900000000 10 0 0\n', 51.2, 'disk'),
        (HEAD + 'nas:/export/home 1000000 1500000 2000000 10 0 0\n', 51.2, 'disk'),
        # lfs names the folder that it was asked for
        ('/scratch/ada 307200 0 309200 - 100 0 0 -\n', 0.002048, 'quota'),
    ],
)
def test_a_quota_counts_where_it_is_what_runs_out_first(quota: str, free: float, limit: str) -> None:
    space = parse_space(DF + quota, '/scratch/ada/aiida')
    assert space is not None
    assert space.free_gb == pytest.approx(free)
    assert space.limit == limit


@pytest.mark.parametrize('text', ['', 'quota', 'df: no such file\nquota\n', 'a\nb c d\nquota\n'])
def test_what_makes_no_sense_is_not_guessed(text: str) -> None:
    assert parse_space(text, '/scratch') is None


def test_the_command_works_here_also_for_a_folder_that_is_not_there_yet(tmp_path: Path) -> None:
    folder = tmp_path / "it's" / 'not there $(yet)'
    output = subprocess.run(['sh', '-c', space_command(str(folder))], capture_output=True, text=True, check=True).stdout
    space = parse_space(output, str(folder))
    assert space is not None
    assert space.free_gb == pytest.approx(space_here(folder).free_gb, rel=0.05)
    assert not folder.exists()
