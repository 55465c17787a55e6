"""What an evaluation is charged: ``check``, the loop, ``audit`` and ``verify`` agree, for every installed engine."""

from __future__ import annotations

from typing import Any

import pytest
from agreement import check_agreement
from ase.build import bulk

from aiida_inversedesign.audit.audit import audit
from aiida_inversedesign.campaign.contracts.engine import installed
from aiida_inversedesign.campaign.load import validate_campaign
from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.cli.checks.plan import plan
from aiida_inversedesign.graph.campaigns import campaign_cost
from aiida_inversedesign.libraries.library import Library, Template
from aiida_inversedesign.verify import verify
from aiida_inversedesign.verify.run import is_sound
from aiida_inversedesign.workchains.build import build_campaign
from aiida_inversedesign.workchains.foreground import run_campaign

#: Crystals, and the section ``evaluate``, of each engine; the fixture of the name gives its code.
CASES: dict[str, tuple[list[Any], str, dict[str, Any]]] = {
    'ase': ([bulk('Cu', 'fcc', 3.6), bulk('Ag', 'fcc', 4.1)], 'python_code', {'code': 'python@localhost'}),
    'table': (
        [bulk('Cu', 'fcc', 3.6), bulk('Ag', 'fcc', 4.1)],
        'python_code',
        {'code': 'python@localhost', 'data': 'own'},
    ),
    'quantumespresso': ([bulk('C', 'diamond', 3.57)], 'pw', {'pseudos': 'debian-pbe', 'protocol': 'fast'}),
}


def test_every_engine_of_this_package_has_a_case() -> None:
    ours = {name for name, item in installed().items() if type(item).__module__.startswith('aiida_inversedesign.')}
    # one that waits for a laboratory charges nothing
    assert ours - {'external'} == set(CASES)


@pytest.mark.parametrize(
    'name', [pytest.param(name, marks=[pytest.mark.pw] if name == 'quantumespresso' else []) for name in CASES]
)
def test_everyone_counts_the_same(name: str, request: pytest.FixtureRequest) -> None:
    atoms, fixture, section = CASES[name]
    code = request.getfixturevalue(fixture)
    if name == 'quantumespresso':
        section = {**section, 'pw': code.full_label}
    templates = [
        Template(
            id=f'entry-{number}',
            crystal=Crystal(item.cell[:], tuple(item.get_chemical_symbols()), item.get_scaled_positions()),
            source='made up',
            license='CC0',
            properties={'volume': item.get_volume() / len(item)},
        )
        for number, item in enumerate(atoms)
    ]
    from aiida_inversedesign.nodes.library_data import LibraryData

    LibraryData.from_library(Library(templates), label='own').store()
    spec = validate_campaign(
        {
            'name': 'charges',
            'goal': {'objectives': [{'property': 'volume', 'minimize': True}]},
            'propose': {'library': 'own', 'method': 'library'},
            'select': {'initial': len(atoms)},
            'evaluate': {'engine': name, 'free_space_gb': 0, **section},
            # enough for what is charged, and too little for one more job
            'budget': {'evaluations': len(atoms), 'dft_calculations': 2},
        }
    )
    counted = plan(spec, checked_profile=True)
    node = run_campaign(build_campaign(spec))
    check_agreement(node)
    assert node.is_finished_ok, node.exit_message
    assert counted['evaluations_at_most'] == node.outputs.table.counts['completed'] == len(atoms)
    expected = counted['dft_calculations_per_evaluation'] * len(atoms)
    assert campaign_cost(node).dft_calculations == expected
    assert sum(row.dft_calculations for row in node.outputs.table.get_rows()) == expected
    assert audit(node)['dft_calculations']['total'] == expected
    report = verify(node)
    assert is_sound(report), report['findings']
