"""A library as the source of a transfer surrogate."""

from __future__ import annotations

import numpy as np
import pytest

from aiida_inversedesign.campaign.consistency import contradictions_between
from aiida_inversedesign.campaign.spec import Learn
from aiida_inversedesign.learn.library_priors import SourceError, library_priors, value_of
from aiida_inversedesign.libraries.library import Library, Template
from aiida_inversedesign.spaces.crystals.features import featurize


@pytest.fixture(scope='module')
def library(elastic):
    return Library(
        Template(
            f't{index}',
            row.proposed,
            'elastic',
            'CC-BY',
            formation_energy=-1.0 if index else None,
            properties={'stiffness': row.properties['bulk_modulus']},
        )
        for index, row in enumerate(elastic[:150])
    )


def test_a_property_of_the_library_becomes_a_function_of_crystals(library, elastic):
    (prior,) = library_priors(library, ['stiffness'])
    assert (prior.name, prior.rows) == ('stiffness', 150)
    rows = elastic[150:400]
    features, _ = featurize([row.proposed for row in rows], [None] * len(rows))
    assert np.corrcoef(prior(features), [row.properties['bulk_modulus'] for row in rows])[0, 1] > 0.8
    assert library_priors(library, ['stiffness'])[0] is prior
    # the order of a library means nothing
    other = Library(reversed(list(library)))
    assert np.array_equal(library_priors(other, ['stiffness'])[0].weights, prior.weights)


def test_values_of_entries(library):
    assert np.isnan(value_of(library[0], 'formation_energy'))
    assert value_of(library[1], 'formation_energy') == -1
    assert np.isnan(value_of(library[1], 'e_above_hull'))
    assert np.isnan(value_of(library[1], 'colour'))
    crystal = library[1].crystal
    assert value_of(library[1], 'volume') == pytest.approx(crystal.volume / crystal.nsites)


@pytest.mark.parametrize(
    ('name', 'message'), [('colour', "0 rows of 'colour'.*stiffness"), ('formation_energy', 'different')]
)
def test_what_cannot_be_learned_is_named(library, name, message):
    with pytest.raises(SourceError, match=message):
        library_priors(library, [name])


def test_the_campaign_file_asks_for_a_source():
    problem = 'needs other data to learn from: name learn.source or learn.from'
    assert [str(item) for item in contradictions_between({'learn': Learn(surrogate='transfer')})] == [
        f'{problem}, or use another surrogate'
    ]
    for learn in (Learn(), Learn(surrogate='transfer', source=['volume'])):
        assert not list(contradictions_between({'learn': learn}))
