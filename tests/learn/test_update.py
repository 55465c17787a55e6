"""A surrogate that is updated of further rows: the same as before on old rows, wiser with new ones, and much faster."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from aiida_inversedesign.campaign.row import EvaluationRow
from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.learn.fit import fit_surrogate
from aiida_inversedesign.learn.models.bootstrap import fit_bootstrap
from aiida_inversedesign.learn.models.forest import fit_forest
from aiida_inversedesign.learn.models.gp import fit_gp
from aiida_inversedesign.learn.models.hurdle import fit_hurdle
from aiida_inversedesign.learn.models.multitask import Task, fit_multitask
from aiida_inversedesign.learn.models.transfer import fit_transfer, learn_prior
from aiida_inversedesign.learn.update import knows, with_rows
from aiida_inversedesign.spaces.crystals.space import CrystalSpace

SYMBOLS = ('Cu', 'Al', 'Ni', 'Pd', 'Pt', 'Ag', 'Au', 'Ir', 'Rh', 'Fe', 'W', 'Mo', 'Cr', 'V', 'Nb', 'Ta')


def data(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    X = np.random.default_rng(seed).normal(size=(n, 3))
    return X, np.sin(2 * X[:, 0]) + 0.3 * X[:, 1]


def models() -> dict[str, object]:
    X, y = data(40)
    source, values = data(60, 1)
    prior = learn_prior('cheap', source, values)
    return {
        'gp': fit_gp(X, y, form='ard'),
        'forest': fit_forest(X, y, 3),
        'bootstrap': fit_bootstrap(X, y, 3),
        'transfer': fit_transfer(X, y + X[:, 2], [prior]),
        'multitask': fit_multitask(X, y, [Task('other', source, 2.0 - values)]),
        'hurdle': fit_hurdle(X, np.where(X[:, 0] > 0.3, y, 0.0)),
    }


@pytest.mark.parametrize('kind', ['gp', 'forest', 'bootstrap', 'transfer', 'multitask', 'hurdle'])
def test_the_same_rows_change_nothing_and_further_ones_are_learned(kind: str) -> None:
    model = models()[kind]
    X, _ = data(40)
    new = np.random.default_rng(7).normal(size=(20, 3))
    same = model.with_rows(X, model.y)
    for before, after in zip(model.predict(new), same.predict(new), strict=True):
        assert after == pytest.approx(before, rel=1e-6, abs=1e-8)
    truth = np.sin(2 * new[:, 0]) + 0.3 * new[:, 1]
    if kind == 'transfer':
        truth = truth + new[:, 2]
    elif kind == 'hurdle':
        truth = np.where(new[:, 0] > 0.3, truth, 0.0)
    updated = model.with_rows(np.vstack([X, new]), np.concatenate([model.y, truth]))
    assert len(updated.y) == 60
    error = [np.abs(item.predict(new)[0] - truth).mean() for item in (model, updated)]
    assert error[1] < 0.75 * error[0]


def rows(n: int) -> list[EvaluationRow]:
    made = []
    for index in range(n):
        a = 3.5 + 0.01 * index
        lattice = a / 2 * np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]])
        crystal = Crystal(lattice, (SYMBOLS[index % len(SYMBOLS)],), np.zeros((1, 3)))
        row = EvaluationRow(
            f'c{index}', 1, 'initial', crystal.formula, 'completed', crystal, crystal, {'stiffness': 3000 / a**3}
        )
        failed = index % 5 == 4
        made.append(replace(row, status='failed', relaxed=None, properties={}) if failed else row)
    return made


def test_a_surrogate_is_told_of_results_and_of_failures() -> None:
    table = rows(30)
    early = fit_surrogate(table[:15], ['stiffness'], CrystalSpace(), 'gp', 1)
    assert knows(early, table[:15])
    assert not knows(early, table)
    updated = with_rows(early, table, CrystalSpace())
    assert knows(updated, table)
    assert len(updated.models['stiffness'].y) == 24
    assert updated.failure is not None
    assert updated.failure.failed.sum() == 6
    # what was chosen by the fit stays: kernel and scaling of the descriptors
    assert updated.models['stiffness'].kernel is early.models['stiffness'].kernel
    assert np.array_equal(updated.center, early.center)
    later = [row for row in table[15:] if row.status == 'completed']
    crystals, known = [row.proposed for row in later], [row.properties['stiffness'] for row in later]
    misses = [
        np.abs(surrogate.predict(CrystalSpace(), crystals, [None] * len(later))['stiffness'][0] - known).mean()
        for surrogate in (early, updated)
    ]
    assert misses[1] < 0.3 * misses[0]
