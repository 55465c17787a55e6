"""What each protocol makes pw.x do, pinned; and overrides that nothing would read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from aiida_inversedesign.engines.common.protocols import ProtocolError, protocol_inputs

PROTOCOLS = ('fast', 'balanced', 'stringent')

UPF = '<UPF version="2.0.1">\n<PP_HEADER\nelement="{element}"\nz_valence="{valence}"\n/>\n</UPF>\n'


def plain(value: Any) -> Any:
    """Inputs as plain data: nodes by what they hold."""
    from aiida import orm

    if isinstance(value, orm.Dict):
        return value.get_dict()
    if isinstance(value, orm.Bool | orm.Int | orm.Float | orm.Str):
        return value.value
    if isinstance(value, orm.Data | orm.AbstractCode):
        return type(value).__name__
    if hasattr(value, 'items'):
        return {key: plain(item) for key, item in sorted(value.items())}
    return value


@pytest.fixture
def pw(aiida_profile_clean: Any, aiida_code_installed: Any, tmp_path: Path) -> Any:
    """A code that is never run, and a family of empty pseudopotentials for Si and C."""
    from aiida.plugins import DataFactory, GroupFactory

    for element in ('Si', 'C'):
        (tmp_path / f'{element}.upf').write_text(UPF.format(element=element, valence=4.0))
    family = GroupFactory('pseudo.family.cutoffs').create_from_folder(
        tmp_path, 'empty', pseudo_type=DataFactory('pseudo.upf')
    )
    cutoffs = {element: {'cutoff_wfc': 40.0, 'cutoff_rho': 160.0} for element in ('Si', 'C')}
    family.set_cutoffs(cutoffs, 'normal', unit='Ry')
    return aiida_code_installed(
        label='pw', default_calc_job_plugin='quantumespresso.pw', filepath_executable='/bin/true'
    )


@pytest.mark.parametrize('protocol', PROTOCOLS)
@pytest.mark.parametrize('electronic_type', ['automatic', 'insulator'])
def test_builder_of_a_relaxation(pw: Any, data_regression: Any, protocol: str, electronic_type: str) -> None:
    from aiida.orm import StructureData
    from ase.build import bulk

    from aiida_inversedesign.engines.common.limits import Allotment
    from aiida_inversedesign.engines.quantumespresso.pw_inputs import relax_builder
    from aiida_inversedesign.engines.quantumespresso.settings import QuantumEspresso

    settings = QuantumEspresso(
        engine='quantumespresso', pw=pw.full_label, pseudos='empty', protocol=protocol, electronic_type=electronic_type
    ).model_dump(mode='json')
    structure = StructureData(ase=bulk('SiC', 'zincblende', 4.38))
    builder = relax_builder(pw, structure, settings, Allotment((2, 3), 600))
    data_regression.check(plain(builder._inputs(prune=True)))


@pytest.mark.parametrize('protocol', PROTOCOLS)
def test_k_points_are_those_of_the_protocols_of_aiida_quantumespresso(protocol: str) -> None:
    from aiida_quantumespresso.workflows.pw.base import PwBaseWorkChain

    theirs = PwBaseWorkChain.get_protocol_inputs(protocol)['kpoints_distance']
    assert protocol_inputs('quantumespresso', protocol)['kpoints_distance'] == theirs


def test_an_override_replaces_one_value_of_one_call() -> None:
    before = protocol_inputs('quantumespresso', 'fast')
    assert protocol_inputs('quantumespresso', 'fast', {'empty_bands': 9}) == before | {'empty_bands': 9}
    assert protocol_inputs('quantumespresso', 'fast') == before
    assert protocol_inputs('quantumespresso') == protocol_inputs('quantumespresso', 'balanced')


@pytest.mark.parametrize(
    ('arguments', 'words'),
    [
        (('fats',), "did you mean 'fast'"),
        (('fast', {'mixing_bta': 0.3}), "did you mean 'mixing_beta'"),
        (('fast', {'description': 'x'}), "'description' is not a key"),
    ],
)
def test_what_does_not_exist_is_refused(arguments: tuple[Any, ...], words: str) -> None:
    with pytest.raises(ProtocolError, match=words):
        protocol_inputs('quantumespresso', *arguments)
