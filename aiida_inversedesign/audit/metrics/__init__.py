"""The figures of an audit as pure functions of plain records. A figure that is not known is None with a reason."""

from aiida_inversedesign.audit.metrics.best import best, best_of_each, described, known, lowest_polymorphs
from aiida_inversedesign.audit.metrics.costs import core_hours, count_dft, hit_figures, spent_on
from aiida_inversedesign.audit.metrics.intervals import share, unknown
from aiida_inversedesign.audit.metrics.predictions import (
    by_acquisition,
    by_surrogate,
    calibration,
    estimates,
    transfer,
    transfer_in_words,
    transfer_of,
)
from aiida_inversedesign.audit.metrics.proposals import by_proposer, screening, validity
from aiida_inversedesign.audit.metrics.rates import (
    by_arm,
    by_generation,
    by_generator,
    counts,
    hit_rate,
    rate_of,
)
from aiida_inversedesign.audit.metrics.repeats import reproducibility
from aiida_inversedesign.audit.metrics.rules import rules
from aiida_inversedesign.audit.metrics.search import acceleration, enrichment, hit_costs, progress
from aiida_inversedesign.audit.metrics.stability import stability, stable_unique_novel
from aiida_inversedesign.audit.metrics.structures import diversity, novelty, number_of_keys, uniqueness

__all__ = [
    'acceleration',
    'best',
    'best_of_each',
    'by_acquisition',
    'by_arm',
    'by_generation',
    'by_generator',
    'by_proposer',
    'by_surrogate',
    'calibration',
    'core_hours',
    'count_dft',
    'counts',
    'described',
    'diversity',
    'enrichment',
    'estimates',
    'hit_costs',
    'hit_figures',
    'hit_rate',
    'known',
    'lowest_polymorphs',
    'novelty',
    'number_of_keys',
    'progress',
    'rate_of',
    'reproducibility',
    'rules',
    'screening',
    'share',
    'spent_on',
    'stability',
    'stable_unique_novel',
    'transfer',
    'transfer_in_words',
    'transfer_of',
    'uniqueness',
    'unknown',
    'validity',
]
