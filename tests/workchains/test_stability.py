"""The energy above the hull of a campaign's own calculations, by a real calculator."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest
from agreement import check_agreement

from aiida_inversedesign.campaign.goal import Goal
from aiida_inversedesign.campaign.load import validate_campaign
from aiida_inversedesign.campaign.row import EvaluationRow
from aiida_inversedesign.campaign.stability import with_stability
from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.libraries.library import Library, Template
from aiida_inversedesign.workchains.foreground import run_campaign

GOAL = Goal.model_validate(
    {
        'objectives': [{'property': 'volume', 'minimize': True, 'hit': 12.0}],
        'constraints': [{'property': 'e_above_hull', 'max': 0.01}],
    }
)


def row(candidate: str, species: tuple[str, ...], energy: float | None, **changes: Any) -> EvaluationRow:
    coords = np.arange(len(species))[:, None] / len(species) * np.ones(3)
    properties = {'volume': 11.0} | ({'energy': energy} if energy is not None else {})
    values = {'status': 'completed', 'properties': properties, 'hit': False} | changes
    crystal = Crystal(np.eye(3) * 3.0, species, coords)
    return EvaluationRow(candidate, 1, 'initial', crystal.formula, proposed=crystal, **values)


def test_a_later_crystal_takes_an_earlier_one_off_the_hull():
    references = {'Cu': 0.0, 'Au': 0.0}
    first = row('a', ('Cu', 'Au'), -0.05)
    rows, stability = with_stability([first], references, GOAL)
    assert rows[0].properties['e_above_hull'] == 0
    assert rows[0].hit is True
    assert stability['a']['hull'] == ['a', 'reference:Au', 'reference:Cu']
    rows, stability = with_stability([*rows, row('b', ('Cu', 'Au'), -0.08)], references, GOAL)
    assert [item.properties['e_above_hull'] for item in rows] == pytest.approx([0.03, 0])
    assert [item.hit for item in rows] == [False, True]
    assert stability['a']['decomposition'] == {'b': pytest.approx(1.0)}


def test_without_a_reference_or_an_energy_the_figure_is_not_known_and_nothing_is_a_hit():
    rows = [
        row('a', ('Cu', 'Pt'), -0.05),
        row('b', ('Cu', 'Au'), None),
        row('c', ('Cu',), None, status='failed', properties={}),
        row('d', ('Cu', 'Au'), -0.01, hit=None),
    ]
    found, stability = with_stability(rows, {'Cu': 0.0, 'Au': 0.0}, GOAL)
    assert ['e_above_hull' in item.properties for item in found] == [False, False, False, True]
    assert [item.hit for item in found] == [False, False, False, True]
    assert stability['a']['reason'] == 'no reference energy of Pt'
    assert set(stability) == {'a', 'd'}


def alloys() -> Library:
    """Ordered cells of copper and gold: L1₀, L1₂ and a hypothetical CsCl-like one."""
    entries = []
    fcc = np.array([[0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]])
    for name, species, lattice, coords in (
        ('l10', ('Cu', 'Cu', 'Au', 'Au'), np.eye(3) * 3.9, fcc),
        ('l12', ('Au', 'Cu', 'Cu', 'Cu'), np.eye(3) * 3.8, fcc),
        ('cscl', ('Cu', 'Au'), np.eye(3) * 3.1, [[0, 0, 0], [0.5, 0.5, 0.5]]),
        ('nacl', ('Cu', 'Au'), np.eye(3) * 5.4 @ np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]]) / 2, [[0] * 3, [0.5] * 3]),
    ):
        entries.append(Template(name, Crystal(lattice, species, np.array(coords, dtype=float)), 'made up', 'CC0'))
    return Library(entries)


def references_of(campaign: Any) -> list[Any]:
    """The evaluations of elemental references, in the order of their launch."""
    calls = [link for child in campaign.called for link in child.base.links.get_outgoing().all()]
    return sorted(
        (link.node for link in calls if link.link_label.startswith('reference_')), key=lambda node: node.ctime
    )


def test_a_campaign_with_a_stability_constraint(aiida_profile_clean: Any, aiida_code_installed: Any) -> None:
    from aiida_inversedesign.nodes.library_data import LibraryData
    from aiida_inversedesign.workchains.build import build_campaign

    aiida_code_installed(label='python', filepath_executable=sys.executable)
    LibraryData.from_library(alloys(), label='alloys').store()
    spec = validate_campaign(
        {
            'name': 'stable alloys',
            'seed': 1,
            'goal': {
                'objectives': [{'property': 'volume', 'minimize': True, 'hit': 20.0}],
                'constraints': [{'property': 'e_above_hull', 'max': 0.02}],
            },
            'propose': {'library': 'alloys', 'method': 'library'},
            'select': {'initial': 2, 'batch': 2},
            'evaluate': {'engine': 'ase', 'code': 'python@localhost', 'calculator': 'emt'},
            'budget': {'evaluations': 4, 'at_once': 1},
        }
    )
    node = run_campaign(build_campaign(spec))
    assert node.is_finished_ok, node.exit_message
    assert set(node.outputs.references.get_dict()) == {'Cu', 'Au'}
    first, second = references_of(node)
    assert first.mtime <= second.ctime, 'references ran together though budget.at_once is 1'
    rows = {item.template: item for item in node.outputs.table.get_rows()}
    above = {name: item.properties['e_above_hull'] for name, item in rows.items()}
    energies = {name: item.properties['energy'] for name, item in rows.items()}
    # of three crystals of CuAu the one of the lowest energy decides for the other two
    lowest = min(energies[name] for name in ('l10', 'cscl', 'nacl'))
    assert min(above.values()) == 0
    for name in ('l10', 'cscl', 'nacl'):
        assert above[name] >= energies[name] - lowest - 1e-9
    assert {name: item.hit for name, item in rows.items()} == {
        name: above[name] <= 0.02 and item.properties['volume'] <= 20 for name, item in rows.items()
    }
    status = check_agreement(node)
    assert {item['candidate'] for item in status['hits']} == {item.candidate for item in rows.values() if item.hit}
    assert status['hits'], 'no hit to agree on'
    harvests = [child for call in node.called for child in call.called if child.process_label == 'harvest']
    stability = harvests[-1].outputs.stability.get_dict()
    assert {item.candidate: stability[item.candidate]['e_above_hull'] for item in rows.values()} == {
        item.candidate: pytest.approx(item.properties['e_above_hull'], abs=1e-9) for item in rows.values()
    }
    assert set(next(iter(stability.values()))['hull']) >= {'reference:Au', 'reference:Cu'}
