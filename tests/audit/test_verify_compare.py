"""Comparison of plain data: identical, within tolerance, different."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiida_inversedesign.verify.compare import IDENTICAL, Comparison, compare, deviation, worst
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


@pytest.mark.parametrize(
    ('one', 'other', 'amount'),
    [
        (2.0, 2.0, 0.0),
        (math.inf, math.inf, 0.0),
        (math.inf, -math.inf, math.inf),
        (math.inf, 1.0, math.inf),
        (1.0, math.nan, math.inf),
        (math.nan, 1.0, math.inf),
        (4.0, 5.0, 0.2),
        (5.0, 4.0, 0.2),
        (-4.0, 4.0, 2.0),
        (-5.0, 4.0, 1.8),
        # relative to 0.01 where both are smaller
        (0.0, 0.001, 0.1),
        (0.0, -0.001, 0.1),
        (0.01, 0.0, 1.0),
    ],
)
def test_deviations_are_relative_to_the_larger(one, other, amount):
    assert deviation(one, other) == pytest.approx(amount)


def test_a_deviation_equal_to_the_tolerance_is_within_it():
    assert compare(4.0, 5.0, 0.2).status == 'within_tolerance'
    # what follows it is still looked at
    assert compare([4.0, 1.0], [5.0, 9.0], 0.2).where == '1'
    assert compare(4.0, 5.0, 0.19).status == 'different'
    assert compare(4.0, 5.0, 0.2).message == 'value: stored 4.0, found 5.0'


def test_the_first_difference_beyond_the_tolerance_is_named():
    found = compare({'a': 1.0, 'b': 1.0, 'c': 1.0}, {'a': 1.0 + 1e-9, 'b': 2.0, 'c': 9.0}, 1e-6)
    assert found == Comparison('different', 0.5, 'b', 'b: stored 1.0, found 2.0')
    # of several within it the largest, the first of two equal ones
    small = compare([1.0, 4.0, 4.0, 1.0], [1.0 + 1e-9, 4.0 + 4e-3, 4.0 + 4e-3, 1.0], 0.1)
    assert (small.status, small.where) == ('within_tolerance', '1')


@pytest.mark.parametrize(
    ('one', 'other', 'where', 'message'),
    [
        ({'a': 1}, {'b': 1}, 'a', 'a: stored 1, found nothing'),
        ({}, {'b': 1}, 'b', 'b: stored nothing, found 1'),
        ({1: 'x'}, {1: 'y'}, '1', '1: stored "x", found "y"'),
        ({1: 'x'}, {}, '1', '1: stored "x", found nothing'),
        ([1, [2, 3]], [1, [2]], '1.length', '1.length: stored 2, found 1'),
        ({'a': [1, 'é']}, {'a': [1, 'e']}, 'a.1', 'a.1: stored "é", found "e"'),
        (True, 2.0, '', 'value: stored true, found 2.0'),
        (2.0, True, '', 'value: stored 2.0, found true'),
        ('12', [1, 2], '', 'value: stored "12", found [1, 2]'),
        ([1, 2], '12', '', 'value: stored [1, 2], found "12"'),
        ({'a': 1}, [1], '', 'value: stored {"a": 1}, found [1]'),
        ([1], {'a': 1}, '', 'value: stored [1], found {"a": 1}'),
        (b'ab', b'ac', '', "value: stored b'ab', found b'ac'"),
        ('x' * 58, 'y' * 59, '', f'value: stored "{"x" * 58}", found "{"y" * 59}…'),
    ],
)
def test_differences_are_told_with_both_values(one, other, where, message):
    found = compare(one, other, 1.0)
    assert (found.status, found.deviation, found.where, found.message) == ('different', math.inf, where, message)


def test_the_worst_comparison_is_the_largest_deviation_of_the_worst_status():
    small, large = compare(1.0, 1.0 + 1e-9, 1e-6), compare(1.0, 1.0 + 1e-8, 1e-6)
    assert worst([small, large, IDENTICAL]) is large
    far, near = compare(1.0, 9.0, 1e-6), compare(1.0, 2.0, 1e-6)
    assert worst([near, large, far]) is far


def test_worst_and_unique():
    within = compare(1.0, 1.0 + 1e-9, 1e-6)
    different = compare('a', 'b', 1e-6)
    assert worst([IDENTICAL, different, within]) is different
    assert worst([]) == IDENTICAL
    late, early = Finding(list(KINDS)[-1], 'u', 'x'), Finding(next(iter(KINDS)), 'u', 'x')
    assert unique([late, early, late]) == [early, late]
