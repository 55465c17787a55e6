"""Comparison of plain data: identical, within tolerance, different."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiida_inversedesign.verify.compare import IDENTICAL, compare, deviation, worst
from aiida_inversedesign.verify.findings import KINDS, Finding, unique

plain = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(-1e6, 1e6) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=12,
)


@given(plain)
def test_data_is_identical_to_itself(data):
    assert compare(data, data, 0.0) == IDENTICAL


@given(plain, plain)
def test_nothing_different_passes_without_tolerance(one, other):
    # the order does not matter, and what Python calls equal is identical
    assert compare(one, other, 0.0).status == compare(other, one, 0.0).status
    assert (compare(one, other, 0.0).status == 'identical') == (one == other)


def test_the_largest_deviation_and_its_place():
    found = compare({'a': [1.0, 2.0], 'b': 3.0}, {'a': [1.0, 2.0 + 2e-9], 'b': 3.0 + 1e-9}, 1e-6)
    assert (found.status, found.where) == ('within_tolerance', 'a.1')
    assert found.deviation == pytest.approx(1e-9, rel=1e-3)
    assert compare({'a': 1.0}, {'a': 1.1}, 1e-6).message == 'a: stored 1.0, found 1.1'


@pytest.mark.parametrize(
    ('one', 'other', 'where'),
    [
        ({'a': 1}, {}, 'a'),
        ([1, 2], [1], 'length'),
        ({'a': {'b': 'x'}}, {'a': {'b': 'y'}}, 'a.b'),
        ({'a': True}, {'a': None}, 'a'),
        ({'a': 1.0}, {'a': math.nan}, 'a'),
    ],
)
def test_what_is_no_matter_of_digits_is_different(one, other, where):
    found = compare(one, other, 1.0)
    assert (found.status, found.where) == ('different', where)


def test_numbers_near_zero_are_compared_absolutely():
    assert deviation(0.0, 1e-16) < 1e-13
    assert deviation(math.nan, math.nan) == 0
    assert compare(math.nan, float('nan'), 0.0).status == 'identical'


def test_worst_and_unique():
    within = compare(1.0, 1.0 + 1e-9, 1e-6)
    different = compare('a', 'b', 1e-6)
    assert worst([IDENTICAL, different, within]) is different
    assert worst([]) == IDENTICAL
    late, early = Finding(list(KINDS)[-1], 'u', 'x'), Finding(next(iter(KINDS)), 'u', 'x')
    assert unique([late, early, late]) == [early, late]
