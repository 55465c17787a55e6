"""Applies the screens of a campaign to candidates: those of the kind of space, then those that the file names."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from aiida_inversedesign.campaign.candidate import Candidate, Verdict
from aiida_inversedesign.campaign.contracts import registry
from aiida_inversedesign.campaign.contracts.screen import Screen, ScreenRequest
from aiida_inversedesign.campaign.row import EvaluationRow

if TYPE_CHECKING:
    from aiida_inversedesign.campaign.spec import CampaignSettings


def screened(
    candidates: Sequence[Candidate],
    spec: CampaignSettings,
    rows: Sequence[EvaluationRow] = (),
    by_key: bool = False,
    passed: Sequence[Candidate] = (),
) -> list[Candidate]:
    """The candidates with a verdict of each screen, in the order of the screens.

    A verdict that the source has given stays. What has no content is judged only by screens that need the key alone.

    :param by_key: only the screens that need the key alone, before anything is built.
    :param passed: candidates of the same proposal that passed before.
    """
    verdicts: list[dict[str, Verdict]] = [dict(candidate.verdicts) for candidate in candidates]
    for screen, settings in _screens(spec):
        if by_key and not screen.by_key:
            continue
        asked = [
            index
            for index, candidate in enumerate(candidates)
            if screen.name not in verdicts[index]
            and (candidate.content is not None or screen.by_key)
            and (not screen.only_passed or all(verdict.passed for verdict in verdicts[index].values()))
        ]
        # what a source has judged already is not asked about again, but it stands beside the others
        known = [
            candidate
            for candidate, own in zip(candidates, verdicts, strict=True)
            if screen.name in own and candidate.accepted
        ]
        request = ScreenRequest(spec, rows, settings, [*passed, *known])
        given = screen.judge([candidates[index] for index in asked], request)
        for index, verdict in zip(asked, given, strict=True):
            if verdict is not None:
                verdicts[index][screen.name] = verdict
    return [dataclasses.replace(candidate, verdicts=own) for candidate, own in zip(candidates, verdicts, strict=True)]


def _screens(spec: CampaignSettings) -> Iterator[tuple[Screen, object]]:
    """Each screen with its settings, those that ask only about what passed last."""
    named = dict.fromkeys(spec.space.screens) | spec.screen.further
    made: list[Screen] = [registry.part('screens', name)() for name in named]
    for screen in sorted(made, key=lambda item: item.only_passed):
        section = screen.section
        yield screen, None if section is None else section.model_validate(named[screen.name] or {})
