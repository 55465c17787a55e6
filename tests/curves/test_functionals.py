"""Numbers of curves: exact for lines, with units that follow from the axis, and a message where there is none."""

from __future__ import annotations

import json

import numpy as np
import pytest

from aiida_inversedesign.campaign.curves.curve import Axis, Curve, CurveError
from aiida_inversedesign.campaign.curves.functionals import LINEAR, NAMES, Functional, read_target

ENERGY = Axis('energy', 'eV')
TENT = Curve.of('dos', [0, 1, 2, 4], [0, 2, 0, 0], ENERGY, '1/eV')
FLAT = Curve.of('dos', [0, 4], [1, 1], ENERGY, '1/eV')
LATER = Curve.of('dos', [0, 2, 3, 4], [0, 0, 2, 0], ENERGY, '1/eV')


@pytest.mark.parametrize(
    ('settings', 'value', 'unit'),
    [
        ({'name': 'value', 'at': 0.5}, 1.0, '1/eV'),
        ({'name': 'integral'}, 2.0, '1/eV eV'),
        ({'name': 'integral', 'range': (0.5, 1.5)}, 1.5, '1/eV eV'),
        ({'name': 'mean', 'range': (0, 1)}, 1.0, '1/eV'),
        ({'name': 'peak'}, 1.0, 'eV'),
        ({'name': 'peak', 'range': (1.5, 4)}, 1.5, 'eV'),
        ({'name': 'first_moment'}, 1.0, 'eV'),
        ({'name': 'first_moment', 'range': (0, 1)}, 2 / 3, 'eV'),
        ({'name': 'width'}, 1 / np.sqrt(6), 'eV'),
        ({'name': 'band_edge', 'threshold': 1.0, 'range': (1, 4)}, 1.5, 'eV'),
        ({'name': 'band_edge', 'threshold': 1.0}, 0.0, 'eV'),
        ({'name': 'distance', 'target': FLAT}, 3.0, '1/eV eV'),
        ({'name': 'distance', 'target': FLAT, 'metric': 'L2'}, np.sqrt(2 / 3 + 2), '1/eV eV^(1/2)'),
        ({'name': 'distance', 'target': LATER, 'metric': 'earth_mover'}, 2.0, 'eV'),
        ({'name': 'distance', 'target': TENT, 'metric': 'earth_mover'}, 0.0, 'eV'),
        ({'name': 'above', 'target': FLAT}, -1.0, '1/eV'),
        ({'name': 'above', 'target': FLAT, 'range': (0.75, 1.25)}, 0.5, '1/eV'),
        ({'name': 'below', 'threshold': 2.5}, 0.5, '1/eV'),
    ],
)
def test_numbers_of_a_tent(settings, value, unit):
    functional = Functional.of(**settings)
    assert functional.of_curve(TENT) == pytest.approx(
        value, abs=2e-3 * (settings.get('metric') == 'earth_mover') + 1e-12
    )
    assert functional.unit('1/eV', ENERGY) == unit
    assert functional.is_linear == (settings['name'] in LINEAR)


@pytest.mark.parametrize(
    'settings',
    [
        {'name': 'value', 'at': 1.7},
        {'name': 'mean', 'range': (0.3, 3.1)},
        {'name': 'integral'},
        {'name': 'first_moment'},
        {'name': 'width', 'range': (0.2, 3.9)},
        {'name': 'distance', 'target': FLAT},
        {'name': 'distance', 'target': FLAT, 'metric': 'L2'},
        {'name': 'distance', 'target': FLAT, 'metric': 'earth_mover'},
    ],
)
def test_a_finer_grid_changes_no_number(settings):
    fine = np.union1d(np.linspace(0, 4, 401), TENT.grid)
    finer = Curve.of('dos', fine, TENT.at(fine), ENERGY, '1/eV')
    functional = Functional.of(**settings)
    assert functional.of_curve(finer) == pytest.approx(functional.of_curve(TENT), rel=2e-3)


@pytest.mark.parametrize('name', NAMES)
def test_linear_ones_and_no_others_are_linear(name):
    more = {
        'value': {'at': 0.5},
        'band_edge': {'threshold': 0.5},
        'distance': {'target': FLAT},
        'above': {'threshold': 0.1},
        'below': {'target': FLAT},
    }
    functional = Functional.of(name, **more.get(name, {}))
    rng = np.random.default_rng(1)
    one, two = rng.uniform(0.2, 1, (2, 3, 9))
    grid = np.linspace(0, 4, 9)
    numbers = [functional.of_rows(grid, rows, ENERGY) for rows in (one, two, one + two)]
    linear = np.allclose(numbers[0] + numbers[1], numbers[2], equal_nan=True)
    assert linear == functional.is_linear
    if linear:
        assert np.allclose(one @ functional.weights(grid, ENERGY), numbers[0])
    else:
        with pytest.raises(CurveError, match='not linear'):
            functional.weights(grid, ENERGY)


