"""OPTIMADE's structures as crystals, compared with what their entries state; ordered structures alone are taken."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.chemistry.elements import element_table
from aiida_inversedesign.chemistry.formula_spelling import FormulaError
from aiida_inversedesign.chemistry.formulas import parse_formula, reduced_formula
from aiida_inversedesign.libraries import entries
from aiida_inversedesign.libraries.entries import Notes, RefusedError, number_of, plain_crystal

#: kinds of features by what the specification calls them, and what they mean
FEATURES = {
    'disorder': (entries.PARTIAL, 'partially occupied sites: the provider marks the structure as disordered'),
    'assemblies': (
        entries.ASSEMBLIES,
        'groups of sites exclude each other (assemblies): only ordered structures can be used',
    ),
    'site_attachments': (entries.ATTACHMENTS, 'atoms are attached to sites without sites of their own'),
    'implicit_atoms': (entries.IMPLICIT, 'some atoms have no sites'),
}
#: u: a mass that differs by more from the element's is that of an isotope
ISOTOPE = 0.8
#: symbols of a species that are not atoms
NO_ATOM = frozenset({'X', 'vacancy'})


def crystal_of_attributes(attributes: Mapping[str, Any], largest: int | None, notes: Notes) -> Crystal:
    """The crystal of the attributes of an OPTIMADE structure, compared with what they say of it.

    :raises RefusedError: if it is not ordered, has atoms without sites, or contradicts itself.
    """
    vectors, positions = attributes.get('lattice_vectors'), attributes.get('cartesian_site_positions')
    periodic = attributes.get('dimension_types')
    if not vectors or None in vectors or any(None in vector for vector in vectors):
        raise RefusedError(entries.LATTICE, 'the lattice is missing')
    if periodic is not None and list(periodic) != [1, 1, 1]:
        raise RefusedError(entries.LATTICE, 'the structure is not periodic in three directions')
    _check_features(attributes, notes)
    if not positions or not attributes.get('species') or not attributes.get('species_at_sites'):
        raise RefusedError(entries.UNREADABLE, 'sites or species are missing')
    entries.check_sites(len(positions), largest)
    symbols = {species['name']: _symbol(species, notes) for species in attributes['species']}
    try:
        sites = [symbols[name] for name in attributes['species_at_sites']]
    except KeyError as error:
        raise RefusedError(entries.UNREADABLE, f'the species {error} of a site is not described') from error
    lattice = np.asarray(vectors, dtype=np.float64)
    cartesian = np.asarray(positions, dtype=np.float64)
    if not (np.isfinite(lattice).all() and np.isfinite(cartesian).all()):
        raise RefusedError(entries.NAN, 'lattice or coordinates contain NaN or infinity')
    entries.check_cell(lattice, len(sites))
    coords = cartesian @ np.linalg.inv(lattice)
    crystal = plain_crystal({'lattice': lattice, 'species': sites, 'frac_coords': coords}, largest)
    _compare(attributes, crystal, notes)
    return crystal


def _check_features(attributes: Mapping[str, Any], notes: Notes) -> None:
    """Refuse what sites alone do not tell; the lists that describe it count as much as the feature."""
    features = [str(feature) for feature in attributes.get('structure_features') or ()]
    if attributes.get('assemblies') and 'assemblies' not in features:
        features.append('assemblies')
    attached = [
        species for species in attributes.get('species') or ()
        if any(species.get('nattached') or [1] * len(species.get('attached') or ()))
    ]  # fmt: skip
    if attached and 'site_attachments' not in features:
        features.append('site_attachments')
    for feature in features:
        kind, reason = FEATURES.get(feature, (entries.UNKNOWN_FEATURE, f'a feature that is not known: {feature[:60]}'))
        if feature == 'site_attachments' and attached:
            reason += f': {attached[0].get("attached")} at {attached[0].get("name")}'[:100]
        notes.contradiction(kind, reason)


def _compare(attributes: Mapping[str, Any], crystal: Crystal, notes: Notes) -> None:
    """Compare the stated numbers and formula with the sites."""
    stated = attributes.get('nsites')
    if isinstance(stated, int) and stated != crystal.nsites:
        notes.contradiction(entries.SITES_MISMATCH, f'nsites is {stated}, the entry has {crystal.nsites} sites')
    elements = attributes.get('nelements')
    if isinstance(elements, int) and elements != len(crystal.counts):
        notes.contradiction(
            entries.FORMULA_MISMATCH, f'nelements is {elements}, the sites have {len(crystal.counts)} elements'
        )
    formula = attributes.get('chemical_formula_reduced')
    if not formula:
        return
    try:
        named = reduced_formula(parse_formula(str(formula)))
    except FormulaError:
        notes.say(entries.REMARK, f'the stated formula {str(formula)[:60]!r} cannot be read and was not compared')
        return
    if named != crystal.formula:
        notes.contradiction(
            entries.FORMULA_MISMATCH,
            f'chemical_formula_reduced is {str(formula)[:80]}, that of the sites {crystal.formula}',
        )


def _symbol(species: Mapping[str, Any], notes: Notes) -> str:
    symbols, shares = species['chemical_symbols'], species.get('concentration') or [1.0]
    if len(symbols) != 1 or abs(float(shares[0]) - 1.0) > 1e-3 or symbols[0] in NO_ATOM:
        mixture = ', '.join(f'{symbol} {share}' for symbol, share in zip(symbols, shares, strict=False))[:100]
        raise RefusedError(entries.PARTIAL, f'partially occupied sites: {mixture}')
    symbol = str(symbols[0])
    masses = species.get('mass')
    mass = number_of(masses[0] if isinstance(masses, list) and masses else masses)
    usual = element_table().column('atomic_weight').get(symbol)
    if mass and usual and abs(mass - usual) > ISOTOPE:
        notes.say(entries.REMARK, f'the isotope of mass {mass:g} u is taken as {symbol}')
    return symbol
