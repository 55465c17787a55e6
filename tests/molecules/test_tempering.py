"""Weights of a population by their effective size, and draws from them."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from some_smiles import SMILES

from aiida_inversedesign.campaign.contracts.space import Array
from aiida_inversedesign.propose.molecules.anneal import STEPS, TRIES, Writer, anneal
from aiida_inversedesign.propose.molecules.language import LanguageModel
from aiida_inversedesign.propose.molecules.tempering import effective_size, systematic, tempered
from aiida_inversedesign.spaces.molecules.molecule import Molecule, parse


@pytest.mark.parametrize('scale', [1e-3, 1.0, 1e4])
def test_weights_have_the_effective_size_whatever_the_scale(scale: float) -> None:
    logs = -scale * np.random.default_rng(1).gamma(2.0, size=400)
    weights = tempered(logs, 15)
    assert weights.sum() == pytest.approx(1)
    assert effective_size(weights) == pytest.approx(15, rel=1e-4)
    # a power of the likelihood: log-weights are a line over the logs
    slope = np.diff(np.log(weights[weights > 1e-200])) / np.diff(logs[weights > 1e-200])
    assert slope == pytest.approx(np.full(len(slope), slope[0]), rel=1e-4)
    assert slope[0] > 0
    # the same population on another scale, or with another constant, has the same weights
    assert tempered(7 * logs - 3, 15) == pytest.approx(weights, rel=1e-4, abs=1e-12)


def test_one_that_is_far_better_is_not_the_only_parent() -> None:
    """As where one molecule is predicted in the region and the others have the lowest log-likelihood there is."""
    weights = tempered(np.array([-0.5, *np.linspace(-1e6, -9e5, 99)]), 15)
    assert weights[0] == weights.max()
    assert weights[0] <= 15**-0.5


def test_few_and_equal_members_have_equal_weights() -> None:
    assert tempered(np.array([-3.0, -900.0]), 15).tolist() == [0.5, 0.5]
    assert tempered(np.full(40, -1e6), 15) == pytest.approx(np.full(40, 1 / 40))
    # more of the best than wanted: they alone
    weights = tempered(np.array([0.0] * 20 + [-1.0] * 30), 15)
    assert weights == pytest.approx([0.05] * 20 + [0.0] * 30)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30), st.integers(1, 40), st.integers(0, 9))
def test_systematic_draws_are_the_weights_rounded(raw: list[float], number: int, seed: int) -> None:
    total = sum(raw)
    weights = np.array(raw) / total if total > 1e-300 else np.full(len(raw), 1 / len(raw))
    drawn = systematic(weights, number, np.random.default_rng(seed))
    assert len(drawn) == number
    counts = np.bincount(drawn, minlength=len(raw))
    assert (np.abs(counts - number * weights) < 1 + 1e-9).all()
    assert not counts[weights == 0].any()
    assert drawn == systematic(weights, number, np.random.default_rng(seed))


def test_a_search_leaves_a_start_of_the_lowest_likelihood_and_is_repeated() -> None:
    """Three nitrogen atoms of twenty, rare in the language model; a fixed schedule got there with one of the seeds."""
    model = LanguageModel.of(parse(text) for text in SMILES)
    start = Molecule.of('CCO')

    def score(molecules: Sequence[Molecule]) -> Array:
        heavy = np.array([item.mol.GetNumHeavyAtoms() for item in molecules], dtype=np.float64)
        nitrogen = np.array([item.smiles.upper().count('N') for item in molecules], dtype=np.float64)
        return np.maximum(-5 * (nitrogen - 3) ** 2 - 5 * (heavy - 20) ** 2, -1000.0)

    def search(seed: int) -> tuple[list[Molecule], Writer]:
        writer = Writer(model, lambda mol: True, random.Random(seed))
        return anneal(writer, [start], score, 30), writer

    assert score([start])[0] == -1000
    for seed in (100, 101, 102):
        found, writer = search(seed)
        assert score(found)[0] == 0
        assert writer.tally.valid >= 0.95 * writer.tally.written
        assert 30 * STEPS <= writer.tally.written <= 30 * STEPS * TRIES
    assert [item.smiles for item in search(seed)[0]] == [item.smiles for item in found]
