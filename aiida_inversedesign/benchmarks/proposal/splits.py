"""What a fair test may use: templates and training compounds without the formulas that are asked for."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from aiida_inversedesign.benchmarks.proposal.queries import BenchmarkError
from aiida_inversedesign.libraries.library import Library
from aiida_inversedesign.propose.training.from_library import lowest_of_each_formula

#: keys of a model card that tell the formulas the model was trained on, and those it was kept from
TRAINED_ON, KEPT_FROM = 'formulas', 'excluded_formulas'


def templates_for(library: Library, asked: Collection[str], max_e_above_hull: float) -> Library:
    """One template per formula, the lowest, within ``max_e_above_hull`` (eV/atom), without the formulas asked for.

    An entry without an energy counts as on the hull.

    :raises BenchmarkError: if nothing is left.
    """
    chosen = lowest_of_each_formula(library, max_e_above_hull, asked)
    if not len(chosen):
        raise BenchmarkError(
            f'no template is left within {max_e_above_hull} eV/atom of the hull once the {len(frozenset(asked))} '
            'formulas asked for are removed: take a larger library or fewer queries'
        )
    return chosen


def check_unseen(card: Mapping[str, Any], asked: Collection[str], name: str) -> None:
    """Refuse a model that may have seen the formulas asked for.

    :param card: the model's record; its key ``formulas`` lists what it was trained on, or ``excluded_formulas`` what
        it was kept from.
    :raises BenchmarkError: if the card names none of both, or shows an overlap.
    """
    if isinstance(seen := card.get(TRAINED_ON), list):
        overlap = sorted(set(asked) & set(seen))
    elif isinstance(kept := card.get(KEPT_FROM), list):
        overlap = sorted(set(asked) - set(kept))
    else:
        raise BenchmarkError(
            f'the card of the model {name!r} does not tell which formulas it was trained on, so it may know the '
            'answers: train it again with --model new'
        )
    if overlap:
        shown = ', '.join(overlap[:10]) + (f' and {len(overlap) - 10} more' if len(overlap) > 10 else '')
        raise BenchmarkError(
            f'the model {name!r} may have been trained on {len(overlap)} of the {len(set(asked))} formulas asked for '
            f'({shown}): train it again with --model new'
        )
