"""The posterior ranker: its networks, its memory, what it chooses, and its file."""

from __future__ import annotations

import dataclasses
import io
import json

import numpy as np
import pytest

from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.chemistry.formulas import parse_formula
from aiida_inversedesign.libraries.library import Library, Template
from aiida_inversedesign.libraries.prototype_labels import label_of
from aiida_inversedesign.propose.npz import ModelError, pack
from aiida_inversedesign.propose.proposal_model import ProposalModel, load_model
from aiida_inversedesign.propose.rankers.cspml import CspmlModel
from aiida_inversedesign.propose.rankers.memory import Memory
from aiida_inversedesign.propose.rankers.posterior import PosteriorRanker
from aiida_inversedesign.propose.rankers.ranking import Templates
from aiida_inversedesign.propose.rankers.set_transformer import SetTransformer, Tokens
from aiida_inversedesign.propose.training.published_recipe import TrainingError
from aiida_inversedesign.propose.training.train_proposal import compounds, train_proposal_model
from aiida_inversedesign.propose.training.train_ranker import RankerRecipe, _Network, weights_of

METALS = ['Li', 'Na', 'K', 'Rb', 'Mg', 'Ca', 'Sr', 'Ba', 'Mn', 'Fe', 'Ni', 'Zn']
ANIONS = ['F', 'Cl', 'Br', 'I', 'O', 'S', 'Se', 'Te']
HALIDES = set(ANIONS[:4])
SMALL = RankerRecipe(members=2, width=16, layers=2, heads=2, outputs=8, epochs=12, learning_rate=1e-2, validation=0.1)


@pytest.fixture(scope='module')
def halides_differ() -> Library:
    """A library whose structure depends on the anion alone, and whose volumes follow the elements."""
    rng = np.random.default_rng(0)
    prints_of = {True: rng.uniform(0, 1, 244), False: rng.uniform(0, 1, 244)}
    templates, prints = [], []
    for row, metal in enumerate(METALS):
        for column, anion in enumerate(ANIONS):
            crystal = Crystal(
                np.eye(3) * (3.5 + 0.05 * row + 0.1 * column), (metal, anion), [[0, 0, 0], [0.5, 0.5, 0.5]]
            )
            templates.append(Template(metal + anion, crystal, 'made', 'none', e_above_hull=0.0))
            prints.append(prints_of[anion in HALIDES] + rng.normal(0, 1e-4, 244))
    return Library(templates, np.array(prints, dtype=np.float32))


@pytest.fixture(scope='module')
def trained(halides_differ: Library) -> ProposalModel:
    return train_proposal_model(halides_differ, 3, SMALL)


def halide(library: Library, index: int) -> bool:
    return bool(HALIDES & set(library[int(index)].crystal.counts))


def test_numpy_and_torch_say_the_same(halides_differ: Library) -> None:
    import torch

    data, _ = compounds(halides_differ)
    torch.manual_seed(0)
    network = _Network(data, np.arange(len(data)), SMALL)
    network.module.eval()
    rows = torch.arange(len(data))
    with torch.no_grad():
        states = network._states(rows)
        expected = network._scores(states, states, rows, False).numpy()
    arrays = {name: value.astype(np.float32) for name, value in weights_of(network, SMALL).items()}
    member = SetTransformer(arrays)
    found = member.queries(data.tokens) @ member.keys(data.tokens, data.fingerprints).T
    found += member.hull_bias(data.e_above_hull)
    # the weights are kept in half precision
    np.testing.assert_allclose(found, expected, atol=0.02 * np.abs(expected).max())


def test_the_order_of_the_elements_does_not_matter(trained: ProposalModel) -> None:
    member = trained.ranker.members[0]
    one, other = ({'Ca': 1, 'C': 1, 'O': 3}, {'O': 3, 'Ca': 1, 'C': 1})
    states = member.states(Tokens.of([one, other, {'Na': 1, 'Cl': 1}]))
    np.testing.assert_allclose(states[0], states[1], atol=1e-4)
    # what stands beside it in the batch, with another number of elements, does not matter either
    np.testing.assert_allclose(member.states(Tokens.of([{'Na': 1, 'Cl': 1}]))[0], states[2], atol=1e-4)


