"""What a formula is worth before its crystal is known: a surrogate on compositions and an acquisition on it.

The candidates' own surrogate looks at crystals. A generator searches before there are any, so that it is led by a
Gaussian process on the statistics of the composition alone, and by the same acquisition functions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from aiida_inversedesign.campaign.spec import Goal
from aiida_inversedesign.chemistry.descriptors import Scaler, describe
from aiida_inversedesign.chemistry.formulas import parse_formula
from aiida_inversedesign.learn.base import Regressor
from aiida_inversedesign.learn.gp import fit_gp
from aiida_inversedesign.learn.table import EvaluationRow, is_feasible, loss
from aiida_inversedesign.propose.generators.base import Array, Counts, Known, NotReadyError, Score

#: fewest values of a property before it is modelled
MINIMUM = 3
#: standardised descriptors are cut here: an odd formula must not lie infinitely far from everything
LIMIT = 5.0


@dataclass(frozen=True, eq=False)
class FormulaSurrogate:
    """Properties as functions of the composition.

    :param scaler: of the composition's statistics over the evaluated formulas.
    :param models: the model of each property, in its own unit.
    :param failure: not modelled here; what acquisitions ask a surrogate for.
    """

    scaler: Scaler
    models: dict[str, Regressor]
    failure: None = None

    def inputs(self, formulas: Sequence[str | Counts]) -> Array:
        """Standardised descriptors of formulas, shape (n, d)."""
        return np.clip(self.scaler.transform(describe(formulas)), -LIMIT, LIMIT)

    def predict(self, formulas: Sequence[str | Counts]) -> dict[str, tuple[Array, Array]]:
        """Mean and standard deviation of every property, each of shape (n,), in the property's unit."""
        inputs = self.inputs(formulas)
        return {name: model.predict(inputs) for name, model in self.models.items()}

    def condition(self, inputs: Array) -> FormulaSurrogate:
        """The same surrogate as if points had been measured at their predicted mean."""
        return replace(self, models={name: model.condition(inputs) for name, model in self.models.items()})


def formula_surrogate(
    rows: Sequence[tuple[str | Counts, Mapping[str, float]]], properties: Sequence[str], seed: int
) -> FormulaSurrogate:
    """Learn properties from formulas and their values; one formula may come several times, with other crystals.

    :param rows: formulas, each with the properties that are known of it; NaN and infinity are no values.
    :raises NotReadyError: if a property is known of fewer than three formulas.
    """
    if not rows or not properties:
        raise NotReadyError('no evaluated formulas or no properties to learn: evaluate candidates first')
    features = describe([formula for formula, _ in rows])
    scaler = Scaler.of(features)
    inputs = np.clip(scaler.transform(features), -LIMIT, LIMIT)
    models: dict[str, Regressor] = {}
    for name in properties:
        values = np.array([float(values.get(name, np.nan)) for _, values in rows])
        usable = np.isfinite(values)
        if usable.sum() < MINIMUM:
            raise NotReadyError(
                f'{int(usable.sum())} evaluated formula(s) have a value of {name!r}, at least {MINIMUM} are needed: '
                'evaluate more candidates first'
            )
        models[name] = fit_gp(inputs[usable], values[usable], seed)
    return FormulaSurrogate(scaler, models)


def formula_score(rows: Sequence[EvaluationRow], goal: Goal, seed: int, acquisition: str = 'auto') -> Score:
    """The acquisition of a campaign's goal as a score of formulas.

    :param acquisition: name of an acquisition. Several objectives without hits take the closed form of the
        hypervolume improvement for ``auto``: a search scores thousands of formulas.
    :raises NotReadyError: if a property of the goal is known of fewer than three formulas.
    :raises SelectError: if the acquisition cannot serve the goal.
    """
    from aiida_inversedesign.select.acquisition import make_acquisition
    from aiida_inversedesign.select.observed import Observed

    done = [row for row in rows if row.status == 'completed']
    formulas = [parse_formula(row.formula) for row in done]
    surrogate = formula_surrogate(
        [(formula, row.properties) for formula, row in zip(formulas, done, strict=True)], goal.properties, seed
    )
    values = {
        name: np.array([row.properties.get(name, np.nan) for row in done], dtype=np.float64) for name in goal.properties
    }
    observed = Observed(surrogate.inputs(formulas), values, np.zeros(len(done), dtype=bool))
    if acquisition == 'auto' and len(goal.objectives) > 1 and not goal.defines_hits:
        acquisition = 'log_ehvi'
    function = make_acquisition(acquisition, goal, surrogate, observed, seed)
    nothing = np.empty((0, observed.inputs.shape[1]))
    return lambda wanted: function.score(surrogate.inputs(wanted), nothing)


def known_formulas(rows: Sequence[EvaluationRow], goal: Goal) -> list[Known]:
    """The evaluated formulas with their utility, each with its best crystal, those that keep the constraints first.

    The utility is that of the first objective; a crystal that breaks a constraint is worth less than all others.
    """
    prop = goal.objectives[0].property
    done = [row for row in rows if row.status == 'completed' and np.isfinite(row.properties.get(prop, np.nan))]
    utilities = [-loss(goal, row.properties) for row in done]
    spread = float(np.ptp(utilities)) if utilities else 0.0
    best: dict[str, float] = {}
    for row, utility in zip(done, utilities, strict=True):
        value = utility if is_feasible(goal, row.properties) else utility - 2 * spread
        best[row.formula] = max(value, best.get(row.formula, -np.inf))
    ordered = sorted(best.items(), key=lambda item: (-item[1], item[0]))
    return [Known(parse_formula(formula), utility) for formula, utility in ordered]
