"""Evaluations with a real pw.x, in the process of the test and with the protocol ``fast``."""

from __future__ import annotations

from typing import Any

from aiida import orm
from aiida.engine import run_get_node
from aiida.plugins import WorkflowFactory

from aiida_inversedesign.engines.quantumespresso.settings import QuantumEspresso


def evaluate_with_pw(
    atoms: Any,
    codes: orm.InstalledCode | dict[str, orm.InstalledCode],
    properties: list[str],
    limits: int | dict[str, Any] | None = None,
    **settings: Any,
) -> tuple[Any, Any]:
    """Outputs and node.

    :param codes: pw.x, or all codes by their port.
    :param limits: those of the evaluation, or of its DFT calculations alone.
    """
    ports = codes if isinstance(codes, dict) else {'code': codes}
    section = QuantumEspresso(
        engine='quantumespresso', pw=ports['code'].full_label, pseudos='debian-pbe', protocol='fast', **settings
    )
    limits = limits if isinstance(limits, dict) else {'dft_calculations': limits, 'core_hours': None}
    return run_get_node(
        WorkflowFactory('inversedesign.evaluate.quantumespresso'),
        candidate=orm.StructureData(ase=atoms),
        properties=orm.List(properties),
        settings=orm.Dict(section.model_dump(mode='json')),
        limits=orm.Dict(limits),
        engine=ports,
    )