def test_it_learns_what_the_structure_depends_on(trained: ProposalModel, halides_differ: Library) -> None:
    group = Templates(halides_differ, exclude_formulas={'NaCl', 'CaO'}).group('1:1')
    assert group is not None
    salt, oxide = trained.ranker.rank([{'Na': 1, 'Cl': 1}, {'Ca': 1, 'O': 1}], group, 2)
    assert halide(halides_differ, salt.indices[0])
    assert not halide(halides_differ, oxide.indices[0])
    # the second choice is the other structure, though thirty of the first one are left
    assert not halide(halides_differ, salt.indices[1])
    assert salt.within is not None
    assert salt.within[0, 0] > 0.6 > 0.4 > salt.within[1, 0]
    assert (np.diff(salt.within, axis=1) >= 0).all()
    assert trained.record['validation']['0.1']['recall']['1'] > 0.7


def test_a_small_library_is_ranked_by_what_the_model_remembers(trained: ProposalModel, halides_differ: Library) -> None:
    # two foreign prototypes: their own elements say nothing, their structures do
    prints = halides_differ.fingerprints
    assert prints is not None
    cell = Crystal(np.eye(3) * 4, ('Au', 'Sb'), [[0, 0, 0], [0.5, 0.5, 0.5]])
    other = Crystal(np.eye(3) * 4, ('Pt', 'Bi'), [[0, 0, 0], [0.5, 0.5, 0.5]])
    few = Library([Template('salt', cell, '', ''), Template('oxide', other, '', '')], prints[[0, 4]])
    group = Templates(few).group('1:1')
    assert group is not None
    salt, oxide = trained.ranker.rank([{'Cs': 1, 'Cl': 1}, {'Co': 1, 'O': 1}], group, 2)
    assert few[int(salt.indices[0])].id == 'salt'
    assert few[int(oxide.indices[0])].id == 'oxide'


def test_own_and_excluded_formulas_do_not_vote(trained: ProposalModel, halides_differ: Library) -> None:
    few = halides_differ.subset([0, 4])
    salt = {'Na': 1, 'Cl': 1}
    group = Templates(few).group('1:1')
    fair = Templates(few, exclude_formulas={'KCl'}).group('1:1')
    assert group is not None
    assert fair is not None
    ranker = trained.ranker
    voters = ranker.voters(group)
    own = voters.remembered['NaCl']
    assert ranker.posterior([salt], group)[0, own].sum() == 0
    assert ranker.posterior([{'K': 1, 'Cl': 1}], group)[0, own].sum() > 0
    assert 'KCl' in voters.remembered
    assert 'KCl' not in ranker.voters(fair).remembered
    # library entries are not remembered a second time
    assert halides_differ[0].crystal.formula not in voters.remembered


def test_templates_without_fingerprint_can_be_ranked(trained: ProposalModel, halides_differ: Library) -> None:
    bare = Library(list(halides_differ))
    group = Templates(bare).group('1:1')
    assert group is not None
    found = trained.ranker.rank([{'Na': 1, 'Cl': 1}], group, 3)[0]
    assert len(set(found.indices.tolist())) == 3
    assert np.isfinite(found.scores).all()


def test_the_memory_keeps_compositions_and_distances(halides_differ: Library) -> None:
    counts = [item.crystal.counts for item in halides_differ]
    prints = halides_differ.fingerprints
    assert prints is not None
    labels = ['', *(f'AB_cF8_216_a_{number}' for number in range(1, len(counts)))]
    made = Memory.of(counts, prints, np.zeros(len(counts)), np.full(len(counts), 20.0), labels)
    memory = Memory.from_arrays(made.to_arrays())
    places, compositions = memory.of_label('1:1')
    assert [dict(item) for item in compositions] == counts
    assert memory.formulas == {item.crystal.formula for item in halides_differ}
    assert [memory.labels[number] for number in memory.prototypes] == labels
    projected = memory.projected(places)
    true = np.linalg.norm(prints[0] - prints[1:], axis=1)
    np.testing.assert_allclose(np.linalg.norm(projected[0] - projected[1:], axis=1), true, atol=0.05)


