"""The language model and the searches that use it, by what they must keep."""

from __future__ import annotations

import math
import random
from typing import Any

import numpy as np
import pytest
from rdkit import Chem
from scipy.stats import norm
from some_smiles import SMILES

from aiida_inversedesign.campaign.goal import Goal
from aiida_inversedesign.campaign.load import validate_campaign
from aiida_inversedesign.libraries.points import PointSet
from aiida_inversedesign.propose.molecules.anneal import STEPS, TRIES, Writer, anneal
from aiida_inversedesign.propose.molecules.language import LanguageError, LanguageModel
from aiida_inversedesign.propose.molecules.region import region_of, scorer
from aiida_inversedesign.propose.molecules.strings import Writing, text_of, tokens_of
from aiida_inversedesign.propose.next_candidates import ProposalError, propose_next
from aiida_inversedesign.select.normal import log_within
from aiida_inversedesign.spaces.molecules.molecule import Molecule


@pytest.fixture(scope='module')
def model() -> LanguageModel:
    return LanguageModel.of(Chem.MolFromSmiles(text) for text in SMILES)


@pytest.mark.parametrize('text', [*SMILES, 'C1CC2(C1)CCC2', 'C12C3C4C1C5C2C3C45', 'N#Cc1ccc2c(c1)OCO2'])
def test_tokens_and_smiles_say_the_same_from_every_atom(text: str) -> None:
    mol = Chem.MolFromSmiles(text)
    for root in range(-1, mol.GetNumAtoms()):
        tokens = tokens_of(mol, root)
        assert tokens is not None
        assert Chem.CanonSmiles(text_of(tokens)) == Chem.CanonSmiles(text)
        writing = Writing(dict.fromkeys(tokens, 6))
        for token in tokens:
            assert writing.allows(token), (tokens, token)
            writing.add(token)
        assert writing.allows('$')


def test_a_string_is_held_to_grammar_and_valences(model: LanguageModel) -> None:
    def after(*tokens: str) -> Writing:
        return model.begun(tokens)

    assert not after().allows('(')
    assert not after('C', 'F').allows('C')
    assert not after('C', '#', 'N').allows('C')
    assert not after('C', '=', 'O').allows('(')
    assert not after('C', '(').allows(')')
    assert not after('C', '(', 'C').allows('$')
    assert not after('C', '&', 'C').allows('@0')
    assert after('C', '&', 'C', 'C').allows('@0')
    assert not after('C', '&', 'C', 'C').allows('@1')
    assert not after('C', '=').allows('F')


def test_most_drawn_strings_are_molecules_and_the_draws_follow_the_weights(model: LanguageModel) -> None:
    writer = Writer(model, lambda mol: True, random.Random(1))
    found = writer.draws(10**6, 600)
    assert writer.tally.valid >= 0.95 * writer.tally.written == 570
    assert len({molecule.inchikey for molecule in found} - {Molecule.of(text).inchikey for text in SMILES}) > 50
    writing, rng = model.begun(['C', 'C']), random.Random(2)
    drawn = [model.next_token(writing, rng) for _ in range(4000)]
    allowed = {token: weight for token, weight in model.weights(writing).items() if writing.allows(token)}
    total = sum(allowed.values())
    for token, weight in allowed.items():
        share = weight / total
        assert drawn.count(token) / 4000 == pytest.approx(share, abs=5 * math.sqrt(share / 4000) + 1e-3)


def test_the_context_of_a_closed_branch_is_contracted(model: LanguageModel) -> None:
    assert model.begun(['C', '(', '=', 'O', ')', 'N']).context == ['C', '(=O)', 'N']
    assert model.begun(['C', '(', 'C', 'C', '(', 'N', ')', 'O', ')']).context == ['C', '(C)']


def test_too_small_a_library_teaches_nothing() -> None:
    with pytest.raises(LanguageError, match='at least 2'):
        LanguageModel.of([Chem.MolFromSmiles('C')])


def test_the_likelihood_of_a_region_is_exact_near_and_finite_far_away() -> None:
    class Predicted:
        def predict(self, space: Any, molecules: Any, structures: Any) -> Any:
            one = np.ones(4)
            return {'gap': (np.array([0.0, 3.0, -50.0, 1e6]), np.array([1.0, 0.5, 1.0, 1e-3])), 'energy': (one, one)}

    found = scorer(Predicted(), None, {'gap': (-1.0, 2.0), 'energy': (-math.inf, 1.0)})([None] * 4)
    near = np.log(norm.cdf([2, -2]) - norm.cdf([-1, -8])) + np.log(0.5)
    np.testing.assert_allclose(found[:2], near, rtol=1e-12)
    assert -1300 < found[2] < -1190
    assert found[3] < -1e5
    assert np.isfinite(found).all()
    assert np.isfinite(scorer(Predicted(), None, {'energy': (1.0, 1.0)})([None] * 4)).all()


