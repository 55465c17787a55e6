"""The source ``library``: the entries of a library or data set themselves are the candidates."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from aiida_inversedesign.campaign.candidate import Candidate, Verdict
from aiida_inversedesign.campaign.contracts.source import ProposalError, Source, SourceRequest
from aiida_inversedesign.libraries.library import Library
from aiida_inversedesign.libraries.points import PointSet


class LibrarySource(Source):
    """Takes entries as they are; those evaluated before are rejected."""

    name = 'library'
    spaces = ('crystals', 'parameters', 'molecules')
    needs = ('library',)

    def propose(self, request: SourceRequest) -> list[Candidate]:
        """Every entry within the space that no earlier proposal considered.

        :raises ProposalError: if there is none.
        """
        library = request.library
        found = list(_crystals(request, library) if isinstance(library, Library) else _listed(request, library))
        if not found and request.earlier:
            raise ProposalError('every entry of the library in this space has been proposed')
        if not found:
            raise ProposalError(f'none of the {len(library)} entries of the library lies in the space: widen it')
        known = {content.content_hash for row in request.rows for content in (row.proposed, row.relaxed) if content}
        for candidate in found:
            # entries are compared by their content, not matched
            new = candidate.content.content_hash not in known
            candidate.verdicts['duplicate'] = Verdict(new, None, '' if new else 'evaluated before')
        return found


def _crystals(request: SourceRequest, library: Library) -> Iterator[Candidate]:
    space: Any = request.spec.space
    excluded, formulas = request.considered | request.exclude, set(space.formulas)
    for template in library:
        crystal = template.crystal
        if crystal.formula in excluded:
            continue
        inside = not (space.elements or formulas) or crystal.formula in formulas
        if space.elements and not inside:
            inside = set(crystal.counts) <= set(space.elements) and crystal.ratio_label in space.ratios
        if inside:
            yield Candidate(
                id='',
                key=crystal.formula,
                content=crystal,
                proposer='library',
                template=template.id,
                template_formula=crystal.formula,
                prototype=template.prototype,
                assignment={symbol: symbol for symbol in crystal.counts},
                volume_scale=1.0,
            )


def _listed(request: SourceRequest, data: PointSet) -> Iterator[Candidate]:
    considered = request.considered
    for content in data.contents(request.spec.space):
        if content.key not in considered:
            yield Candidate(id='', key=content.key, content=content, proposer='library')
