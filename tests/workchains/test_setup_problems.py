"""What is missing in a profile is said before anything is launched, also in a profile that has been used."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from aiida_inversedesign.campaign.load import validate_campaign

pytestmark = pytest.mark.usefixtures('aiida_profile_clean')

UPF = """<UPF version="2.0.1">
<PP_HEADER element="{element}" z_valence="4.0"/>
</UPF>
"""


@pytest.fixture
def pseudos(aiida_profile_clean: Any, tmp_path: Path) -> Any:
    """Pseudopotentials of B and N in a family of the plain kind, as `aiida-pseudo install family` makes it."""
    from aiida_pseudo.data.pseudo.upf import UpfData
    from aiida_pseudo.groups.family import PseudoPotentialFamily

    folder = tmp_path / 'pseudos'
    folder.mkdir()
    for element in ('B', 'N'):
        (folder / f'{element}.upf').write_text(UPF.format(element=element), encoding='utf-8')
    return PseudoPotentialFamily.create_from_folder(folder, 'plain', pseudo_type=UpfData)


def problems_of(sections: dict[str, Any] | None = None, **evaluate: Any) -> list[str]:
    """What is said against a campaign with pw.x."""
    from aiida_inversedesign.workchains.build import SetupError, build_campaign

    data = {
        'name': 'nitride',
        'goal': {'objectives': [{'property': 'lattice_constant', 'target': 3.6, 'tolerance': 0.1}]},
        'space': {'elements': ['B', 'N'], 'ratios': ['1:1']},
        'evaluate': {'engine': 'quantumespresso', 'pw': 'pw@localhost', 'pseudos': 'plain'} | evaluate,
        'budget': {'evaluations': 2},
    }
    with pytest.raises(SetupError) as caught:
        build_campaign(validate_campaign(data | (sections or {})))
    return caught.value.problems


def test_a_code_that_is_not_there_is_named_beside_those_that_are(tmp_path: Path) -> None:
    from aiida.orm import Dict
    from rehearsal import make_python_code

    make_python_code(tmp_path)
    Dict({'a': 1}).store()  # a profile in use has nodes of other kinds
    assert any("there is no code 'pw@localhost'; this profile has python@localhost" in text for text in problems_of())


def test_an_empty_label_of_a_family_is_refused() -> None:
    assert any("there is no pseudopotential family ''" in text for text in problems_of(pseudos=''))


@pytest.mark.usefixtures('pseudos')
def test_a_family_without_cutoffs_is_refused_before_every_evaluation_fails() -> None:
    assert any("'plain' recommends no cutoffs" in text for text in problems_of())
    assert any("'plain' recommends no cutoffs" in text for text in problems_of(cutoff_wfc=40))
    assert not any('cutoffs' in text for text in problems_of(cutoff_wfc=40, cutoff_rho=160))


def test_a_family_whose_cutoffs_were_not_set_is_refused_too(pseudos: Any, tmp_path: Path) -> None:
    from aiida_pseudo.data.pseudo.upf import UpfData
    from aiida_pseudo.groups.family import CutoffsPseudoPotentialFamily

    family = CutoffsPseudoPotentialFamily.create_from_folder(tmp_path / 'pseudos', 'cut', pseudo_type=UpfData)
    assert any("'cut' recommends no cutoffs" in text for text in problems_of(pseudos='cut'))
    cutoffs = {element: {'cutoff_wfc': 40.0, 'cutoff_rho': 160.0} for element in ('B', 'N')}
    family.set_cutoffs(cutoffs, 'normal', unit='Ry')
    assert not any('cutoffs' in text for text in problems_of(pseudos='cut'))
    # the crystals of a library as they are: the space names no elements
    crystals = {'space': {}, 'propose': {'library': 'none', 'method': 'library'}}
    assert not any('cutoffs' in text for text in problems_of(crystals, pseudos='cut'))
    assert any("'plain' recommends no cutoffs" in text for text in problems_of(crystals))