def test_the_region_is_that_of_hits() -> None:
    goal = Goal.model_validate(
        {
            'objectives': [{'property': 'gap', 'window': [1, 2]}, {'property': 'energy', 'minimize': True}],
            'constraints': [{'property': 'gap', 'min': 1.5}],
        }
    )
    assert region_of(goal, []) == {'gap': (1.5, 2), 'energy': (-math.inf, math.inf)}


def test_annealing_samples_the_region_far_more_often_than_the_language_model(model: LanguageModel) -> None:
    def score(molecules: Any) -> Any:
        sizes = np.array([molecule.mol.GetNumHeavyAtoms() for molecule in molecules], dtype=float)
        return log_within(sizes, np.full(len(sizes), 0.5), 13.5, 15.5)

    def inside(molecules: Any) -> float:
        return float(np.mean([14 <= molecule.mol.GetNumHeavyAtoms() <= 15 for molecule in molecules]))

    start = Molecule.of('c1ccccc1O')
    found = anneal(writer := Writer(model, lambda mol: True, random.Random(3)), [start], score, 60)
    again = anneal(Writer(model, lambda mol: True, random.Random(3)), [start], score, 60)
    assert [item.smiles for item in found] == [item.smiles for item in again]
    # every molecule once, the most probable first, each string counted
    assert len({item.inchikey for item in found}) == len(found)
    assert (np.diff(score(found)) <= 0).all()
    assert start.inchikey in {item.inchikey for item in found}
    assert 60 * STEPS <= writer.tally.written <= 60 * STEPS * TRIES
    prior = inside(Writer(model, lambda mol: True, random.Random(4)).draws(300, 600))
    assert inside(found[:60]) > max(0.9, 4 * prior)


def test_annealing_keeps_the_limits_of_the_space(model: LanguageModel) -> None:
    start = Molecule.of('CCO')
    writer = Writer(model, lambda mol: mol.GetNumHeavyAtoms() <= 5, random.Random(5))
    found = anneal(writer, [start], lambda molecules: np.zeros(len(molecules)), 10)
    assert len(found) > 5
    assert all(item.mol.GetNumHeavyAtoms() <= 5 for item in found)
    assert anneal(writer, [], lambda molecules: np.zeros(len(molecules)), 10) == []


def campaign(method: str) -> Any:
    return validate_campaign(
        {
            'name': 'm',
            'goal': {'objectives': [{'property': 'gap', 'minimize': True}]},
            'space': {'kind': 'molecules', 'max_atoms': 12},
            'propose': {'library': 'm.csv', 'method': method, 'renew': 30},
            'evaluate': {'engine': 'table', 'data': 'm.csv', 'units': {'gap': 'eV'}},
            'budget': {'evaluations': 4},
        }
    )


DATA = PointSet.from_bytes('\n'.join(['smiles', *SMILES, 'C1CC']).encode(), tolerant=True)


@pytest.mark.parametrize('method', ['iqspr', 'mutation', 'mcts'])
def test_sources_propose_new_molecules_of_the_space_again_the_same(method: str) -> None:
    spec = campaign(method)
    first = propose_next(spec, DATA, None, 1)
    assert [item.to_dict() for item in first] == [item.to_dict() for item in propose_next(spec, DATA, None, 1)]
    assert all(item.accepted and item.proposer == method for item in first)
    assert 20 <= len(first) <= 30
    later = propose_next(spec, DATA, None, 2, earlier=first)[len(first) :]
    assert not {item.content.inchikey for item in first} & {item.content.inchikey for item in later}
    assert max(item.content.mol.GetNumHeavyAtoms() for item in [*first, *later]) <= 12


@pytest.mark.parametrize('method', ['iqspr', 'mutation', 'mcts'])
def test_sources_search_where_the_surrogate_holds_the_region_for_probable(method: str) -> None:
    from aiida_inversedesign.campaign.row import EvaluationRow
    from aiida_inversedesign.learn.fit import fit_surrogate

    spec = campaign(method)
    rows = []
    for number, text in enumerate(SMILES):
        molecule = Molecule.of(text)
        # smallest where there is most nitrogen and oxygen
        gap = 5.0 - sum(atom.GetSymbol() in 'NO' for atom in molecule.mol.GetAtoms())
        rows.append(
            EvaluationRow(*(f'c{number}', 1, 'initial', molecule.key, 'completed', molecule), properties={'gap': gap})
        )
    surrogate = fit_surrogate(rows, ['gap'], spec.space, 'gp', 0)

    def hetero(found: Any) -> float:
        return float(np.mean([sum(atom.GetSymbol() in 'NO' for atom in item.content.mol.GetAtoms()) for item in found]))

    blind = propose_next(spec, DATA, None, 1)
    led = propose_next(spec, DATA, None, 1, rows, surrogate=surrogate)
    assert hetero(led) > hetero(blind) + 0.5


def test_a_library_without_a_molecule_of_the_space_is_an_error() -> None:
    with pytest.raises(ProposalError, match='none of the 1 rows'):
        propose_next(campaign('iqspr'), PointSet.from_bytes(b'smiles\nC[Se]C\n', tolerant=True), None, 1)
