"""Shares of sources in the campaign file."""

from __future__ import annotations

from typing import Any

import pytest
from test_load import VALID

from aiida_inversedesign.campaign.load import CampaignFileError, validate_campaign
from aiida_inversedesign.campaign.spec import CampaignSettings


@pytest.mark.parametrize(
    ('propose', 'shares', 'slots'),
    [
        ({}, {'cspml': 1.0}, {'cspml': 5}),
        ({'method': 'random'}, {'random': 1.0}, {'random': 5}),
        ({'sources': None}, {'cspml': 1.0}, {'cspml': 5}),
        ({'sources': {'symmetric': 2}}, {'symmetric': 1.0}, {'symmetric': 5}),
        ({'sources': ['symmetric']}, {'symmetric': 1.0}, {'symmetric': 5}),
        (
            {'sources': {'substitution': 10, 'cspml': 60, 'symmetric': 30}},
            {'cspml': 0.6, 'symmetric': 0.3, 'substitution': 0.1},
            {'cspml': 3, 'symmetric': 1, 'substitution': 1},
        ),
        (
            {'sources': {'cspml': 0.5, 'symmetric': 0.3, 'random': 0.2}, 'top_k': 2},
            {'cspml': 0.5, 'symmetric': 0.3, 'random': 0.2},
            {'cspml': 1, 'symmetric': 1, 'random': 0},
        ),
        (
            {'sources': {'cspml': 3, 'random': 1}, 'top_k': 40},
            {'cspml': 0.75, 'random': 0.25},
            {'cspml': 30, 'random': 10},
        ),
    ],
)
def test_sources_have_shares_of_the_slots(
    propose: dict[str, Any], shares: dict[str, float], slots: dict[str, int]
) -> None:
    spec = validate_campaign({**VALID, 'propose': propose})
    assert spec.propose.shares == pytest.approx(shares)
    assert list(spec.propose.shares) == list(shares)
    assert spec.propose.slots == slots
    # what is recorded is read again
    assert CampaignSettings.model_validate(spec.settings()).propose == spec.propose


@pytest.mark.parametrize(
    ('propose', 'where', 'says'),
    [
        ({'sources': {}}, 'propose.sources', 'is empty: omit it, or write e.g. {cspml'),
        ({'sources': ['cspml', 'symmetric']}, 'propose.sources', 'learns the shares'),
        ({'sources': ['cspml', 'symmetri'], 'renew': 5}, 'propose.sources[1]', "did you mean 'symmetric'?"),
        ({'sources': ['cspml', 'library'], 'renew': 5}, 'propose.sources.library', 'cannot be mixed'),
        ({'sources': ['cspml', 'cspml'], 'renew': 5}, 'propose.sources', 'more than once'),
        ({'sources': ['cspml', 3], 'renew': 5}, 'propose.sources[1]', 'valid string'),
        ({'sources': []}, 'propose.sources', 'is empty'),
        ({'sources': 'cspml'}, 'propose.sources', 'method: cspml'),
        ({'sources': {'cspl': 1}}, 'propose.sources.cspl', "did you mean 'cspml'?"),
        ({'sources': {'cspml': 0}}, 'propose.sources.cspml', 'greater than 0'),
        ({'sources': {'cspml': -1, 'symmetric': 2}}, 'propose.sources.cspml', 'greater than 0'),
        ({'sources': {'cspml': True}}, 'propose.sources.cspml', 'expected a number, not true or false'),
        ({'sources': {'cspml': float('inf')}}, 'propose.sources.cspml', 'finite'),
        ({'sources': {'cspml': 1}, 'method': 'random'}, 'propose.sources', 'either method or sources'),
        ({'method': None}, 'propose.method', 'write cspml'),
        ({'sources': {'cspml': 1, 'library': 1}}, 'propose.sources.library', 'cannot be mixed'),
        ({'sources': {'sobol': 1}}, 'propose.sources.sobol', 'proposes parameters'),
        ({'sources': {'library': 1}, 'renew': 3}, 'propose.renew', 'does not apply'),
    ],
)
def test_sources_that_cannot_be_say_what_to_write(propose: dict[str, Any], where: str, says: str) -> None:
    with pytest.raises(CampaignFileError) as raised:
        validate_campaign({**VALID, 'propose': propose})
    assert where in str(raised.value)
    assert says in str(raised.value)