def test_models_of_versions_without_prototypes_still_rank(trained: ProposalModel, halides_differ: Library) -> None:
    arrays = trained.ranker.to_arrays()
    for name in ('memory.labels', 'memory.prototypes'):
        del arrays[name]
    older = PosteriorRanker.from_arrays(arrays | {'calibration': arrays['calibration'][:3]})
    group = Templates(halides_differ).group('1:1')
    assert group is not None
    found = older.rank([{'Na': 1, 'Cl': 1}], group, 3)[0]
    assert found.prototype is None
    assert found.within is not None
    newer = trained.ranker.rank([{'Na': 1, 'Cl': 1}], group, 3)[0]
    assert newer.prototype is not None
    assert ((newer.prototype >= 0) & (newer.prototype <= 1)).all()


def test_further_templates_of_a_prototype_come_behind_the_first(
    trained: ProposalModel, halides_differ: Library
) -> None:
    group = Templates(halides_differ).group('1:1')
    assert group is not None
    found = trained.ranker.rank([{'Na': 1, 'Cl': 1}], group, 8)[0]
    assert found.prototype is not None
    by_label: dict[str, list[float]] = {}
    for index, chance in zip(found.indices, found.prototype, strict=True):
        by_label.setdefault(label_of(halides_differ[int(index)]), []).append(float(chance))
    assert max(len(chances) for chances in by_label.values()) > 2
    for chances in by_label.values():
        np.testing.assert_allclose(chances, [chances[0] / number**2 for number in range(1, len(chances) + 1)])


def test_same_seed_same_file(trained: ProposalModel, halides_differ: Library) -> None:
    def timeless(model: ProposalModel) -> bytes:
        return dataclasses.replace(model, record=model.record | {'training_seconds': 0}).to_bytes()

    again = train_proposal_model(halides_differ, 3, SMALL)
    assert timeless(again) == timeless(trained)
    assert timeless(train_proposal_model(halides_differ, 4, SMALL)) != timeless(trained)


def test_networks_of_several_processes_are_those_of_one_thread(halides_differ: Library) -> None:
    import torch

    steps: list[tuple[str, float]] = []
    several = train_proposal_model(halides_differ, 3, SMALL, lambda *step: steps.append(step), jobs=2)
    assert (f'network {SMALL.members} of {SMALL.members}', 1.0) in steps
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        one = train_proposal_model(halides_differ, 3, SMALL)
    finally:
        torch.set_num_threads(threads)
    assert several.record['log'] == one.record['log']
    for ours, theirs in zip(several.ranker.members, one.ranker.members, strict=True):
        assert all(np.array_equal(ours.arrays[name], values) for name, values in theirs.arrays.items())


def test_file_round_trip(trained: ProposalModel, halides_differ: Library) -> None:
    data = trained.to_bytes()
    copy = load_model(data)
    assert isinstance(copy, ProposalModel)
    assert copy.to_bytes() == data
    assert copy.record == trained.record
    assert copy.formulas == {item.crystal.formula for item in halides_differ}
    group, own = (Templates(halides_differ).group('1:1') for _ in range(2))
    assert group is not None
    assert own is not None
    query = [parse_formula('CsI')]
    np.testing.assert_array_equal(
        copy.ranker.rank(query, group, 5)[0].indices, trained.ranker.rank(query, own, 5)[0].indices
    )


@pytest.mark.parametrize('data', [b'', b'nonsense', pack({'a': np.ones(1)}), pack({'schema': np.array('other/1')})])
def test_no_model_file(data: bytes) -> None:
    with pytest.raises(ModelError):
        load_model(data)
    with pytest.raises(ModelError):
        CspmlModel.from_bytes(data)


def test_a_damaged_model_is_refused_in_words(trained: ProposalModel) -> None:
    arrays = dict(np.load(io.BytesIO(trained.to_bytes())))
    del arrays['ranker.memory.prints']
    with pytest.raises(ModelError, match='lacks'):
        load_model(pack(arrays))
    arrays = dict(np.load(io.BytesIO(trained.to_bytes())))
    arrays['features'] = np.array(['x'])
    with pytest.raises(ModelError, match='another element table'):
        load_model(pack(arrays))


def test_too_few_compounds(halides_differ: Library) -> None:
    with pytest.raises(TrainingError, match='too few'):
        train_proposal_model(halides_differ.subset(range(10)), 0, SMALL)


def test_the_card_is_plain_json(trained: ProposalModel) -> None:
    assert json.loads(json.dumps(trained.record)) == trained.record
    assert trained.record['compounds'] == {'training': 86, 'validation': 10}
    assert all({'epoch', 'loss', 'validation'} <= set(line) for log in trained.record['log'] for line in log)
