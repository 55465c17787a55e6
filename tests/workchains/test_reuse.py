"""Evaluations that the profile has are taken over where the campaign file says so, and only then."""

from __future__ import annotations

from typing import Any

from aiida_inversedesign.workchains.foreground import run_campaign

SMALL = {'select': {'initial': 4, 'batch': 2}, 'learn': {'surrogate': 'gp'}, 'budget': {'evaluations': 4}}


def evaluations(campaign: Any) -> dict[str, Any]:
    """The evaluations of a campaign by formula."""
    found = [
        child for generation in campaign.called for child in generation.called if 'Evaluate' in child.process_label
    ]
    return {child.inputs.candidate.get_formula(): child for child in found}


def test_results_are_taken_over_as_the_nodes_they_are(campaign: Any) -> None:
    builder, _ = campaign(**SMALL)
    first = evaluations(run_campaign(builder))
    plain, _ = campaign(**SMALL)
    assert {node.process_label for node in evaluations(run_campaign(plain)).values()} == {'TableEvaluateWorkChain'}
    builder, _ = campaign(**SMALL, evaluate={'reuse': True})
    again = run_campaign(builder)
    reused = evaluations(again)
    assert set(reused) == set(first)
    assert {node.process_label for node in reused.values()} == {'ReusedEvaluateWorkChain'}
    known = {node.outputs.properties.get_dict()['stiffness']['source'] for node in first.values()}
    for formula, node in reused.items():
        assert node.called == []
        assert node.outputs.properties.uuid == node.inputs.earlier.properties.uuid
        assert node.outputs.properties.get_dict() == first[formula].outputs.properties.get_dict()
        assert node.outputs.properties.get_dict()['stiffness']['source'] in known
        assert 'taken over from the evaluation' in node.description
    assert again.outputs.table.counts['completed'] == 4


def test_other_settings_or_data_are_no_reason_to_take_over(campaign: Any) -> None:
    from aiida_inversedesign.engines.common.reuse import find_earlier

    builder, _ = campaign(**SMALL)
    node = next(iter(evaluations(run_campaign(builder)).values()))
    settings, engine = node.inputs.settings.get_dict(), dict(node.inputs.engine)
    question = (node.process_type, node.inputs.candidate, ['stiffness'])
    assert find_earlier(*question, settings, engine).uuid == node.uuid
    # where and how often a job runs changes nothing, how the answer is found does
    assert find_earlier(*question, {**settings, 'free_space_gb': 9}, engine).uuid == node.uuid
    # nor does a setting that an earlier version did not have, as long as nothing is chosen for it
    assert find_earlier(*question, {**settings, 'prerelax': None}, engine).uuid == node.uuid
    assert find_earlier(*question, {**settings, 'match': 'structure'}, engine) is None
    assert find_earlier(*question, settings, {}) is None
    assert find_earlier(node.process_type, node.inputs.candidate, ['hardness'], settings, engine) is None
