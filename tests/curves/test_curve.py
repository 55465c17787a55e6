"""Curves: what is refused, and that comparing, averaging and interpolating happen without extrapolation."""

from __future__ import annotations

import numpy as np
import pytest

from aiida_inversedesign.campaign.curves.curve import (
    Axis,
    Curve,
    CurveError,
    check_learnable,
    common_grid,
    matrix,
    mean_curve,
)

ENERGY = Axis('energy', 'eV')


def curve(grid, values, **more):
    return Curve.of('dos', grid, values, ENERGY, '1/eV', **more)


@pytest.mark.parametrize(
    ('grid', 'values', 'more', 'words'),
    [
        ([0, 1, 2], [1, 2], {}, '2 values on an axis of 3 points'),
        ([0, 2, 1], [1, 2, 3], {}, 'point 3 goes back to 1 after 2'),
        ([0, 1, 1], [1, 2, 3], {}, 'point 3 repeats 1'),
        ([0, 1, 2], [1, float('nan'), 3], {}, 'not finite numbers, first nan at position 2'),
        ([0, float('inf'), 2], [1, 2, 3], {}, 'axis energy contain 1'),
        ([0, 1, 2], [1, 1e200, 3], {}, '1e\\+200 at position 2'),
        ([0, 1, 2], [1, -0.5, 3], {'density': True}, r'negative at energy = 1 \(-0.5\)'),
        ([0], [1], {}, 'needs at least 2'),
        ([], [], {}, 'needs at least 2'),
        ([0, 1], ['a', 2], {}, 'not a list of numbers'),
        ([0, 1], None, {}, '0 dimensions|not a list|not finite'),
        ([0, 1], [[1, 2]], {}, 'expected one list'),
    ],
)
def test_what_is_no_curve_is_refused_with_the_reason(grid, values, more, words):
    with pytest.raises(CurveError, match=words) as caught:
        curve(grid, values, where='pool.jsonl:7', **more)
    assert 'pool.jsonl:7' in str(caught.value)


def test_values_between_points_lie_on_lines_and_none_lie_beyond():
    line = curve([0, 1, 3], [0, 2, 0])
    assert np.allclose(line.at([0, 0.5, 2, 3]), [0, 1, 1, 0])
    with pytest.raises(CurveError, match=r'from 0 to 3 eV, asked for 3\.5: nothing is extrapolated'):
        line.at(3.5)


@pytest.mark.parametrize(
    ('axis', 'unit', 'words'),
    [
        (Axis('energy', 'Ry'), '1/eV', "unit of the axis energy: 'eV' and 'Ry'"),
        (Axis('frequency', 'eV'), '1/eV', 'differ in the axis'),
        (ENERGY, '1/Ry', "'1/eV' and '1/Ry'"),
        (ENERGY, '', "'1/eV' and 'none'"),
    ],
)
def test_curves_of_other_units_are_not_compared(axis, unit, words):
    other = Curve.of('dos', [0, 1], [1, 1], axis, unit)
    with pytest.raises(CurveError, match=words):
        common_grid([curve([0, 1], [1, 1]), other])


def test_same_curve_on_a_finer_grid_is_the_same():
    coarse, fine = curve([0, 2], [0, 2]), curve([0, 1, 2], [0, 1, 2])
    assert coarse.same_as(fine)
    assert not coarse.same_as(curve([0, 1, 2], [0, 1.1, 2]))
    assert not coarse.same_as(curve([0, 3], [0, 3]))


def test_sparse_grids_have_values_at_their_own_points_only():
    grid, rows = matrix([curve([0, 1, 2], [1, 2, 3]), curve([1, 3], [5, 6])])
    assert grid.tolist() == [0, 1, 2, 3]
    assert np.array_equal(rows, [[1, 2, 3, np.nan], [np.nan, 5, np.nan, 6]], equal_nan=True)
    assert mean_curve([curve([0, 1, 2], [1, 2, 3]), curve([1, 3], [5, 6])]).values.tolist() == [1, 3.5, 3, 6]


def test_many_different_grids_meet_on_an_even_one_without_extrapolation():
    rng = np.random.default_rng(0)
    grids = [np.sort(rng.uniform(0, 1, 40)) for _ in range(30)]
    grid, rows = matrix([curve(points, 2 * points) for points in grids])
    known = np.isfinite(rows)
    assert len(grid) == 200
    assert np.allclose(rows[known], np.broadcast_to(2 * grid, rows.shape)[known])
    for points, row in zip(grids, known, strict=True):
        assert not row[(grid < points[0]) | (grid > points[-1])].any()


def test_one_curve_and_equal_curves_cannot_be_learned_from():
    with pytest.raises(CurveError, match=r'1 curve\(s\)'):
        check_learnable([curve([0, 1], [1, 2])])
    with pytest.raises(CurveError, match='all 3 curves of dos are equal'):
        check_learnable([curve([0, 1], [1, 2])] * 3)
    check_learnable([curve([0, 1], [1, 1]), curve([0, 1], [2, 2])])


def test_plain_data_give_the_same_curve_and_others_say_what_is_missing():
    line = curve([0, 1, 3], [0, 2, 0])
    assert Curve.from_dict(line.to_dict()).same_as(line)
    for data in ({}, [], {'axis': {'name': 'x'}, 'values': [1]}, {'axis': [0, 1], 'values': [1, 2]}):
        with pytest.raises(CurveError, match='expected'):
            Curve.from_dict(data)
