"""The model's inference, its file, and that training learns and repeats."""

import io

import numpy as np
import pytest

from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.libraries.library import Library, Template
from aiida_inversedesign.propose.rankers.cspml import CspmlModel, ModelError
from aiida_inversedesign.propose.training.published_recipe import Recipe, TrainingError, _folded, _network, train

METALS = ['Li', 'Na', 'K', 'Rb', 'Mg', 'Ca', 'Sr', 'Ba', 'Mn', 'Fe', 'Ni', 'Zn']
ANIONS = ['F', 'Cl', 'Br', 'I', 'O', 'S', 'Se', 'Te']
SMALL = Recipe(members=2, hidden=(16,), label_cap=1.0, epochs=30, batch=64, patience=30)


@pytest.fixture(scope='module')
def halides_differ():
    """A library whose structure depends on the anion alone: halides one fingerprint, chalcogenides another."""
    templates, prints = [], []
    for metal in METALS:
        for anion in ANIONS:
            crystal = Crystal(np.eye(3) * 4, (metal, anion), [[0, 0, 0], [0.5, 0.5, 0.5]])
            templates.append(Template(metal + anion, crystal, 'made', 'none'))
            prints.append(np.full(244, float(anion in ANIONS[:4])))
    return Library(templates), np.array(prints)


@pytest.fixture(scope='module')
def trained(halides_differ):
    return train(*halides_differ, seed=5, recipe=SMALL)


def test_training_learns_and_records(trained, halides_differ):
    assert trained.record['test']['accuracy'] > 0.85
    assert trained.record['library']['hash'] == halides_differ[0].content_hash
    assert trained.record['compounds'] == {'training': 58, 'validation': 19, 'test': 19}
    assert {'numpy', 'torch', 'python'} <= set(trained.record['versions'])


def test_same_seed_same_model(trained, halides_differ):
    again = train(*halides_differ, seed=5, recipe=SMALL)
    for one, two in zip(trained.members, again.members, strict=False):
        for (weights, bias), (other_weights, other_bias) in zip(one, two, strict=False):
            np.testing.assert_array_equal(weights, other_weights)
            np.testing.assert_array_equal(bias, other_bias)
    assert not np.array_equal(trained.members[0][0][0], train(*halides_differ, 6, SMALL).members[0][0][0])


def test_file_round_trip(trained, halides_differ):
    library = halides_differ[0]
    data = trained.to_bytes()
    copy = CspmlModel.from_bytes(data)
    assert copy.to_bytes() == data
    assert copy.record == trained.record
    indices = library.by_ratio('1:1')
    np.testing.assert_array_equal(copy.rank('CsI', library, indices), trained.rank('CsI', library, indices))


def test_folding_keeps_the_network():
    import torch

    recipe = Recipe(hidden=(8, 6))
    torch.manual_seed(0)
    network = _network(5, recipe)
    X = torch.randn(50, 5)
    network(X)  # moves the running statistics of the batch normalisations
    network.eval()
    hidden = X.numpy()
    layers = _folded(network)
    for weights, bias in layers[:-1]:
        hidden = np.maximum(hidden @ weights + bias, 0)
    expected = network(X).detach().numpy()
    np.testing.assert_allclose(hidden @ layers[-1][0] + layers[-1][1], expected, atol=1e-5)


def test_too_small_library(rocksalt):
    library = Library([Template('a', rocksalt, '', '')])
    with pytest.raises(TrainingError, match='more'):
        train(library, np.zeros((1, 244)), 0)
    with pytest.raises(TrainingError, match='fingerprints'):
        train(library, np.zeros((2, 244)), 0)


def npz(**arrays):
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


@pytest.mark.parametrize('data', [b'', b'nonsense', npz(a=1), npz(schema='other/1')])
def test_no_model_file(data):
    with pytest.raises(ModelError):
        CspmlModel.from_bytes(data)
