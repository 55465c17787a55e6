"""The closed-form posterior of least squares: coverage, floor, evidence; and that of B0, with emcee as the witness."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from ase.eos import birchmurnaghan, vinet

from aiida_inversedesign.engines.common.eos import (
    ENERGY_FLOOR,
    GPA,
    EosError,
    compare_forms,
    errors_with_forms,
    fit_birch_murnaghan,
    volume_factors,
)
from aiida_inversedesign.learn.physics.infer import infer
from aiida_inversedesign.learn.physics.least_squares import probabilities, student_posterior
from aiida_inversedesign.learn.physics.model import model_named
from aiida_inversedesign.learn.physics.problem import Data

VOLUMES = 10 * np.array(volume_factors(7, 0.06))


def energies(noise: float, seed: int, form: Callable[..., np.ndarray] = birchmurnaghan) -> np.ndarray:
    """Of B0 = 200 GPa, B0' = 4, V0 = 10 Å³/atom, E0 = −5 eV/atom."""
    return form(VOLUMES, -5.0, 200 / GPA, 4.0, 10.0) + noise * np.random.default_rng(seed).standard_normal(7)


def line(theta: np.ndarray) -> np.ndarray:
    return theta[0] + theta[1] * np.arange(6.0)


def test_a_straight_line_has_the_errors_of_the_textbooks() -> None:
    y = np.array([0.1, 0.9, 2.2, 2.8, 4.1, 5.2])
    x = np.arange(6.0)
    slope, offset = np.polyfit(x, y, 1)
    found = student_posterior(line, np.array([offset, slope]), y)
    variance = ((y - offset - slope * x) ** 2).sum() / 4
    assert found.degrees == 4
    assert found.noise == pytest.approx(math.sqrt(variance))
    # t(0.975; 4) = 2.776
    half = 2.776 * math.sqrt(variance / ((x - x.mean()) ** 2).sum())
    assert found.half_widths(0.95)[1] == pytest.approx(half, rel=1e-3)
    assert found.half_widths()[1] == pytest.approx(half * 1.1416 / 2.776, rel=1e-3)


def test_the_evidence_is_the_integral_over_the_parameters_and_the_noise() -> None:
    y = np.array([0.1, 0.9, 2.2, 2.8, 4.1, 5.2])
    slope, offset = np.polyfit(np.arange(6.0), y, 1)
    found = student_posterior(line, np.array([offset, slope]), y)
    offsets, slopes = offset + np.linspace(-3, 3, 121), slope + np.linspace(-1, 1, 121)
    noises = np.geomspace(0.02, 5, 160)
    misses = y - offsets[:, None, None] - slopes[None, :, None] * np.arange(6.0)
    squares = (misses**2).sum(axis=-1)[..., None]
    density = (2 * np.pi * noises**2) ** -3 * np.exp(-squares / 2 / noises**2)
    cell = (6 / 120) * (2 / 120) * np.log(5 / 0.02) / 159
    assert found.log_evidence == pytest.approx(math.log(density.sum() * cell), abs=0.02)


def test_no_degrees_of_freedom_and_a_parameter_without_effect_are_errors() -> None:
    with pytest.raises(ValueError, match='2 points tell nothing of the noise of a fit of 2 parameters'):
        student_posterior(lambda theta: theta[0] + theta[1] * np.arange(2.0), np.ones(2), np.ones(2))
    with pytest.raises(ValueError, match='does not change it'):
        student_posterior(lambda theta: theta[0] + 0 * theta[1] + 0 * np.arange(6.0), np.ones(2), np.ones(6))


def test_intervals_of_b0_contain_the_truth_as_often_as_they_say() -> None:
    inside = {0.95: 0, 0.6827: 0}
    for seed in range(400):
        fit = fit_birch_murnaghan(VOLUMES, energies(1e-4, seed))
        # t(0.975; 3) = 3.182, t(0.8413; 3) = 1.197
        for level, factor in ((0.95, 3.182 / 1.197), (0.6827, 1.0)):
            inside[level] += abs(fit.bulk_modulus - 200) <= factor * fit.errors['B0']
    # four standard deviations of a binomial
    assert abs(inside[0.95] - 380) <= 18
    assert abs(inside[0.6827] - 273) <= 38


