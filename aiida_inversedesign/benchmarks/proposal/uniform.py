"""PyXtal as it comes: space groups and positions drawn uniformly, the peer of the sources."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from aiida_inversedesign.campaign.candidate import Candidate
from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.chemistry.symmetry import smaller_cell
from aiida_inversedesign.errors import InverseDesignError
from aiida_inversedesign.propose.volumes.of_composition import volume_per_atom

#: the name of the arm, and how many draws each crystal may take
UNIFORM, DRAWS = 'uniform', 20


def uniform_crystals(counts: Mapping[str, int], number: int, max_sites: int, seed: int) -> list[Candidate]:
    """Random crystals of a formula, at the volumes that our sources use.

    :param counts: of a formula unit.
    :param number: of crystals; fewer if ``DRAWS`` draws for each do not give them.
    :raises InverseDesignError: if PyXtal is not installed.
    """
    try:
        from pyxtal import pyxtal
    except ImportError as error:
        raise InverseDesignError(
            f'--sources {UNIFORM} needs PyXtal: pip install "aiida-inversedesign[symmetry]"'
        ) from error
    rng, atoms = np.random.default_rng(seed), sum(counts.values())
    volume, found = volume_per_atom(counts, None), list[Candidate]()
    for _ in range(DRAWS * number if atoms <= max_sites else 0):
        if len(found) == number:
            break
        units, group, seed_of_draw = rng.integers(1, max_sites // atoms + 1), rng.integers(1, 231), rng.integers(2**31)
        drawn = pyxtal()
        try:
            drawn.from_random(
                3,
                int(group),
                list(counts),
                [int(units) * count for count in counts.values()],
                conventional=False,
                max_count=3,
                random_state=int(seed_of_draw),
            )
        except Exception:  # noqa: S112 - PyXtal raises many kinds for what does not fit a space group
            continue
        if not drawn.valid:
            continue
        crystal = Crystal.from_pymatgen(drawn.to_pymatgen())
        crystal = smaller_cell(crystal) or crystal
        if crystal.nsites > max_sites:
            continue
        crystal = crystal.scaled_to(volume * crystal.nsites)
        name = f'u{len(found) + 1:04d}'
        found.append(Candidate(id=name, key=crystal.formula, content=crystal, proposer=UNIFORM, rank=len(found) + 1))
    return found
