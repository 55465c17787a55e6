"""A campaign that learns all properties of its goal together, and takes the same decisions again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from agreement import check_agreement
from rehearsal import make_library

from aiida_inversedesign.libraries.library import Library


def test_several_properties_are_learned_together_and_verified(campaign: Any) -> None:
    from aiida_inversedesign.nodes.library_data import LibraryData
    from aiida_inversedesign.verify import verify
    from aiida_inversedesign.workchains.foreground import run_campaign

    softness = [
        replace(template, properties={**template.properties, 'softness': 100 - template.properties['stiffness'] / 5})
        for template in make_library()
    ]
    LibraryData.from_library(Library(softness), label='two properties').store()
    builder, _ = campaign(
        goal={
            'objectives': [{'property': 'stiffness', 'maximize': True, 'hit': 250}],
            'constraints': [{'property': 'softness', 'max': 90}],
        },
        propose={'library': 'two properties'},
        evaluate={'data': 'two properties', 'units': {'stiffness': 'GPa', 'softness': '1'}},
        learn={'surrogate': 'multitask'},
    )
    node = run_campaign(builder)
    check_agreement(node)
    assert node.is_finished_ok, node.exit_message
    surrogate = node.outputs.surrogate
    assert surrogate.models == {'stiffness': 'multitask', 'softness': 'multitask'}
    assert surrogate.get_surrogate().models['stiffness'].tasks == ('softness',)
    found = verify(node)
    assert found['different'] == []
    assert found['identical'] >= 8