def test_energies_without_noise_are_limited_by_the_floor() -> None:
    exact, noisy = (fit_birch_murnaghan(VOLUMES, energies(noise, 0)) for noise in (0.0, 1e-3))
    assert exact.noise == pytest.approx(ENERGY_FLOOR)
    assert 0.01 < exact.errors['B0'] < 0.05
    assert 1 < noisy.errors['B0'] < 30
    assert noisy.noise > 1e-4
    wide = fit_birch_murnaghan(VOLUMES, energies(0.0, 0), floor=1e-4)
    assert wide.errors['B0'] == pytest.approx(50 * exact.errors['B0'], rel=1e-3)
    assert wide.bulk_modulus == exact.bulk_modulus


def test_five_volumes_leave_one_degree_and_a_finite_error() -> None:
    places = [0, 1, 3, 5, 6]
    fit = fit_birch_murnaghan(VOLUMES[places], energies(1e-5, 3)[places])
    assert fit.degrees == 1
    assert 0 < fit.errors['B0'] < 50


@pytest.mark.parametrize(('form', 'name'), [(birchmurnaghan, 'birch_murnaghan'), (vinet, 'vinet')])
def test_the_form_that_made_the_energies_is_supported(form: Callable[..., np.ndarray], name: str) -> None:
    # at ±6 % the forms differ by some 1e-7 eV/atom, less than the floor
    forms = {item.name: item for item in compare_forms(VOLUMES, energies(1e-9, 1, form), floor=1e-9)}
    assert set(forms) == {'birch_murnaghan', 'vinet', 'murnaghan'}
    assert forms[name].probability > 0.9
    assert sum(item.probability for item in forms.values()) == pytest.approx(1)
    assert forms[name].modulus == pytest.approx(200, abs=0.02)
    undecided = compare_forms(VOLUMES, energies(1e-9, 1, form))
    assert max(item.probability for item in undecided) < 0.6


def test_the_error_of_b0_includes_the_choice_of_the_form() -> None:
    y = energies(1e-9, 1, vinet)
    fit, forms = fit_birch_murnaghan(VOLUMES, y, 1e-9), compare_forms(VOLUMES, y, 1e-9)
    found = errors_with_forms(fit, forms)['B0']
    # by Birch–Murnaghan B0 of these energies is off by more than its error within the form says
    assert abs(fit.bulk_modulus - 200) > 2 * fit.errors['B0']
    assert abs(fit.bulk_modulus - 200) < 1.5 * found
    same = energies(1e-9, 1)
    fit, forms = fit_birch_murnaghan(VOLUMES, same, 1e-9), compare_forms(VOLUMES, same, 1e-9)
    assert errors_with_forms(fit, forms)['B0'] < 1.5 * fit.errors['B0']


def test_bad_energies_are_refused_as_before() -> None:
    with pytest.raises(EosError, match='4 volumes are too few'):
        compare_forms(VOLUMES[:4], energies(0, 0)[:4])


def test_probabilities_of_evidences_far_apart() -> None:
    assert probabilities([-5000.0, -5000.0 + math.log(3)]) == pytest.approx([0.25, 0.75])


def test_emcee_finds_the_posterior_of_the_closed_form() -> None:
    y = energies(1e-4, 0)
    fit = fit_birch_murnaghan(VOLUMES, y)
    posterior = infer(model_named('birch_murnaghan'), Data.of(VOLUMES, y), seed=0, walkers=20, steps=1500)
    for name, best in (('B0', fit.bulk_modulus), ('B0_prime', fit.derivative), ('V0', fit.volume), ('E0', fit.energy)):
        for level, factor in ((0.6827, 1.0), (0.95, 3.182 / 1.197)):
            low, high = posterior.interval(name, level)
            half = factor * fit.errors[name]
            # effective samples are some thousands, the curvature of the form adds a little
            assert (high - low) / 2 == pytest.approx(half, rel=0.1)
            assert (high + low) / 2 == pytest.approx(best, abs=0.15 * half)
