"""The method ``library``: the structures of a library themselves are the candidates."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from aiida_inversedesign.campaign.candidate import Candidate, Verdict
from aiida_inversedesign.campaign.goal import CompositionConstraint
from aiida_inversedesign.campaign.spec import Space
from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.libraries.library import Library
from aiida_inversedesign.propose.filters import composition_verdict, sites_verdict


def whole_library(
    space: Space,
    library: Library,
    evaluated: Sequence[Crystal],
    excluded: frozenset[str],
    composition: Sequence[CompositionConstraint] = (),
) -> Iterator[Candidate]:
    """The library's own structures within the space, as they are; those evaluated before are rejected."""
    known = {crystal.content_hash for crystal in evaluated}
    formulas = set(space.formulas)
    for template in library:
        crystal = template.crystal
        if crystal.formula in excluded:
            continue
        inside = not (space.elements or formulas) or crystal.formula in formulas
        if space.elements and not inside:
            inside = set(crystal.counts) <= set(space.elements) and crystal.ratio_label in space.ratios
        if not inside:
            continue
        new = crystal.content_hash not in known
        yield Candidate(
            id='',
            formula=crystal.formula,
            crystal=crystal,
            proposer='library',
            template=template.id,
            template_formula=crystal.formula,
            prototype=template.prototype,
            assignment={symbol: symbol for symbol in crystal.counts},
            volume_scale=1.0,
            verdicts={
                **({'composition': composition_verdict(crystal.counts, composition)} if composition else {}),
                'sites': sites_verdict(crystal, space.max_sites),
                'duplicate': Verdict(new, None, '' if new else 'evaluated before'),
            },
        )


def no_structure(space: Space, library: Library) -> str:
    wanted = f'elements {", ".join(space.elements)}, ratios {", ".join(space.ratios)}' if space.elements else ''
    named = f'formulas {", ".join(space.formulas)}' if space.formulas else ''
    inside = '; '.join(filter(None, (wanted, named))) or 'any'
    return f'none of the {len(library)} structures of the library lies in the space ({inside}): widen it'
