"""Whether a formula keeps the composition constraints of a campaign: a filter before anything is computed.

Quantities are means over the elements by mass: ``price`` of their bulk prices in USD/kg (``element_prices.csv``, from
mendeleev), and for the supply risk ``hhi_production`` and ``hhi_reserves`` of the Herfindahl–Hirschman index, 0 to
10 000, from the element table (Gaultois et al., Chem. Mater. 25, 2911 (2013); above 2 500 a market counts as
concentrated). A formula with an element of which the quantity is not known does not pass: a limit
that cannot be checked is not kept. There is no quantity for toxicity, because no maintained library gives one with a
source: name the elements under ``forbidden``.
"""

from __future__ import annotations

import csv
import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.resources import files

from aiida_inversedesign.campaign.goal import CompositionConstraint
from aiida_inversedesign.chemistry.elements import element_table

#: Rounding of fractions such as 1/3 must not decide.
_SLACK = 1e-9
_UNITS = {'price': ' USD/kg'}


@dataclass(frozen=True)
class CompositionVerdict:
    """What one constraint says of a formula.

    :param passed: whether it is kept.
    :param value: atomic fraction, or value of the quantity; None where it is not known.
    :param reason: why it is not kept, in words; empty if it is.
    """

    label: str
    passed: bool
    value: float | None
    reason: str = ''


def composition_verdicts(
    counts: Mapping[str, int], constraints: Iterable[CompositionConstraint]
) -> list[CompositionVerdict]:
    """One verdict for each constraint, in their order.

    :param counts: atoms of each element in the formula.
    """
    return [_verdict(counts, constraint) for constraint in constraints]


def _verdict(counts: Mapping[str, int], constraint: CompositionConstraint) -> CompositionVerdict:
    label, total = constraint.label, sum(counts.values())
    if constraint.forbidden is not None:
        found = [symbol for symbol in counts if symbol in constraint.forbidden]
        share = sum(counts[symbol] for symbol in found) / total
        return CompositionVerdict(label, not found, share, f'contains {", ".join(found)}' if found else '')
    if constraint.quantity is None:
        named = [constraint.element] if constraint.element else constraint.elements or []
        return _limited(constraint, sum(counts.get(symbol, 0) for symbol in named) / total, '')
    known = element_quantity(constraint.quantity)
    missing = [symbol for symbol in counts if symbol not in known]
    if missing:
        return CompositionVerdict(label, False, None, f'the {label} of {", ".join(missing)} is not known')
    weights = element_table().column('atomic_weight')
    masses = {symbol: count * weights[symbol] for symbol, count in counts.items()}
    value = sum(masses[symbol] * known[symbol] for symbol in counts) / sum(masses.values())
    return _limited(constraint, value, _UNITS.get(constraint.quantity, ''))


def _limited(constraint: CompositionConstraint, value: float, unit: str) -> CompositionVerdict:
    label = constraint.label
    slack = _SLACK * max(1.0, abs(value))
    if constraint.min is not None and value < constraint.min - slack:
        return CompositionVerdict(label, False, value, f'{label} {value:.3g}{unit} is below {constraint.min:g}{unit}')
    if constraint.max is not None and value > constraint.max + slack:
        return CompositionVerdict(label, False, value, f'{label} {value:.3g}{unit} is above {constraint.max:g}{unit}')
    return CompositionVerdict(label, True, value)


@functools.cache
def element_quantity(name: str) -> dict[str, float]:
    """The elements of which a quantity is known, with its value (price in USD/kg).

    :param name: ``price``, ``hhi_production`` or ``hhi_reserves``.
    """
    if name == 'price':
        text = files('aiida_inversedesign.screen').joinpath('element_prices.csv').read_text(encoding='utf-8')
        return {row['symbol']: float(row['price_usd_per_kg']) for row in csv.DictReader(text.splitlines())}
    table = element_table()
    column = table.names.index(name)
    return {
        symbol: float(table.values[row, column])
        for row, symbol in enumerate(table.symbols)
        if not table.imputed[row, column]
    }
