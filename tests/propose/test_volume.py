"""Volumes after substitution."""

import gzip
import itertools
import json

import pytest

from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.chemistry.elements import ElementError, element_table
from aiida_inversedesign.libraries.library import Library, Template, aflow_library
from aiida_inversedesign.propose.volumes.volume import element_volumes, estimate_volume, fit_volumes, volume_sum


def test_every_element_has_a_volume():
    assert set(element_volumes()) == set(element_table().symbols)
    assert min(element_volumes().values()) > 2


def test_own_elements_keep_the_volume(rocksalt):
    estimate = estimate_volume(rocksalt, {'Na': 'Na', 'Cl': 'Cl'}, 0.0)
    assert (estimate.scale, estimate.error) == (1.0, 0.0)
    assert estimate.volume == pytest.approx(rocksalt.volume)


def test_potassium_bromide_from_salt(rocksalt):
    # experimental lattice constant of KBr: 6.60 Å
    estimate = estimate_volume(rocksalt, {'Na': 'K', 'Cl': 'Br'}, 3.0)
    assert estimate.volume == pytest.approx(6.60**3 / 4, rel=0.08)


def test_silicon_from_diamond():
    diamond = next(template.crystal for template in aflow_library() if template.prototype == 'diamond')
    assert diamond.volume / 2 == pytest.approx(5.67, rel=0.02)
    assert estimate_volume(diamond, {'C': 'Si'}, 10.0).volume / 2 == pytest.approx(20.0, rel=0.1)


def test_unknown_element():
    with pytest.raises(ElementError, match='Og'):
        volume_sum({'Og': 1, 'O': 1})


def test_fit_recovers_additive_volumes():
    volumes = {'Li': 10.0, 'O': 12.0, 'Mg': 7.5}
    templates = []
    for number, (a, b) in enumerate((('Li', 'O'), ('Mg', 'O'), ('Li', 'Mg'))):
        for copies in (1, 2):
            species = (a,) * copies + (b,)
            size = sum(volumes[symbol] for symbol in species)
            lattice = [[size, 0, 0], [0, 1, 0], [0, 0, 1]]
            coords = [[index / 10, 0, 0] for index in range(len(species))]
            templates.append(Template(f'{number}{copies}', Crystal(lattice, species, coords), '', ''))
    assert fit_volumes(Library(templates)) == pytest.approx(volumes, rel=1e-6)


def test_median_error_on_materials_project(shared):
    """Binary rocksalt-like crystals built from one another: the median error is a few per cent."""
    with gzip.open(shared / 'data/mp_structures.jsonl.gz', 'rt') as handle:
        records = [json.loads(line) for line in handle]
    crystals = [
        Crystal.from_dict(record)
        for record in records
        if record['nsites'] == 2 and record['spacegroup'] == 225 and record['e_above_hull'] <= 0
    ]
    assert len(crystals) > 40
    errors = []
    for one, other in itertools.pairwise(crystals):
        first, second = sorted(one.counts), sorted(other.counts)
        mapping = dict(zip(first, second, strict=False))
        errors.append(abs(estimate_volume(one, mapping, 5.0).volume / other.volume - 1))
    assert sorted(errors)[len(errors) // 2] < 0.12
