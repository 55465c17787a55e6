"""Merging: duplicates go, the one nearest to the hull stays, and it is told."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.libraries.collect import Filter
from aiida_inversedesign.libraries.library import Library, LibraryError, Template
from aiida_inversedesign.libraries.merge import merge


def template(name, crystal, e_above_hull=None):
    return Template(name, crystal, 'test', 'none', e_above_hull=e_above_hull)


@pytest.fixture
def stretched(rocksalt):
    """Rock salt in a conventional cell, 2 % larger and shifted: the same structure to a matcher."""
    cube = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
    coords = np.concatenate([cube, cube + 0.5]) + 0.13
    return Crystal(5.75 * np.eye(3), ('Na',) * 4 + ('Cl',) * 4, coords)


@pytest.fixture
def other(rocksalt):
    """The formula of rock salt as caesium chloride: another structure."""
    return Crystal(3.5 * np.eye(3), ('Na', 'Cl'), [[0, 0, 0], [0.5, 0.5, 0.5]])


def test_of_duplicates_the_one_nearest_to_the_hull_stays(rocksalt, stretched, other):
    first = Library([template('a', rocksalt, 0.05), template('b', other, 0.2)])
    second = Library([template('c', stretched, 0.01)])
    merged = merge([('first', first), ('second', second)])
    assert [item.id for item in merged.library] == ['b', 'c']
    assert [(item.source, item.kind) for item in merged.dropped] == [('first: a', 'duplicate structure')]
    assert 'second: c' in merged.dropped[0].reason


def test_a_known_energy_goes_before_none_and_the_first_before_its_equals(rocksalt, stretched):
    unknown, known = Library([template('a', rocksalt)]), Library([template('b', stretched, 0.3)])
    assert [item.id for item in merge([('x', unknown), ('y', known)]).library] == ['b']
    assert [item.id for item in merge([('x', unknown), ('y', unknown)]).library] == ['a']


def test_without_matcher_only_equal_structures_are_duplicates(rocksalt, stretched):
    libraries = [('x', Library([template('a', rocksalt)])), ('y', Library([template('b', stretched)]))]
    assert len(merge(libraries, match=False).library) == 2
    assert len(merge(libraries[:1] * 2, match=False).library) == 1


def test_an_id_that_two_structures_have_is_numbered(rocksalt, other):
    merged = merge([('x', Library([template('a', rocksalt)])), ('y', Library([template('a', other)]))])
    assert [item.id for item in merged.library] == ['a', 'a~2']
    assert merged.renamed == {'y: a': 'a~2'}


def test_fingerprints_go_along_where_all_have_them(small_library, other):
    values = np.random.default_rng(1).random((3, 244)).astype(np.float32)
    more = Library([template('new', other)])
    with_values = small_library.with_fingerprints(values)
    merged = merge([('x', with_values), ('y', more.with_fingerprints(np.ones((1, 244), np.float32)))]).library
    np.testing.assert_array_equal(merged.fingerprints, np.concatenate([values, np.ones((1, 244))]).astype(np.float32))
    assert merge([('x', with_values), ('y', more)]).library.fingerprints is None


def test_what_is_not_wanted_is_told_and_nothing_left_is_an_error(small_library):
    seen = []
    libraries = [('x', small_library)]
    merged = merge(libraries, Filter(exclude_formulas=['NaCl']), progress=lambda *done: seen.append(done))
    assert [item.kind for item in merged.dropped] == ['excluded formula']
    assert len(merged.library) == 2
    assert seen == [(1, pytest.approx(1 / 3)), (2, pytest.approx(2 / 3))]
    with pytest.raises(LibraryError, match='none of 3 templates'):
        merge(libraries, Filter(max_sites=1))


def test_merging_twice_changes_nothing(small_library):
    dated = Library(replace(item, date='2026-11-21') for item in small_library)
    merged = merge([('x', dated), ('y', dated)])
    assert merged.library.content_hash == dated.content_hash
    assert {item.date for item in merged.library} == {'2026-11-21'}
    assert len(merged.dropped) == 3
