"""Molecules: what is read, what is refused and why, descriptors, pictures, and data sets with hostile lines."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from aiida_inversedesign.campaign.candidate import Candidate
from aiida_inversedesign.campaign.contracts.space import RowError
from aiida_inversedesign.campaign.load import validate_campaign
from aiida_inversedesign.libraries.points import PointSet
from aiida_inversedesign.propose.next_candidates import propose_next
from aiida_inversedesign.select.already_evaluated import AlreadyEvaluated
from aiida_inversedesign.spaces.molecules.molecule import Molecule, SmilesReader
from aiida_inversedesign.spaces.molecules.space import MoleculeSpace

HOSTILE = (
    '\ufeffSMILES,gap\nCCO,5.5\nOCC,6.5\nC1CC,1\n"CCN,1\nCC(C)(C)(C)C,1\nc1cccc1,1\n[Na+].[Cl-],1\nC*C,1\n,1\nCCC,"3,4"\n'
    'CCCC\nCCCl,1e300\nC C,1\nc1ccccc1O,4.5\n'
)


def campaign(**sections: object) -> object:
    return validate_campaign(
        {
            'name': 'm',
            'goal': {'objectives': [{'property': 'gap', 'minimize': True}]},
            'space': {'kind': 'molecules'},
            'propose': {'library': 'm.csv'},
            'evaluate': {'engine': 'table', 'data': 'm.csv', 'units': {'gap': 'eV'}},
            'budget': {'evaluations': 4},
            **sections,
        }
    )


@pytest.mark.parametrize(
    ('text', 'kind', 'words'),
    [
        ('C1CC', 'not SMILES', 'is not a SMILES'),
        ('CC(C)(C)(C)C', 'valence', 'greater than permitted'),
        ('c1cccc1', 'aromatic ring', 'kekulize'),
        ('[Na+].[Cl-]', 'mixture or salt', '2 parts'),
        ('C*C', 'open position', 'whole molecule'),
        ('  ', 'empty', 'no SMILES'),
        ('CCO ethanol', 'not SMILES', 'blank'),
        ('C' * 1001, 'too long', 'at most 1000'),
    ],
)
def test_what_is_not_a_molecule_is_refused_with_its_kind(text: str, kind: str, words: str) -> None:
    with pytest.raises(RowError, match=words) as caught:
        Molecule.of(text)
    assert caught.value.kind == kind


def test_spellings_and_tautomers_are_one_molecule_charges_and_stereo_centres_are_not() -> None:
    assert Molecule.of('OCC').key == Molecule.of('C(C)O').key == Molecule.of('[CH3:7]CO').key == 'CCO'
    keto, enol = Molecule.of('O=c1cccc[nH]1'), Molecule.of('Oc1ccccn1')
    assert keto.key != enol.key
    assert keto.content_hash == enol.content_hash
    space = MoleculeSpace(kind='molecules')
    one = AlreadyEvaluated(space, [], [Candidate('a', keto.key, keto, 'library')])
    assert not one.is_new(Candidate('b', enol.key, enol, 'library'))
    assert Molecule.of('CC(=O)[O-]').content_hash != Molecule.of('CC(=O)O').content_hash
    assert Molecule.of('C[C@H](N)O').content_hash != Molecule.of('C[C@@H](N)O').content_hash
    assert Molecule.from_dict(keto.to_dict()) is not keto
    assert Molecule.from_dict(keto.to_dict()).content_hash == keto.content_hash


@pytest.mark.parametrize(
    ('text', 'settings', 'words'),
    [
        ('CC[Se]C', {}, 'does not have: Se'),
        ('C', {}, '1 non-hydrogen atom, not 2 to 40'),
        ('CC(=O)[O-]', {}, 'net charge -1'),
        ('CC(=O)[O-]', {'charged': True}, ''),
        ('[O-]C(=O)C[NH3+]', {}, ''),
        ('C[CH2]', {}, 'a radical: 1 unpaired electron'),
        ('C1CCCCCCCC1', {}, 'a ring of 9 atoms'),
        ('c1ccc2ccccc2c1', {'max_rings': 1}, '2 rings, more than 1'),
        ('c1ccccc1O', {'max_rings': 0}, '1 ring, more than 0'),
        ('c1ccccc1O', {}, ''),
    ],
)
def test_limits_of_the_space_each_have_a_message(text: str, settings: dict[str, object], words: str) -> None:
    violation = MoleculeSpace(kind='molecules', **settings).violation(Molecule.of(text))
    assert words in violation
    assert bool(violation) == bool(words)


def test_hostile_lines_are_counted_and_the_others_are_kept() -> None:
    data = PointSet.from_bytes(HOSTILE.encode() + b'\xff\xfe,1\n', tolerant=True)
    listing = data.listed(SmilesReader())
    assert [item.content.key for item in listing.measured.values()] == ['CCO', 'CCC', 'Oc1ccccc1']
    ethanol = next(iter(listing.measured.values()))
    assert (ethanol.values, ethanol.replicates) == ({'gap': 6.0}, 2)
    assert [line.partition(':')[0] for line in data.unread] == ['line 5', 'line 12', 'line 13']
    assert [(line, kind) for line, kind, _ in listing.left_out] == [
        (4, 'not SMILES'),
        (6, 'valence'),
        (7, 'aromatic ring'),
        (8, 'mixture or salt'),
        (9, 'open position'),
        (10, 'empty'),
        (14, 'not SMILES'),
        (16, 'not SMILES'),
    ]
    assert 'decimal point' in data.unreadable(['gap'])[0]
    # a stored data set keeps its line numbers
    again = PointSet.from_bytes(data.to_bytes())
    assert again.listed(SmilesReader()).left_out == listing.left_out
    assert again.to_bytes() == data.to_bytes()


def test_the_library_proposes_what_lies_in_the_space_and_is_replayed() -> None:
    data = PointSet.from_bytes(b'smiles,gap\nCCO,5\nO=c1cccc[nH]1,3\nOc1ccccn1,3\nCC[Se]C,2\n', tolerant=True)
    found = propose_next(campaign(), data, None, 1)
    assert [(item.key, item.rejected_by) for item in found] == [
        ('CCO', None),
        ('O=c1cccc[nH]1', None),
        ('CC[Se]C', 'constraints'),
    ]
    assert [item.to_dict() for item in found] == [item.to_dict() for item in propose_next(campaign(), data, None, 1)]


def test_accessibility_is_a_screen() -> None:
    data = PointSet.from_bytes(b'smiles,gap\nCCO,5\nC1CC2CC3CC1C23,3\n', tolerant=True)
    found = propose_next(campaign(screen={'accessibility': {'max': 3}}), data, None, 1)
    assert [item.rejected_by for item in found] == [None, 'accessibility']
    assert found[0].verdicts['accessibility'].value == pytest.approx(1.98, abs=0.01)


def test_descriptors_are_finite_and_few_for_few_evaluations() -> None:
    space = MoleculeSpace(kind='molecules')
    molecules = [Molecule.of(text) for text in ('CCO', 'C', '[SiH4]', 'O=[As](O)O', 'BrC(Br)Br')]
    features, names = space.describe(molecules, [None] * 5)
    assert features.shape == (5, len(names))
    assert np.isfinite(features).all()
    assert len(set(names)) == len(names)
    few = space.columns(names, 50)
    assert few is not None
    assert not any(names[place].startswith('environment') for place in few)
    assert space.columns(names, 2000) is None


def test_a_picture_is_a_drawing_without_script_style_or_text() -> None:
    drawn = MoleculeSpace.picture(Molecule.of('c1ccccc1O'))
    assert drawn.startswith('<svg class="molecule"')
    assert '<path' in drawn
    assert not any(word in drawn for word in ('script', 'style', '<text', 'href', '<?xml'))


def test_a_crystal_library_is_refused_where_molecules_are_wanted() -> None:
    with pytest.raises(Exception, match='needs a CSV file with a column smiles'):
        campaign(propose={})


def test_a_pool_of_molecules_is_read_by_the_same_command(tmp_path: Path) -> None:
    from aiida_inversedesign.benchmarks.search.pool import read_pool

    path = tmp_path / 'm.csv.gz'
    path.write_bytes(gzip.compress(HOSTILE.encode()))
    pool = read_pool(path, ['gap'], cache=tmp_path)
    assert pool.ids == ('CCO', 'Oc1ccccc1')
    assert pool.features.shape == (2, len(pool.names))
    assert pool.left_out['valence'] == 1
    assert pool.left_out['without gap'] == 1
    np.testing.assert_array_equal(read_pool(path, ['gap'], cache=tmp_path).features, pool.features)
