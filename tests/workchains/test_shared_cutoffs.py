"""Where energies of different compositions are compared, every calculation has the same cutoffs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rehearsal import make_python_code

from aiida_inversedesign.campaign.load import validate_campaign
from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.libraries.library import Library, Template

#: Ry, for wavefunctions; those for the density are eight times as large, but four times of oxygen.
CUTOFFS = {'B': 30.0, 'N': 50.0, 'O': 55.0, 'Si': 35.0}
RHO = {symbol: wfc * (4 if symbol == 'O' else 8) for symbol, wfc in CUTOFFS.items()}
UPF = '<UPF version="2.0.1">\n<PP_HEADER element="{element}" z_valence="4.0"/>\n</UPF>\n'


@pytest.fixture(autouse=True)
def profile(aiida_profile_clean: Any, tmp_path: Path) -> None:
    """A code, and a family with cutoffs of four elements."""
    from aiida_pseudo.data.pseudo.upf import UpfData
    from aiida_pseudo.groups.family import CutoffsPseudoPotentialFamily

    folder = tmp_path / 'pseudos'
    folder.mkdir()
    for element in CUTOFFS:
        (folder / f'{element}.upf').write_text(UPF.format(element=element), encoding='utf-8')
    family = CutoffsPseudoPotentialFamily.create_from_folder(folder, 'family', pseudo_type=UpfData)
    family.set_cutoffs(
        {symbol: {'cutoff_wfc': wfc, 'cutoff_rho': RHO[symbol]} for symbol, wfc in CUTOFFS.items()}, 'normal', unit='Ry'
    )
    make_python_code(tmp_path, 'quantumespresso.pw')


def campaign(name: str, sections: dict[str, Any] | None = None, **evaluate: Any) -> dict[str, Any]:
    return {
        'name': 'shared',
        'goal': {'objectives': [{'property': name, 'minimize': True}]},
        'space': {'elements': ['B', 'N'], 'ratios': ['1:1']},
        'evaluate': {'engine': 'quantumespresso', 'pw': 'python@localhost', 'pseudos': 'family'} | evaluate,
        'budget': {'evaluations': 2},
    } | (sections or {})


def recorded(data: dict[str, Any]) -> tuple[float | None, float | None]:
    """The cutoffs that a campaign records."""
    from aiida_inversedesign.workchains.build import build_campaign

    evaluate = build_campaign(validate_campaign(data)).settings['evaluate']
    return evaluate['cutoff_wfc'], evaluate['cutoff_rho']


FORMULAS = {'space': {'formulas': ['SiO2', 'BN']}}
CONSTRAINT = {
    'goal': {
        'objectives': [{'property': 'volume', 'minimize': True}],
        'constraints': [{'property': 'e_above_hull', 'max': 0.1}],
    }
}


@pytest.mark.parametrize(
    ('data', 'expected'),
    [
        (campaign('formation_energy'), (50, 400)),
        (campaign('e_above_hull'), (50, 400)),
        (campaign('energy'), (50, 400)),
        (campaign('', CONSTRAINT), (50, 400)),
        (campaign('formation_energy', FORMULAS), (55, 400)),
        # what is named stays; the other follows from the family
        (campaign('formation_energy', cutoff_wfc=80), (80, 400)),
        (campaign('formation_energy', cutoff_wfc=80, cutoff_rho=320), (80, 320)),
        (campaign('formation_energy', shared_cutoffs=False), (None, None)),
        # one composition each: every crystal has the cutoffs of its elements
        (campaign('volume'), (None, None)),
        (campaign('band_gap', cutoff_wfc=80), (80, None)),
        (campaign('volume', shared_cutoffs=True), (50, 400)),
    ],
)
def test_what_is_recorded(data: dict[str, Any], expected: tuple[float | None, float | None]) -> None:
    assert recorded(data) == expected


def test_of_a_library_the_elements_of_its_entries_count() -> None:
    from aiida_inversedesign.nodes.library_data import LibraryData

    entries = [
        Template(symbol, Crystal(np.eye(3) * 3, (symbol,), np.zeros((1, 3))), 'made up', 'CC0')
        for symbol in ('B', 'Si')
    ]
    LibraryData.from_library(Library(entries), label='own').store()
    sections = {'space': {}, 'propose': {'library': 'own', 'method': 'library'}}
    assert recorded(campaign('formation_energy', sections)) == (35, 280)


def test_check_prints_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import json

    from aiida_inversedesign.campaign.load import read_campaign
    from aiida_inversedesign.cli.checks.plan import Profile, plan
    from aiida_inversedesign.cli.checks.plan_table import show_plan
    from aiida_inversedesign.workchains.build import elements_of, settled

    path = tmp_path / 'campaign.yaml'
    path.write_text(json.dumps(campaign('formation_energy')), encoding='utf-8')
    spec = read_campaign(path)
    # not by the command, which would try the code: here it is not a pw.x
    data = plan(spec, checked_profile=True, profile=Profile(elements_of(spec, None), settled(spec, None)))
    assert (data['settled']['cutoff_wfc'], data['settled']['cutoff_rho']) == (50, 400)
    assert data['settled']['words'].endswith("the largest that 'family' recommends for B and N")
    assert data['references'] == {'elements': ['B', 'N'], 'dft_calculations_each': 2}
    show_plan(data)
    shown = ' '.join(capsys.readouterr().out.split())
    assert 'cutoffs of 50 Ry (wavefunctions) and 400 Ry (density) in every evaluation and reference' in shown


def test_a_resumed_campaign_keeps_what_it_has() -> None:
    """Settings of versions before have no shared cutoffs, and get none."""
    from aiida_inversedesign.campaign.recorded import read_settings

    old = validate_campaign(campaign('formation_energy')).settings()
    del old['evaluate']['shared_cutoffs']
    section = read_settings(old, 'campaign 1').evaluate
    assert (section.cutoff_wfc, section.cutoff_rho, section.shared_cutoffs) == (None, None, None)
