"""What a slice is told, without running it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def pw(aiida_profile_clean: Any, aiida_code_installed: Any, tmp_path: Path) -> Any:
    """A code that is never run, and a family with an empty pseudopotential of Si."""
    from aiida.plugins import DataFactory, GroupFactory

    header = '<UPF version="2.0.1">\n<PP_HEADER\nelement="Si"\nz_valence="4.0"\n/>\n</UPF>\n'
    (tmp_path / 'Si.upf').write_text(header)
    family = GroupFactory('pseudo.family.cutoffs').create_from_folder(
        tmp_path, 'empty', pseudo_type=DataFactory('pseudo.upf')
    )
    family.set_cutoffs({'Si': {'cutoff_wfc': 40.0, 'cutoff_rho': 160.0}}, 'normal', unit='Ry')
    return aiida_code_installed(
        label='pw', default_calc_job_plugin='quantumespresso.pw', filepath_executable='/bin/true'
    )


def test_slices_are_the_two_relaxations_of_one_piece_with_fewer_steps(pw: Any) -> None:
    from aiida.orm import StructureData
    from ase.build import bulk

    from aiida_inversedesign.engines.common.limits import Allotment
    from aiida_inversedesign.engines.quantumespresso.pw_inputs import relax_builder
    from aiida_inversedesign.engines.quantumespresso.pw_slice import PwSliceWorkChain, slice_inputs
    from aiida_inversedesign.engines.quantumespresso.settings import QuantumEspresso, Slices

    settings = QuantumEspresso(
        engine='quantumespresso', pw=pw.full_label, pseudos='empty', slices=Slices(steps=7)
    ).model_dump(mode='json')
    structure = StructureData(ase=bulk('Si'))
    whole = relax_builder(pw, structure, settings, Allotment((2, 2), 600))
    for final, namespace in ((False, whole.base_init_relax), (True, whole.base_relax)):
        inputs = slice_inputs(pw, structure, settings, Allotment((2,), 600), final)
        parameters = inputs['pw']['parameters'].get_dict()
        assert parameters['CONTROL'].pop('nstep') == 7
        assert parameters == namespace.pw.parameters.get_dict()
        assert inputs['kpoints_distance'].value == namespace.kpoints_distance.value
        assert inputs['max_iterations'].value == namespace.max_iterations.value
        assert inputs['pw']['structure'] is structure
        assert inputs['pw']['metadata']['options']['max_wallclock_seconds'] == 600
        # AiiDA accepts them
        builder = PwSliceWorkChain.get_builder()
        builder._update(inputs)


def test_a_slice_keeps_the_handlers_of_its_parent() -> None:
    from aiida_quantumespresso.workflows.pw.base import PwBaseWorkChain

    from aiida_inversedesign.engines.quantumespresso.pw_slice import PwSliceWorkChain

    own = {handler.__name__ for handler in PwSliceWorkChain.get_process_handlers()}
    assert own == {handler.__name__ for handler in PwBaseWorkChain.get_process_handlers()} | {'handle_steps_used'}
    assert not {code.status for code in PwBaseWorkChain.exit_codes.values()} & {
        PwSliceWorkChain.exit_codes.STEPS_USED.status
    }
