"""A campaign whose surrogate starts from a property of the library's entries."""

from __future__ import annotations

from typing import Any

from agreement import check_agreement

from aiida_inversedesign.workchains.foreground import run_campaign


def test_a_transfer_surrogate_starts_from_the_library(campaign: Any) -> None:
    builder, _ = campaign(
        learn={'surrogate': 'transfer', 'source': ['volume']}, select={'initial': 6}, budget={'evaluations': 8}
    )
    node = run_campaign(builder)
    check_agreement(node)
    assert node.is_finished_ok, node.exit_message
    models = node.outputs.surrogate.get_surrogate().models
    assert models['stiffness'].kind == 'transfer'
    fit = node.outputs.surrogate.creator
    assert fit.inputs.library.uuid == node.inputs.library.uuid
