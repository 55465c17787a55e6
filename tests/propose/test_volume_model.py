"""Volumes by composition and structural neighbours."""

import gzip
import io
import json

import numpy as np
import pytest

from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.libraries.library import Library, Template
from aiida_inversedesign.propose.assign import dissimilarities
from aiida_inversedesign.propose.rankers.ranking import Templates, reduced
from aiida_inversedesign.propose.training.train_volume import Recipe, train_volume_model
from aiida_inversedesign.propose.volumes.volume import (
    ElementVolumes,
    VolumeModel,
    VolumeModelError,
    structural_neighbours,
)

QUICK = Recipe(members=2, hidden=(16,), epochs=8, error_queries=200)


@pytest.fixture(scope='module')
def halves(shared):
    """Binary compounds with fingerprints, and other formulas to ask for."""
    with gzip.open(shared / 'data/mp_structures.jsonl.gz', 'rt') as handle:
        records = [item for item in map(json.loads, handle) if len(set(item['species'])) == 2 and item['nsites'] <= 8]
    with np.load(shared / 'data/fingerprints_reference.npz') as file:
        known = dict(zip(file['ids'].tolist(), file['fingerprints'], strict=True))
    records = [item for item in records if item['e_above_hull'] <= 0 and item['id'] in known]
    templates = [Template(item['id'], Crystal.from_dict(item), '', '') for item in records]
    fingerprints = np.array([known[item.id] for item in templates])
    library = Library(templates, fingerprints)
    asked = set(np.random.default_rng(0).permutation(sorted({item.crystal.formula for item in library}))[:150])
    others = library.subset([i for i, item in enumerate(library) if item.crystal.formula not in asked])
    return others, [item.crystal for item in library if item.crystal.formula in asked]


@pytest.fixture(scope='module')
def model(halves):
    return train_volume_model(halves[0], 1, recipe=QUICK)


def _ask(volumes, library, crystals):
    """Absolute relative errors in the template of nearest elements, and the errors that were told."""
    templates = Templates(library)
    errors, told = [], []
    for crystal in crystals:
        group = templates.group(crystal.ratio_label)
        if group is None or len(group) < 3:
            continue
        counts = reduced(crystal.counts)
        best = group.indices[np.argsort(dissimilarities(counts, group.rows), kind='stable')[:3]]
        estimate = volumes.estimate(counts, group, best)[0]
        nsites = library[int(best[0])].crystal.nsites
        errors.append(abs(estimate.volume / nsites / (crystal.volume / crystal.nsites) - 1))
        told.append(estimate.error)
    return np.array(errors), np.array(told)


def test_better_than_element_volumes_and_honest(model, halves):
    errors, told = _ask(model, *halves)
    plain, _ = _ask(ElementVolumes(), *halves)
    assert len(errors) > 100
    assert np.median(errors) < np.median(plain)
    assert np.mean(told) == pytest.approx(np.mean(errors), rel=0.5)
    # what is told to be certain is more certain
    certain = told < np.median(told)
    assert np.mean(errors[certain]) < np.mean(errors[~certain])


def test_a_copy_from_a_file_says_the_same(model, halves):
    library, crystals = halves
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **model.to_arrays())
    assert len(buffer.getvalue()) < 300_000
    buffer.seek(0)
    with np.load(buffer, allow_pickle=False) as arrays:
        copy = VolumeModel.from_arrays(dict(arrays))
    assert _ask(copy, library, crystals)[0] == pytest.approx(_ask(model, library, crystals)[0], abs=1e-6)


def test_the_full_model_is_small():
    inputs, hidden = 290 + 96, Recipe().hidden
    weights = inputs * hidden[0] + hidden[0] * hidden[1] + hidden[1]
    assert 2 * weights * Recipe().members < 280_000


def test_seeded(halves):
    library = halves[0].subset(range(200))
    first, again, other = (train_volume_model(library, seed, recipe=QUICK).to_arrays() for seed in (3, 3, 4))
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert not np.array_equal(first['weights_0'], other['weights_0'])


def test_own_formula_keeps_its_volume(model, halves):
    library = halves[0]
    template = library[0].crystal
    group = Templates(library).group(template.ratio_label)
    estimate = model.estimate(reduced(template.counts), group, [0])[0]
    assert (estimate.scale, estimate.error) == (1.0, 0.0)
    assert estimate.volume == template.volume


def test_an_answer_does_not_depend_on_what_was_asked_before(model, halves):
    library, crystals = halves
    counts = reduced(crystals[0].counts)
    label = crystals[0].ratio_label
    group = Templates(library).group(label)
    for other in crystals[1:]:
        if other.ratio_label == label:
            model.estimate(reduced(other.counts), group, group.indices[::2])
    fresh = Templates(library).group(label)
    chosen = group.indices[[2, 0, 1]]
    assert model.estimate(counts, group, chosen) == model.estimate(counts, fresh, chosen)


def test_without_fingerprints(model, halves):
    library = Library(list(halves[0]))
    errors, told = _ask(model, library, halves[1])
    assert np.median(errors) < 0.1
    assert told.min() > 0


def test_pure_elements_follow_their_ground_states(model, halves):
    fcc = Crystal(3.61 * (np.ones((3, 3)) - np.eye(3)) / 2, ('Cu',), [[0, 0, 0]])
    library = Library([Template('copper', fcc, '', '')])
    group = Templates(library).group('1')
    assert model.estimate({'Al': 1}, group, [0]) == ElementVolumes().estimate({'Al': 1}, group, [0])
    assert model.estimate({'Al': 1}, group, []) == []


def test_elements_the_library_lacks_are_answered(model, halves):
    group = Templates(halves[0]).group('1:1')
    estimate = model.estimate({'Cm': 1, 'N': 1}, group, group.indices[:1])[0]
    assert 0.2 < estimate.volume / group.library[int(group.indices[0])].crystal.volume < 5


def test_neighbours_without_fingerprints_are_the_templates_themselves():
    fingerprints = np.zeros((4, 244), dtype=np.float32)
    fingerprints[1] = np.nan
    fingerprints[2, 0] = 0.1
    fingerprints[3, 0] = 9
    near = structural_neighbours(fingerprints, [0, 1, 3])
    assert [rows.tolist() for rows, _ in near] == [[2, 0], [1], [3]]
    np.testing.assert_allclose(near[0][1], [np.exp(-0.5), 1], rtol=1e-5)
    assert [rows.tolist() for rows, _ in structural_neighbours(None, [2])] == [[2]]


def test_too_small_a_library(rocksalt):
    with pytest.raises(VolumeModelError, match='at least 50'):
        VolumeModel.fit(Library([Template('salt', rocksalt, '', '')]), seed=1)


def test_foreign_arrays(model):
    with pytest.raises(VolumeModelError, match='error_weights'):
        VolumeModel.from_arrays({})
    arrays = model.to_arrays()
    with pytest.raises(VolumeModelError, match='element table'):
        VolumeModel.from_arrays(arrays | {'features': arrays['features'][:-1]})
    del arrays['element_volumes']
    with pytest.raises(VolumeModelError, match='element_volumes'):
        VolumeModel.from_arrays(arrays)
