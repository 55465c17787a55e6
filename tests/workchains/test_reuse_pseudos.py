"""An evaluation with pw.x is taken over only if its family gives the same pseudopotentials and cutoffs today."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from aiida_inversedesign.engines.common.reuse import find_earlier

PROCESS_TYPE = 'aiida.workflows:inversedesign.evaluate.quantumespresso'
SETTINGS = {'engine': 'quantumespresso', 'pseudos': 'family', 'cutoff_wfc': None, 'cutoff_rho': None}
UPF = '<UPF version="2.0.1">\n<!-- {note} -->\n<PP_HEADER element="Si" z_valence="4.0"/>\n</UPF>\n'


def make_family(folder: Path, label: str, note: str = '', wfc: float = 30.0) -> Any:
    """A family of one pseudopotential of silicon; ``note`` makes it another one."""
    from aiida_pseudo.data.pseudo.upf import UpfData
    from aiida_pseudo.groups.family import CutoffsPseudoPotentialFamily

    folder.mkdir()
    (folder / 'Si.upf').write_text(UPF.format(note=note), encoding='utf-8')
    family = CutoffsPseudoPotentialFamily.create_from_folder(folder, label, pseudo_type=UpfData)
    family.set_cutoffs({'Si': {'cutoff_wfc': wfc, 'cutoff_rho': 4 * wfc}}, 'normal', unit='Ry')
    return family


@pytest.fixture
def family(aiida_profile_clean: Any, tmp_path: Path) -> Any:
    return make_family(tmp_path / 'first', 'family')


@pytest.fixture
def evaluated(family: Any, aiida_localhost: Any) -> Any:
    """The crystal of an evaluation that ended well: one calculation at 30 Ry."""
    from aiida import orm
    from aiida.common.links import LinkType

    from aiida_inversedesign import __version__

    structure = orm.StructureData(cell=[[0, 2.7, 2.7], [2.7, 0, 2.7], [2.7, 2.7, 0]])
    structure.append_atom(position=(0, 0, 0), symbols='Si')
    structure.append_atom(position=(1.35, 1.35, 1.35), symbols='Si')
    node = orm.WorkChainNode(process_type=PROCESS_TYPE)
    node.base.links.add_incoming(structure.store(), LinkType.INPUT_WORK, 'candidate')
    node.base.links.add_incoming(orm.Dict(SETTINGS).store(), LinkType.INPUT_WORK, 'settings')
    node.set_exit_status(0)
    node.base.attributes.set('version', {'plugin': __version__})
    node.store()
    job = orm.CalcJobNode(computer=aiida_localhost)
    job.base.links.add_incoming(node, LinkType.CALL_CALC, 'relax')
    job.base.links.add_incoming(family.get_pseudo('Si'), LinkType.INPUT_CALC, 'pseudos__Si')
    parameters = orm.Dict({'SYSTEM': {'ecutwfc': 30.0, 'ecutrho': 120.0}}).store()
    job.base.links.add_incoming(parameters, LinkType.INPUT_CALC, 'parameters')
    job.store()
    properties = orm.Dict({'energy': {'value': -1.0}}).store()
    properties.base.links.add_incoming(node, LinkType.RETURN, 'properties')
    structure.base.links.add_incoming(node, LinkType.RETURN, 'relaxed')
    return structure


def found(structure: Any, **changes: Any) -> bool:
    return find_earlier(PROCESS_TYPE, structure, ['energy'], {**SETTINGS, **changes}, {}) is not None


def test_an_equal_evaluation_is_found(evaluated: Any) -> None:
    assert found(evaluated)
    assert not found(evaluated, cutoff_wfc=31.0)


def test_not_after_the_recommended_cutoffs_were_set_anew(evaluated: Any, family: Any) -> None:
    family.set_cutoffs({'Si': {'cutoff_wfc': 40.0, 'cutoff_rho': 160.0}}, 'normal', unit='Ry')
    assert not found(evaluated)


def test_not_with_another_pseudopotential_under_the_same_label(evaluated: Any, family: Any, tmp_path: Path) -> None:
    family.label = 'old'
    make_family(tmp_path / 'equal', 'family')
    assert found(evaluated)
    family.collection.get(label='family').label = 'equal'
    make_family(tmp_path / 'other', 'family', note='another one')
    assert not found(evaluated)


def test_the_same_cutoffs_are_equal_whoever_chose_them(evaluated: Any) -> None:
    """Those that a campaign shares are recorded as numbers; earlier evaluations may have had the same."""
    assert found(evaluated, cutoff_wfc=30.0, cutoff_rho=120.0)
    assert found(evaluated, cutoff_wfc=30.0, cutoff_rho=120.0, shared_cutoffs=True)
    assert not found(evaluated, cutoff_wfc=30.0, cutoff_rho=130.0)
