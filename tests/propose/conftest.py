"""A campaign to propose for, and small libraries."""

import numpy as np
import pytest

from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.libraries.library import Library, Template

FCC = np.array([[0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])


@pytest.fixture
def rocksalt():
    return Crystal(5.64 * FCC, ('Na', 'Cl'), [[0, 0, 0], [0.5, 0.5, 0.5]])


@pytest.fixture
def small_library(rocksalt):
    zincblende = Crystal(5.41 * FCC, ('Zn', 'S'), [[0, 0, 0], [0.25, 0.25, 0.25]])
    caesium = Crystal(4.12 * np.eye(3), ('Cs', 'Cl'), [[0, 0, 0], [0.5, 0.5, 0.5]])
    return Library(
        Template(name, crystal, 'textbook', 'none', name, properties={'hardness': float(number)})
        for number, (name, crystal) in enumerate(
            {'rocksalt': rocksalt, 'zincblende': zincblende, 'caesium chloride': caesium}.items()
        )
    )


@pytest.fixture
def campaign():
    def make(space, **propose):
        """The sections ``space`` and ``propose`` of a campaign file."""
        return space, propose

    return make
