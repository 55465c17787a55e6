"""Printed values keep the digits that tell them from their neighbours."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiida_inversedesign.campaign.text.digits import Digits, digits_to, plain
from aiida_inversedesign.report.theme import lean
from aiida_inversedesign.report.words import quantity


@pytest.mark.parametrize(
    ('values', 'texts'),
    [
        ([-499999.999325, -499999.999963], ['-499999.9993', '-500000.0000']),
        ([1234.5, 99.0], ['1234', '99']),
        ([434.57, 434.61, 12.0], ['434.57', '434.61', '12']),
        ([1e-20, 3e-20], ['1e-20', '3e-20']),
        ([10000.001, 10000.002], ['10000.001', '10000.002']),
        ([5.0, 5.0], ['5', '5']),
        ([0.1 + 0.2, 0.3], ['0.3', '0.3']),
        ([], []),
    ],
)
def test_values_beside_each_other(values: list[float], texts: list[str]) -> None:
    digits = Digits(values)
    assert [digits.text(value) for value in values] == texts


@given(st.floats(-1e9, 1e9), st.lists(st.floats(-1, 1), min_size=2, max_size=8, unique=True))
def test_what_differs_is_printed_differently(offset: float, steps: list[float]) -> None:
    values = sorted({offset + step for step in steps})
    digits = Digits(values)
    for one, two in itertools.pairwise(values):
        if two - one > max(2e-5 * (values[-1] - values[0]), 1e-13 * abs(offset)):
            assert digits.text(one) != digits.text(two)
            assert float(digits.text(one)) < float(digits.text(two))


@pytest.mark.parametrize('text', ['5.47', '-499999.9993', '1e-08', '0.1', '150', '1e+20'])
def test_what_somebody_wrote_stays(text: str) -> None:
    assert plain(float(text)) == text


def test_a_page_keeps_small_differences() -> None:
    first, second = lean([-499999.999325, -499999.999963])
    assert first is not None
    assert second is not None
    assert first - second == pytest.approx(6.38e-4, rel=1e-5)
    assert lean([123456.789, 0.0012345678]) == [123457.0, 0.00123457]


def test_energies_and_small_units() -> None:
    assert quantity(-499999.9993251, 'eV/atom', 11) == '−499999.99933 eV/atom'
    assert quantity(1.5e-20, 'S/m') == '1.5 × 10⁻²⁰ S/m'
    assert digits_to(-499999.9993, 2e-4) == 11
