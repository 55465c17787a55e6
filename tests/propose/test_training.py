"""From a library to a model: what is trained on, and that the command's path works on real structures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from aiida_inversedesign.libraries.importers import read_jsonl
from aiida_inversedesign.libraries.library import Library
from aiida_inversedesign.propose.training.from_library import lowest_of_each_formula, train_on
from aiida_inversedesign.propose.training.published_recipe import Recipe


def test_one_stable_crystal_of_each_formula_is_trained_on(small_library: Library) -> None:
    first = small_library[0]
    above = replace(first, id='above', e_above_hull=0.05)
    worse = replace(first, id='worse', e_above_hull=0.0, formation_energy=-1.0)
    best = replace(first, id='best', e_above_hull=0.0, formation_energy=-2.0)
    assert [item.id for item in lowest_of_each_formula(Library([above, worse, best]))] == ['best']
    assert len(lowest_of_each_formula(Library([best]), exclude_formulas={best.crystal.formula})) == 0


def test_a_model_is_trained_from_structures_and_cached_fingerprints(shared: Path, tmp_path: Path) -> None:
    library, _ = read_jsonl(shared / 'data' / 'mp_structures.jsonl.gz', primitive=False)
    some = library.subset([index for index in library.by_ratio('1:1') if library[index].e_above_hull == 0][:250])
    reference = np.load(shared / 'data' / 'fingerprints_reference.npz')
    rows = dict(zip(reference['ids'].tolist(), reference['fingerprints'], strict=True))
    cache = tmp_path / 'fingerprints.npz'
    # two are missing in the file: they are computed
    ids = [item.id for item in list(some)[:-2]]
    np.savez_compressed(cache, ids=np.array(ids), fingerprints=np.array([rows[name] for name in ids]))
    steps: list[str] = []
    held_out = some[0].crystal.formula
    model = train_on(
        some,
        seed=3,
        cache=cache,
        exclude_formulas={held_out},
        recipe=Recipe(members=1, hidden=(32,), label_cap=1.0),
        progress=lambda step, done: steps.append(step),
    )
    assert 'fingerprints' in steps
    assert held_out not in {item.crystal.formula for item in lowest_of_each_formula(some, 0.0, {held_out})}
    assert model.record['excluded_formulas'] == [held_out]
    probabilities = model.rank('NaCl', some, range(len(some)))
    assert probabilities.shape == (len(some),)
    assert probabilities.std() > 0