@pytest.mark.parametrize(
    ('settings', 'words'),
    [
        ({'name': 'first_momentum'}, r'unknown: first_moment\?'),
        ({'name': 'value'}, 'needs at'),
        ({'name': 'mean', 'at': 1.0}, 'takes no at'),
        ({'name': 'value', 'at': 1.0, 'range': (0, 1)}, 'takes no range'),
        ({'name': 'mean', 'range': (2, 1)}, 'low < high'),
        ({'name': 'mean', 'range': (0, float('inf'))}, 'low < high'),
        ({'name': 'band_edge'}, 'needs threshold'),
        ({'name': 'distance'}, 'needs a target'),
        ({'name': 'above'}, 'either a target curve or a threshold'),
        ({'name': 'above', 'threshold': 1.0, 'target': FLAT}, 'either'),
        ({'name': 'distance', 'target': FLAT, 'metric': 'L3'}, 'L1, L2, earth_mover'),
    ],
)
def test_a_functional_that_says_too_little_is_refused(settings, words):
    with pytest.raises(CurveError, match=words):
        Functional.of(**settings)


@pytest.mark.parametrize(
    ('settings', 'values', 'words'),
    [
        ({'name': 'mean', 'range': (-1, 2)}, [1, 1], 'from 0 to 4 eV, asked for -1 to 2'),
        ({'name': 'value', 'at': 4.1}, [1, 1], 'nothing is extrapolated'),
        ({'name': 'band_edge', 'threshold': 0.5}, [1, 1], 'does not fall below 0.5'),
        ({'name': 'first_moment'}, [0, 0], 'area is not positive'),
        ({'name': 'width'}, [2, -1], 'negative somewhere'),
        ({'name': 'distance', 'target': FLAT, 'metric': 'earth_mover'}, [2, -1], 'negative somewhere'),
    ],
)
def test_a_curve_that_has_no_such_number_says_why(settings, values, words):
    with pytest.raises(CurveError, match=words):
        Functional.of(**settings).of_curve(Curve.of('dos', [0, 4], values, ENERGY, '1/eV'))


def test_a_target_that_does_not_cover_the_range_is_named():
    short = Curve.of('wanted', [0, 2], [1, 1], ENERGY, '1/eV')
    with pytest.raises(CurveError, match='the target wanted is known for energy from 0 to 2 eV'):
        Functional.of('distance', target=short).of_curve(TENT)
    assert Functional.of('distance', target=short, range=(0, 2)).of_curve(TENT) == pytest.approx(1.0)


LIKE = ('1/eV', ENERGY, 'dos')


@pytest.mark.parametrize(
    ('name', 'text'),
    [
        ('t.csv', 'energy [eV],dos [1/eV]\n0,1\n4,1\n'),
        ('t.csv', 'energy (eV), dos (1/eV)\n0,1\n2,1\n\n4,1\n'),
        ('t.json', json.dumps(FLAT.to_dict())),
    ],
)
def test_a_target_is_read_from_a_file(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    assert read_target(tmp_path / name, LIKE).same_as(FLAT)


@pytest.mark.parametrize(
    ('name', 'text', 'words'),
    [
        ('t.csv', 'energy [Ry],dos [1/eV]\n0,1\n4,1\n', "'eV' and 'Ry'"),
        ('t.csv', 'energy [eV],dos [1/Ry]\n0,1\n4,1\n', "'1/eV' and '1/Ry'"),
        ('t.csv', 'energy,dos\n0,1\n4,1\n', "'eV' and 'none'"),
        ('t.csv', 'energy [eV],dos [1/eV]\n0,x\n4,1\n', 'not a list of numbers'),
        ('t.csv', 'energy [eV],dos [1/eV]\n4,1\n0,1\n', 'goes back to 0'),
        ('t.csv', '', 'two columns with a header'),
        ('t.csv', 'energy,dos,up\n0,1,2\n', 'two columns with a header'),
        ('t.json', '{', 'not JSON'),
        ('t.json', '{"values": [1, 2]}', 'expected'),
    ],
)
def test_a_target_in_another_unit_or_form_is_refused(tmp_path, name, text, words):
    (tmp_path / name).write_text(text)
    with pytest.raises(CurveError, match=words):
        read_target(tmp_path / name, LIKE)
    with pytest.raises(CurveError, match='cannot be read'):
        read_target(tmp_path / 'missing.csv', LIKE)
