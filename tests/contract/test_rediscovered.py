"""A crystal that relaxes to one whose equation of state is known takes it over: with a real pw.x."""

from __future__ import annotations

from typing import Any

import pytest
from aiida import orm
from aiida.engine import run_get_node
from ase.build import bulk

from aiida_inversedesign.engines.quantumespresso.settings import QuantumEspresso
from aiida_inversedesign.engines.quantumespresso.workchain import QuantumEspressoEvaluateWorkChain
from aiida_inversedesign.graph.diagnosis import jobs_below

pytestmark = pytest.mark.pw


def evaluate(code: orm.InstalledCode, atoms: Any, evaluated: dict[str, Any] | None = None) -> Any:
    section = QuantumEspresso(
        engine='quantumespresso', pw=code.full_label, pseudos='debian-pbe', protocol='fast', kpoints_distance=0.8,
        eos_points=5,
    )  # fmt: skip
    return run_get_node(
        QuantumEspressoEvaluateWorkChain,
        candidate=orm.StructureData(ase=atoms),
        properties=orm.List(['bulk_modulus']),
        settings=orm.Dict(section.model_dump(mode='json')),
        engine={'code': code},
        **({} if evaluated is None else {'evaluated': evaluated}),
    ).node


@pytest.mark.slow
def test_the_equation_of_state_of_the_same_crystal_is_not_computed_again(pw: orm.InstalledCode) -> None:
    first = evaluate(pw, bulk('C', 'diamond', 3.6))
    assert first.is_finished_ok, first.exit_message
    assert len(list(jobs_below(first))) == 7
    evaluated = {
        'relaxed': {'g001_c0001': first.outputs.relaxed},
        'equation_of_state': {'g001_c0001': first.outputs.equation_of_state},
    }
    again = evaluate(pw, bulk('C', 'diamond', 3.5), evaluated)
    assert again.is_finished_ok, again.exit_message
    assert len(list(jobs_below(again))) == 2
    assert again.outputs.equation_of_state.uuid == first.outputs.equation_of_state.uuid
    values = [node.outputs.properties['bulk_modulus']['value'] for node in (first, again)]
    assert values[0] == values[1]
    # what the relaxation itself gives is its own
    assert again.outputs.properties['volume']['value'] == pytest.approx(
        first.outputs.properties['volume']['value'], rel=5e-3
    )

    # another crystal of the formula, or the same one at another volume, is computed
    stretched = first.outputs.relaxed.clone()
    stretched.set_cell([[1.02 * length for length in vector] for vector in stretched.cell])
    other = {**evaluated, 'relaxed': {'g001_c0001': stretched.store()}}
    computed = evaluate(pw, bulk('C', 'diamond', 3.6), other)
    assert len(list(jobs_below(computed))) == 7
