"""``benchmark engine``: its made-up crystals, and what it makes of the times it has taken."""

from __future__ import annotations

import pytest
from click.testing import CliRunner
from pymatgen.analysis.structure_matcher import StructureMatcher

from aiida_inversedesign.benchmarks.engine.overhead import made_up_library, seconds_around
from aiida_inversedesign.errors import InverseDesignError


def test_no_two_made_up_crystals_are_alike_and_a_seed_repeats_them() -> None:
    library, formulas = made_up_library(60), {}
    for entry in made_up_library(400):
        formulas.setdefault(entry.crystal.formula, []).append(entry.crystal.to_pymatgen())
    pairs = [found for found in formulas.values() if len(found) > 1]
    assert len(pairs) > 20
    assert not any(StructureMatcher().fit(*pair) for pair in pairs)
    assert [entry.properties for entry in library] == [entry.properties for entry in made_up_library(60)]
    with pytest.raises(InverseDesignError, match='too many'):
        made_up_library(10_000)


def test_the_time_of_one_evaluation_is_that_around_the_mark() -> None:
    # two seconds each up to the hundredth, one from there on
    course = [(2.0 * rows if rows <= 100 else 200.0 + (rows - 100), rows) for rows in range(5, 601, 5)]
    assert seconds_around(course, 10) == pytest.approx(2.0)
    assert seconds_around(course, 500) == pytest.approx(1.0)
    assert seconds_around(course, 100) == pytest.approx(1.5)
    assert seconds_around(course, 1000) is None
    assert seconds_around([(1.0, 500), (2.0, 500)], 500) is None


def test_evaluations_already_made_are_part_of_all() -> None:
    from aiida_inversedesign.cli import cli

    result = CliRunner().invoke(cli, ['benchmark', 'engine', '--evaluations', '40', '--already', '40'])
    assert result.exit_code == 1
    assert 'fewer than --evaluations 40' in result.output
