"""Which crystals compete with the candidates of a chemical system."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.libraries.library import Library, Template
from aiida_inversedesign.screen.potentials.bundles import job_of
from aiida_inversedesign.screen.potentials.installed import EMT
from aiida_inversedesign.screen.potentials.phases import competing, needs_library, phases_named
from aiida_inversedesign.screen.potentials.relax_bundle import look_at, make_calculator


def entry(name: str, *symbols: str, energy: float | None = 0.0) -> Template:
    places = np.arange(len(symbols))[:, None] / len(symbols) * np.ones(3)
    return Template(name, Crystal(4.0 * np.eye(3), symbols, places), 'made up', 'CC0', e_above_hull=energy)


LIBRARY = Library(
    [
        entry('1', 'Cu'),
        entry('2', 'Cu', 'Au'),
        entry('3', 'Cu', 'Au', 'Au', energy=0.04),
        entry('4', 'Cu', 'Cu', 'Au', energy=0.06),
        entry('5', 'Cu', 'Pd'),
        entry('6', 'Cu', 'Au', 'Pd'),
        entry('7', 'Pd', energy=0.01),
        entry('8', 'Au', 'Pd', energy=None),
    ]
)


@pytest.mark.parametrize(
    ('systems', 'names'),
    [
        # the library has copper on its hull: no reference crystal is needed
        (['Cu'], ['phase:1']),
        (['Cu', 'Au'], ['phase:1', 'phase:2', 'phase:3', 'reference:Au']),
        (['Pd', 'Au'], ['phase:7', 'phase:8', 'reference:Au', 'reference:Pd']),
        (['Ag'], ['reference:Ag']),
    ],
)
def test_phases_are_within_the_system_and_near_the_hull(systems: list[str], names: list[str]) -> None:
    assert sorted(competing(LIBRARY, [systems])) == names


def test_several_systems_and_what_is_left_out() -> None:
    found = competing(LIBRARY, [['Cu', 'Au'], {'Cu': 2, 'Pd': 1}])
    assert sorted(found) == ['phase:1', 'phase:2', 'phase:3', 'phase:5', 'phase:7', 'reference:Au', 'reference:Pd']
    assert 'phase:2' not in competing(LIBRARY, [['Cu', 'Au']], exclude=['CuAu'])
    assert list(competing(None, [['Cu']])) == ['reference:Cu']
    # an element without a reference crystal is not an error: the hull says that it lacks it
    assert competing(None, [['Og']]) == {}
    assert competing(None, []) == {}


def test_phases_are_found_again_by_their_names() -> None:
    found = competing(LIBRARY, [['Cu', 'Au']])
    again = phases_named(['g001_c0001', *found], LIBRARY)
    assert {name: crystal.content_hash for name, crystal in again.items()} == {
        name: crystal.content_hash for name, crystal in found.items()
    }
    assert needs_library(found)
    assert not needs_library(['g001_c0001', 'reference:Au'])


def test_of_a_phase_the_energy_alone_is_computed() -> None:
    from aiida_inversedesign.campaign.screening import Screening

    screening = Screening(potential='emt', code='python@localhost')
    phases = competing(None, [['Cu']])
    job = job_of([], list(phases), screening, EMT, ['bulk_modulus'], phases)
    assert job['properties'] == ['bulk_modulus']
    found: dict[str, Any] = look_at(job['structures'][0], make_calculator(EMT.to_job())[0], job)
    assert 'energy' in found
    assert 'bulk_modulus' not in found
