"""The LAQA score by hand; the optimistic energy where the answer is known: quadratic basins, real relaxations."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from aiida_inversedesign.engines.quantumespresso.laqa import (
    LEAST_FALL,
    LEAST_STEPS,
    MOST_STRETCH,
    SOFTNESS,
    IonicStep,
    TrajectoryError,
    ionic_steps,
    laqa_score,
    optimistic_energy,
)
from aiida_inversedesign.engines.quantumespresso.settings import Slices


def step(energy: float, gradient: float) -> IonicStep:
    return IonicStep(energy, gradient, 0.0, gradient)


def test_score_by_hand() -> None:
    first, second = IonicStep(-3.0, 0.8, 0.02, 1.0), IonicStep(-3.5, 0.4, 0.01, 0.5)
    assert laqa_score([]) == float('inf')
    # the first step has nothing to compare with: |ΔF| is 1 eV/Å
    assert laqa_score([first]) == pytest.approx(3.0 + 0.1 * 0.8**2 / 2 + 10 * 0.02)
    assert laqa_score([first, second]) == pytest.approx(3.5 + 0.1 * 0.4**2 / (2 * 0.4) + 10 * 0.01)
    assert laqa_score([first, second], force_weight=0.0, stress_weight=0.0) == 3.5
    # forces that stand still look far ahead, but the score stays a number
    assert laqa_score([first, first]) == pytest.approx(3.0 + 0.1 * 0.8**2 / 2e-6 + 0.2)


def test_steps_from_what_a_code_computes() -> None:
    forces = np.zeros((1, 2, 3))
    forces[0, 0] = [3.0, 4.0, 0.0]
    stress = np.diag([0.02, 0.0, 0.0])[None]
    found = ionic_steps([-10.0], forces, stress, [np.diag([2.0, 2.0, 4.0])])[0]
    assert found.energy == -5.0
    assert found.force == pytest.approx(2.5)
    assert found.stress == pytest.approx(0.02 / 9)
    assert found.stretch == 1.0
    assert found.gradient == pytest.approx(np.sqrt(25 / 2 + (8 ** (2 / 3) * 0.02) ** 2))


def test_stretch_is_that_of_the_direction_that_has_grown_most() -> None:
    turned = np.diag([2.0, 3.0, 4.0]) @ np.array([[0.6, 0.8, 0.0], [-0.8, 0.6, 0.0], [0.0, 0.0, 1.0]])
    cells = [np.diag([2.0, 3.0, 4.0]), turned, np.diag([1.8, 3.6, 4.0]), np.diag([1.0, 1.0, 1.0])]
    found = ionic_steps([0.0] * 4, np.zeros((4, 1, 3)), np.zeros((4, 3, 3)), cells)
    assert [step.stretch for step in found] == pytest.approx([1.0, 1.0, 1.2, 1.0])


CELL = np.eye(3)[None]


@pytest.mark.parametrize(
    ('energies', 'forces', 'stresses', 'cells', 'words'),
    [
        ([-1.0, -2.0], np.zeros((1, 2, 3)), np.zeros((2, 3, 3)), np.ones((2, 1, 1)) * CELL, 'same steps'),
        ([-1.0], np.zeros((1, 2, 3)), np.zeros((1, 3)), CELL, 'same steps'),
        ([-1.0], np.zeros((1, 2, 3)), np.zeros((1, 3, 3)), np.zeros((0, 3, 3)), 'same steps'),
        ([], np.zeros((0, 2, 3)), np.zeros((0, 3, 3)), np.zeros((0, 3, 3)), 'same steps'),
        ([np.nan], np.zeros((1, 2, 3)), np.zeros((1, 3, 3)), CELL, 'not a finite number'),
        ([-1.0], np.zeros((1, 2, 3)), np.zeros((1, 3, 3)), 0 * CELL, 'no volume'),
    ],
)
def test_what_does_not_belong_together_is_refused(
    energies: list[float], forces: np.ndarray, stresses: np.ndarray, cells: np.ndarray, words: str
) -> None:
    with pytest.raises(TrajectoryError, match=words):
        ionic_steps(energies, forces, stresses, cells)


def test_nothing_is_said_of_too_few_steps_or_without_a_basin() -> None:
    falling = [step(-1.0, 1.0), step(-2.0, 0.5), step(-2.2, 0.2)]
    assert optimistic_energy(falling) is not None
    assert optimistic_energy(falling[: LEAST_STEPS - 1]) is None
    # the gradient stays or grows: over a ridge, or down a slope without an end
    assert optimistic_energy([step(-1.0, 1.0), step(-2.0, 1.0), step(-3.0, 1.0)]) is None
    assert optimistic_energy([step(-1.0, 0.1), step(-2.0, 0.5), step(-4.0, 2.0)]) is None
    assert optimistic_energy([step(-1.0, 1.0), step(-2.0, 0.9), step(-2.1, LEAST_FALL)]) is None


def test_nothing_is_said_in_a_basis_that_has_become_too_small() -> None:
    falling = [step(-1.0, 1.0), step(-2.0, 0.5), IonicStep(-2.2, 0.2, 0.0, 0.2, stretch=MOST_STRETCH + 0.01)]
    assert optimistic_energy(falling) is None
    # a later slice has a basis of its own
    assert optimistic_energy([*falling, step(-2.3, 0.1)]) is not None


def test_energies_of_an_earlier_basis_are_not_what_is_left_from() -> None:
    falling = [step(-1.0, 1.0), step(-2.0, 0.5), step(-2.2, 0.2)]
    # in a basis of its own the crystal is 0.01 eV/atom higher, and nearly at the bottom
    later = [*falling, step(-2.19, 0.02), step(-2.191, 0.001)]
    assert optimistic_energy(later) == pytest.approx(optimistic_energy(falling))
    found = optimistic_energy(later, since=3)
    assert optimistic_energy(falling) < found < -2.191


def test_a_step_that_went_too_far_does_not_mislead() -> None:
    falling = [step(-1.0, 1.0), step(-2.0, 0.5), step(-2.2, 0.2)]
    # the step after the lowest one went uphill: the remainder is measured at the lowest
    assert optimistic_energy([*falling, step(-1.5, 0.05)]) == pytest.approx(optimistic_energy(falling))


@given(
    curvatures=st.lists(st.floats(1.0, SOFTNESS), min_size=1, max_size=6),
    start=st.lists(st.floats(-2.0, 2.0), min_size=6, max_size=6),
    shares=st.lists(st.lists(st.floats(0.0, 1.0), min_size=6, max_size=6), min_size=2, max_size=8),
    bottom=st.floats(-300.0, 10.0),
)
def test_in_a_quadratic_basin_the_estimate_is_never_above_the_bottom(
    curvatures: list[float], start: list[float], shares: list[list[float]], bottom: float
) -> None:
    """As long as curvatures differ by no more than SOFTNESS and no component of the gradient grows."""
    h = np.array(curvatures)
    x = np.array(start[: len(h)])
    assume(np.abs(x).max() > 1e-3)
    path = [x]
    for share in shares:
        path.append(path[-1] * np.array(share[: len(h)]))
    steps = [step(bottom + float(h @ x**2) / 2, float(np.linalg.norm(h * x))) for x in path]
    found = optimistic_energy(steps)
    assert found is None or found <= bottom + 1e-9


#: eV/atom, so that sums are exact
ENERGIES = st.integers(-640, 640).map(lambda number: number / 64)


@given(st.lists(st.tuples(ENERGIES, st.floats(0, 5)), min_size=0, max_size=12), ENERGIES)
def test_the_estimate_is_below_every_energy_and_moves_with_the_zero_of_energy(
    values: list[tuple[float, float]], shift: float
) -> None:
    steps = [step(*value) for value in values]
    found = optimistic_energy(steps)
    moved = optimistic_energy([step(item.energy + shift, item.gradient) for item in steps])
    if found is None:
        assert moved is None
        return
    assert found <= min(item.energy for item in steps)
    assert moved == pytest.approx(found + shift, abs=1e-9)


def _bases(slices: list[int]) -> list[tuple[int, int]]:
    """The first step of each slice, and how many it has."""
    return [(sum(slices[:index]), number) for index, number in enumerate(slices)]


def relaxations() -> dict[str, tuple[list[float | None], float]]:
    """Relaxations with pw.x: the estimate after each step, and the energy (eV/atom) of the relaxed crystal."""
    data = json.loads((Path(__file__).parent / 'relaxations.json').read_text(encoding='utf8'))['relaxations']
    found = {}
    for name, item in data.items():
        steps = [IonicStep(*values) for values in item['steps']]
        starts = [start for start, number in _bases(item['slices']) for _ in range(number)]
        estimates = [optimistic_energy(steps[: number + 1], since) for number, since in enumerate(starts)]
        found[name] = (estimates, item['final_energy'])
    return found


def test_no_real_relaxation_would_have_been_given_up_although_it_came_below_the_bound() -> None:
    """Whatever the bound, at any of its steps: no estimate lies above what was reached by more than the margin."""
    margin = Slices(steps=8).margin
    defined, points, wrong = 0, 0, []
    for name, (estimates, reached) in relaxations().items():
        points += len(estimates)
        defined += sum(item is not None for item in estimates)
        wrong += [(name, n, item - reached) for n, item in enumerate(estimates) if item is not None and item > reached]
    assert [item for item in wrong if item[2] > margin] == []
    assert len(wrong) <= 2
    assert points > 500
    # it does say something: of half the steps
    assert defined > points / 2


def test_hopeless_relaxations_are_found_out_before_they_end() -> None:
    """With a bound 1 eV/atom below what is reached, more than a third of the steps are spared where any can be."""
    made = spared = 0
    for estimates, reached in relaxations().values():
        first = next((n for n, item in enumerate(estimates, 1) if item is not None and item > reached - 1.0), None)
        if first is not None:
            made += len(estimates)
            spared += len(estimates) - first
    assert spared > made / 3
