"""A small pool with a smooth answer, as a file and as arrays."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from aiida_inversedesign.benchmarks.search.goals import Task, make_task, parse_goal
from aiida_inversedesign.benchmarks.search.pool import Pool


@pytest.fixture(scope='session')
def pool() -> Pool:
    """120 points in the unit cube; ``y`` has its maximum near (0.3, 0.6), ``z`` rises with the first column."""
    rng = np.random.default_rng(3)
    X = rng.random((120, 3))
    y = -((X[:, 0] - 0.3) ** 2) - (X[:, 1] - 0.6) ** 2 + 0.01 * rng.standard_normal(120)
    z = X[:, 0] + 0.1 * X[:, 2]
    return Pool('toy.csv', tuple(f'c{i}' for i in range(120)), X, ('a', 'b', 'c'), {'y': y, 'z': z})


@pytest.fixture(scope='session')
def task(pool: Pool) -> Task:
    """``y`` maximised, hits are the best 5 %: 6 of 120."""
    return make_task(parse_goal('maximize', 'y'), pool.values)


@pytest.fixture(scope='session')
def pool_file(pool: Pool, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same as a CSV file, with a row that has no ``y``."""
    path = tmp_path_factory.mktemp('pool') / 'toy.csv'
    with path.open('w', newline='') as stream:
        writer = csv.writer(stream)
        writer.writerow(['id', 'a', 'b', 'c', 'y', 'z'])
        for name, row, y, z in zip(pool.ids, pool.features, pool.values['y'], pool.values['z'], strict=True):
            writer.writerow([name, *row, y, z])
        writer.writerow(['lacking', 0.1, 0.2, 0.3, '', 0.5])
    return path
