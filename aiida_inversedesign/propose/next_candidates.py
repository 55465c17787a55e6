"""The proposal of a campaign's next generation: a source proposes, screens judge, ids are given."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from aiida_inversedesign.campaign.candidate import Candidate
from aiida_inversedesign.campaign.contracts.source import Progress, ProposalError, SourceRequest
from aiida_inversedesign.campaign.row import EvaluationRow
from aiida_inversedesign.campaign.spec import CampaignSettings
from aiida_inversedesign.propose.sources.mixture import mixture, named_together
from aiida_inversedesign.screen.apply import screened

__all__ = ['ProposalError', 'propose_next', 'settings_of_a_proposal']


def propose_next(
    spec: CampaignSettings,
    library: Any,
    model: Any,
    generation: int,
    rows: Sequence[EvaluationRow] = (),
    earlier: Sequence[Candidate] = (),
    surrogate: Any = None,
    exclude: Collection[str] = (),
    generated: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> list[Candidate]:
    """The earlier candidates and the new ones, of keys that were not considered before.

    Rejected candidates are returned too, with the verdict that rejected them. The same arguments give the same result.

    :param spec: the campaign; its ``seed`` and the generation fix all random choices.
    :param library: the templates or points of ``propose.library``, where the source needs them.
    :param model: the proposal model, where the source needs one; None takes the one shipped with the package.
    :param generation: number of the generation, from 1, part of the ids: ``g001_c0001``.
    :param rows: evaluations so far; what equals an evaluated candidate is rejected.
    :param surrogate: fitted to the evaluations so far, for sources that search.
    :param exclude: reduced formulas whose templates are not used; a fair test of a ranking removes what it asks for.
    :param generated: what the program of ``propose.external`` gave.
    :param progress: called with what is being done and the fraction done.
    :raises ProposalError: if there is nothing to propose.
    """
    reporting = {} if progress is None else {'progress': progress}
    request = SourceRequest(
        spec, generation, rows, earlier, library, model, surrogate, generated, frozenset(exclude), **reporting
    )
    found = named_together(screened(mixture(spec).propose(request), spec, rows), spec.space)
    width = max(4, len(str(len(found))))
    return [
        *earlier,
        *(
            dataclasses.replace(candidate, id=f'g{generation:03d}_c{number:0{width}d}')
            for number, candidate in enumerate(found, 1)
        ),
    ]


def settings_of_a_proposal(space: Mapping[str, Any], propose: Mapping[str, Any], seed: int = 0) -> CampaignSettings:
    """The settings of a proposal outside a campaign: nothing is evaluated, so that goal and engine stand for any."""
    return CampaignSettings.model_validate(
        {
            'name': 'proposal',
            'seed': seed,
            'goal': {'objectives': [{'property': 'energy', 'minimize': True}]},
            'space': dict(space),
            'propose': dict(propose),
            'evaluate': {'engine': 'table', 'data': 'none'},
        }
    )
