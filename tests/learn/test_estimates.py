"""What a potential says of a property as a descriptor, and as the start of a model."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from aiida_inversedesign.campaign.row import EvaluationRow
from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.learn.fit import fit_surrogate
from aiida_inversedesign.learn.models.transfer import Estimate, Transfer
from aiida_inversedesign.learn.surrogate import Surrogate, SurrogateError
from aiida_inversedesign.learn.update import with_rows
from aiida_inversedesign.spaces.crystals.space import CrystalSpace

SPACE = CrystalSpace(elements=['Cu', 'Al', 'Ni', 'Pd'], ratios=['1:1'])


def rows_of(number: int, seed: int = 0, known: float = 1.0) -> list[EvaluationRow]:
    """Made-up crystals whose stiffness is 1.2 times what the potential says, give or take 3 GPa."""
    rng = np.random.default_rng(seed)
    pairs = [('Cu', 'Al'), ('Ni', 'Pd'), ('Cu', 'Pd'), ('Al', 'Ni')]
    rows = []
    for place in range(number):
        a = rng.uniform(2.7, 3.3)
        crystal = Crystal(a * np.eye(3), pairs[place % 4], np.array([[0, 0, 0], [0.5, 0.5, 0.5]]))
        estimate = rng.uniform(50, 300)
        rows.append(
            EvaluationRow(
                candidate=f'c{place}',
                generation=1,
                arm='initial',
                key=crystal.formula,
                status='completed',
                proposed=crystal,
                properties={'bulk_modulus': 1.2 * estimate + rng.normal(0, 3)},
                estimates={'bulk_modulus': estimate} if rng.uniform() < known else {},
            )
        )
    return rows


def error(surrogate: Surrogate, rows: list[EvaluationRow]) -> float:
    mean, _ = surrogate.predict(
        SPACE, [row.proposed for row in rows], [None] * len(rows), [row.estimates for row in rows]
    )['bulk_modulus']
    return float(np.abs(mean - [row.properties['bulk_modulus'] for row in rows]).mean())


@pytest.mark.parametrize('number', [5, 8, 14])
def test_few_rows_are_enough_where_the_potential_is_good(number: int) -> None:
    rows, unseen = rows_of(number), rows_of(40, seed=1)
    fitted = fit_surrogate(rows, ['bulk_modulus'], SPACE, 'auto', 0)
    assert fitted.names[-1] == 'estimated_bulk_modulus'
    assert error(fitted, unseen) < 12
    blind = fit_surrogate([replace(row, estimates={}) for row in rows], ['bulk_modulus'], SPACE, 'auto', 0)
    assert error(blind, unseen) > 40


def test_what_starts_from_the_estimate_is_a_transfer_that_comes_back_from_its_state() -> None:
    fitted = fit_surrogate(rows_of(6), ['bulk_modulus'], SPACE, 'auto', 0)
    model = fitted.models['bulk_modulus']
    assert isinstance(model, Transfer)
    assert isinstance(model.priors[0], Estimate)
    again, unseen = Surrogate.from_state(fitted.state()), rows_of(10, seed=2)
    assert error(again, unseen) == error(fitted, unseen)


def test_what_the_potential_does_not_say_is_the_mean() -> None:
    fitted, rows = fit_surrogate(rows_of(12), ['bulk_modulus'], SPACE, 'gp', 0), rows_of(3, seed=3)
    contents = [row.proposed for row in rows]
    inputs = fitted.inputs(SPACE, contents, [None] * 3, [{}, rows[1].estimates, {}])
    assert inputs[[0, 2], -1] == pytest.approx(0)
    assert inputs[1, -1] != 0
    assert fitted.inputs(SPACE, contents, [None] * 3)[:, -1] == pytest.approx(0)


def test_an_estimate_that_most_rows_lack_is_no_descriptor() -> None:
    fitted = fit_surrogate(rows_of(20, known=0.4), ['bulk_modulus'], SPACE, 'gp', 0)
    assert 'estimated_bulk_modulus' not in fitted.names


def test_further_rows_bring_their_estimates() -> None:
    rows = rows_of(16)
    fitted, unseen = fit_surrogate(rows[:6], ['bulk_modulus'], SPACE, 'auto', 0), rows_of(30, seed=4)
    assert error(with_rows(fitted, rows, SPACE), unseen) < 6


def test_other_descriptors_are_refused() -> None:
    fitted = fit_surrogate(rows_of(6), ['bulk_modulus'], SPACE, 'gp', 0)
    strange = replace(fitted, names=(*fitted.names[:-1], 'something'))
    with pytest.raises(SurrogateError, match='other descriptors'):
        strange.inputs(SPACE, [rows_of(1)[0].proposed], [None])
