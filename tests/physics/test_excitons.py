"""The exciton series: limits of its formula, and posteriors of artificial spectra that contain the truth."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from aiida_inversedesign.learn.physics.excitons import EXCITON_SERIES, absorption
from aiida_inversedesign.learn.physics.infer import infer


@pytest.fixture(scope='module')
def example() -> ModuleType:
    """``examples/excitons.py``."""
    spec = importlib.util.spec_from_file_location(
        'excitons_example', Path(__file__).parents[2] / 'examples/excitons.py'
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_lines_are_lorentzians_convolved_with_a_normal_distribution() -> None:
    """By the convolution itself, on a fine grid."""
    own = {'E_g': 2.17, 'R_y': 0.09, 'f_0': 0.02, 'width': 0.002, 'asymmetry': 0.3}
    grid = np.arange(1.9, 2.4, 1e-4)
    sharp = np.zeros_like(grid)
    for n in (2, 3, 4, 5):
        centre, width, strength = 2.17 - 0.09 / n**2, 0.002 * (2 / n) ** 3, 0.02 * (n**2 - 1) / n**5
        distance = grid - centre
        sharp += strength * (width + 2 * 0.3 * distance) / (np.pi * (distance**2 + width**2))
    offsets = np.arange(-0.01, 0.01 + 1e-9, 1e-4)
    kernel = np.exp(-0.5 * (offsets / 0.0015) ** 2)
    expected = np.convolve(sharp, kernel / kernel.sum(), mode='same')
    found = absorption(
        grid, **{name: np.array([[value]]) for name, value in own.items()}, sigma=np.array([[0.0015]]), f_X=0, f_B=0
    )
    inside = (grid > 2.1) & (grid < 2.16)
    assert found[0, inside] == pytest.approx(expected[inside], rel=5e-3, abs=1e-3)


def test_the_continuum_is_that_of_elliott() -> None:
    x = np.array([2.20, 2.25, 2.5])
    above = x - 2.17
    beta = np.sqrt(0.09 / above)
    elliott = above**1.5 * np.pi * beta * (1 + beta**2) * np.exp(np.pi * beta) / np.sinh(np.pi * beta)
    edge = 2 * np.pi * 0.09**1.5
    found = absorption(x, np.array([[2.17]]), 0.09, 0, 0.001, 0, 0.0005, 0.7, 0)
    assert found[0] == pytest.approx(0.7 * elliott / edge)
    # its value at the edge, and nothing below it
    ends = absorption(np.array([2.16, 2.1700, 2.1725]), np.array([[2.17]]), 0.09, 0, 0.001, 0, 0.0005, 0.7, 0)
    assert ends[0] == pytest.approx([0, 0.35, 0.72], abs=0.01)


def test_many_sets_of_parameters_are_computed_at_once(example: ModuleType) -> None:
    truth = np.array([list(example.TRUTH.values())])
    both = EXCITON_SERIES.values(example.ENERGIES, np.concatenate([truth, truth * 1.001]))
    assert both.shape == (2, 141)
    assert both[:1] == pytest.approx(EXCITON_SERIES.values(example.ENERGIES, truth))


def test_a_spectrum_gives_its_gap_and_rydberg_energy_back(example: ModuleType) -> None:
    found = infer(EXCITON_SERIES, example.spectrum(0), seed=0, walkers=20, steps=200)
    for name, width in (('E_g', 1e-3), ('R_y', 5e-3)):
        low, high = found.interval(name, 0.999)
        assert low < example.TRUTH[name] < high
        assert high - low < width


@pytest.mark.slow
def test_intervals_contain_the_truth_of_twenty_spectra(example: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    """Of 20 intervals of 95 % fewer than 16 contain the truth in one of 400 cases."""
    example.coverage(200, 20)
    printed = capsys.readouterr().out
    counts = eval(printed[printed.index('{') : printed.index('}') + 1])
    assert counts['E_g'] >= 16
    assert counts['R_y'] >= 16


@pytest.mark.slow
def test_the_figure_is_made(example: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    example.draw(str(tmp_path / 'excitons.png'))
    assert (tmp_path / 'excitons.png').stat().st_size > 10_000
    assert 'converged' in capsys.readouterr().out
