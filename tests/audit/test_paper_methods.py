"""The methods paragraph says what the settings were: schedule, stages of an evaluation, goals without hits."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from made_record import made_record

from aiida_inversedesign.audit.audit import audit
from aiida_inversedesign.campaign.spec import CampaignSettings
from aiida_inversedesign.engines.common.paper import equation_of_state
from aiida_inversedesign.paper.citations import cited
from aiida_inversedesign.paper.facts import Facts
from aiida_inversedesign.paper.methods import methods


def facts_of(
    evaluate: dict[str, Any] | None = None,
    select: dict[str, Any] | None = None,
    propose: dict[str, Any] | None = None,
    **changes: Any,
) -> Facts:
    """The facts of a made-up campaign with these entries of its sections."""
    record = made_record(12, **changes)
    settings = record.settings.model_dump(mode='json')
    settings['select'] |= {'initial': 6, 'batch': 2, **(select or {})}
    settings['evaluate'] |= evaluate or {}
    settings['propose'] |= propose or {}
    record = replace(
        record, settings=CampaignSettings.model_validate(settings), budget={'evaluations': 12, 'at_once': 5}
    )
    return Facts(record, audit(record, 'none'))


def test_generations_are_told_with_what_was_spread_in_all() -> None:
    text = methods(facts_of())
    assert 'The first generation evaluated 6 candidates spread over' in text
    assert '; each later one 2, chosen by' in text
    assert 'refitted after every generation' in text
    assert 'more were spread' not in text
    text = methods(facts_of(select={'initial': 4}))
    assert '4 candidates spread' in text
    assert '(2 more were spread later, while there was too little to learn from)' in text


def test_an_asynchronous_search_has_no_generations() -> None:
    text = methods(facts_of(select={'schedule': 'asynchronous'}))
    assert 'The search was asynchronous: it began with 6 candidates' in text
    assert 'at most 5 under way at a time' in text
    assert 'refitted whenever the results had grown by a tenth' in text
    assert 'generation' not in text.split('## References')[0]


def test_what_went_before_the_relaxation_is_told_and_cited() -> None:
    first = {'code': 'python@x', 'calculator': 'mace', 'arguments': {'model': 'small'}, 'fmax': 0.05, 'steps': 200}
    facts = facts_of(evaluate={'prerelax': first})
    text = methods(facts)
    assert "relaxed by the ASE calculator 'mace' (model = small) [@ase2017] until no force exceeded 0.05 eV/Å" in text
    assert 'ase2017' in cited(facts)
    assert 'ASE' not in methods(facts_of())


@pytest.mark.parametrize('give_up', [None, True, False])
def test_slices_are_told_and_when_they_end(give_up: bool | None) -> None:
    slices = {'steps': 8, 'at_most': 12, 'give_up': give_up, 'margin': 0.05}
    bound = [{'property': 'e_above_hull', 'max': 0.1}]
    text = methods(facts_of(evaluate={'slices': slices}, constraints=bound))
    assert 'slices of at most 8 ionic steps, at most 12 of them' in text
    assert ('given up once' in text) == (give_up is not False)
    assert 'given up' not in methods(facts_of(evaluate={'slices': {**slices, 'give_up': None}}))


def test_hits_are_only_told_where_there_can_be_any() -> None:
    text = methods(facts_of(objectives=[{'property': 'bulk_modulus', 'maximize': True}]))
    assert 'no hit threshold is set. ' in text
    assert 'distinct hit' not in text
    assert 'a random choice' not in text
    one = methods(facts_of(objectives=[{'property': 'bulk_modulus', 'maximize': True, 'hit': 1e4}]))
    assert '0 are distinct hits' in one
    assert 'not known: the base rate' not in one


@pytest.mark.parametrize(
    ('state', 'words'), [('killed', "ended as 'killed', without a recorded reason."), ('waiting', 'has not ended.')]
)
def test_a_campaign_without_a_reason_ended_or_not(state: str, words: str) -> None:
    assert f'; the campaign {words}' in methods(facts_of(state=state, stop_reason=None))


@pytest.mark.parametrize('known', [(), ('elastic_stability',), ('elastic_stability', 'shear_modulus')])
def test_elastic_constants_are_told_and_cited_as_far_as_they_were_found(known: tuple[str, ...]) -> None:
    facts = facts_of()
    first, *others = facts.record.evaluations
    first = replace(first, properties={**first.properties, **dict.fromkeys(known, 1.0)})
    facts = replace(facts, record=replace(facts.record, evaluations=[first, *others]))
    text = methods(facts)
    assert ('1 % of either sign, with relaxed ions' in text) == bool(known)
    assert ('model of Chen et al. [@chen2011]' in text) == ('shear_modulus' in known)
    assert ('mouhat2014' in cited(facts)) == bool(known)


def test_densities_of_states_are_told_and_cited_if_they_were_found() -> None:
    facts = facts_of()
    first, *others = facts.record.evaluations
    found = replace(first, properties={**first.properties, 'dos_at_fermi': 0.4})
    found = replace(facts, record=replace(facts.record, evaluations=[found, *others]))
    assert 'with the optimised tetrahedron method [@kawamura2014]' in methods(found)
    assert [('kawamura2014' in cited(item), 'dos.x' in methods(item)) for item in (facts, found)] == [
        (False, False),
        (True, True),
    ]


def test_every_source_of_a_mixture_is_told_and_cited() -> None:
    facts = facts_of(propose={'method': None, 'sources': {'cspml': 6, 'symmetric': 3, 'decoration': 1}})
    text = methods(facts)
    assert (
        'up to 5 structures were proposed by template-based crystal structure prediction (CSPML) (60 % of them)' in text
    )
    assert 'drawn by their frequencies in the library (PyXtal) (30 % of them) [@pyxtal2021; @shotguncsp2024]' in text
    assert 'simpler structures (icet) (10 % of them) [@icet2019; @orderings2008] from the library' in text
    assert {'cspml2022', 'pyxtal2021', 'icet2019'} <= set(cited(facts))
    assert 'pyxtal2021' not in cited(facts_of())


def test_errors_of_bulk_moduli_are_explained_where_there_are_any() -> None:
    facts = facts_of()
    known = [replace(item, properties={'bulk_modulus': 100.0}, errors={}) for item in facts.record.evaluations]
    without = replace(facts.record, evaluations=known)
    with_errors = replace(without, evaluations=[replace(item, errors={'bulk_modulus': 0.5}) for item in known])
    for record, said in ((without, False), (with_errors, True)):
        text = equation_of_state(Facts(record, facts.report), lambda key: '')
        assert 'Birch–Murnaghan fit' in text
        assert ('averaged with the forms of Vinet' in text) is said
