"""What a formula is worth before its crystal is known: a surrogate on compositions and an acquisition on it.

The candidates' own surrogate looks at crystals. A generator searches before there are any, so that it is led by models
of the same kinds on the statistics of the composition alone, and by the same acquisition functions.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from aiida_inversedesign.arrays import Array
from aiida_inversedesign.campaign.goal import Goal
from aiida_inversedesign.campaign.row import EvaluationRow, is_feasible, loss
from aiida_inversedesign.chemistry.descriptors import describe, descriptor_names
from aiida_inversedesign.chemistry.formulas import parse_formula
from aiida_inversedesign.learn.fit import MINIMUM_ROWS, fit_on_features
from aiida_inversedesign.learn.surrogate import Surrogate
from aiida_inversedesign.propose.generators.request import Amounts, Counts, Known, NotReadyError, Request
from aiida_inversedesign.screen.composition import composition_verdicts
from aiida_inversedesign.select.acquisition import Score as AcquisitionScore
from aiida_inversedesign.select.acquisition import make_acquisition
from aiida_inversedesign.spaces.crystals.space import CrystalSpace

#: Acquisitions whose values of two formulas can be compared though they were asked for at different times. The others
#: draw samples, or look at the best of those asked for together.
COMPARABLE = ('log_ei', 'ucb', 'pi', 'posterior_mean', 'log_ehvi')


@dataclass(frozen=True, eq=False)
class FormulaSurrogate:
    """Properties as functions of the composition.

    :param surrogate: fitted on the statistics of compositions
        (:func:`~aiida_inversedesign.chemistry.descriptors.describe`).
    """

    surrogate: Surrogate

    def inputs(self, formulas: Sequence[str | Counts | Amounts]) -> Array:
        """Standardised descriptors of formulas, shape (n, d)."""
        return self.surrogate.standardise(describe(formulas))

    def predict(self, formulas: Sequence[str | Counts]) -> dict[str, tuple[Array, Array]]:
        """Mean and standard deviation of every property, each of shape (n,), in the property's unit."""
        inputs = self.inputs(formulas)
        return {name: model.predict(inputs) for name, model in self.surrogate.models.items()}


@dataclass(frozen=True, eq=False)
class FormulaScore:
    """The value of formulas for a goal; called with formulas it gives one number each, shape (n,)."""

    model: FormulaSurrogate
    function: AcquisitionScore

    def __call__(self, formulas: Sequence[Counts]) -> Array:
        inputs = self.model.inputs(formulas)
        return self.function.score(inputs, inputs[:0])

    def changes(self, here: Counts, there: Sequence[Amounts]) -> tuple[Array, int]:
        """How the score changes, shape (n,), by gradients of the models where they have any; see ``Changes``."""
        inputs = self.model.inputs([here, *there])
        return self.function.changes(inputs[0], inputs[1:])


def formula_surrogate(
    rows: Sequence[tuple[str | Counts, Mapping[str, float]]],
    properties: Sequence[str],
    seed: int,
    failed: Sequence[bool] | None = None,
    kind: str = 'gp',
) -> FormulaSurrogate:
    """Learn properties from formulas and their values; one formula may come several times, with other crystals.

    :param rows: formulas, each with the properties that are known of it; NaN and infinity are not values.
    :param failed: which evaluations failed, if that is to be learned too.
    :param kind: of the models, as for :func:`~aiida_inversedesign.learn.fit.fit_on_features`.
    :raises NotReadyError: if a property is known of fewer than three rows.
    """
    targets = {name: np.array([float(values.get(name, np.nan)) for _, values in rows]) for name in properties}
    for name, values in targets.items():
        count = int(np.isfinite(values).sum())
        if count < MINIMUM_ROWS:
            raise NotReadyError(
                f'{count} evaluation(s) have a value of {name!r}, at least {MINIMUM_ROWS} are needed to lead a search: '
                'take enumeration until then'
            )
    flags = None if failed is None else np.asarray(failed, dtype=bool)
    features = describe([formula for formula, _ in rows])
    return FormulaSurrogate(fit_on_features(features, targets, flags, kind, seed, descriptor_names()))


def formula_score(
    rows: Sequence[EvaluationRow], goal: Goal, seed: int, acquisition: str = 'auto', kind: str = 'gp'
) -> FormulaScore:
    """The acquisition of a campaign's goal as a score of formulas.

    :param acquisition: name of an acquisition; one that cannot compare formulas asked for at different times gives
        way to the closed form that ``auto`` takes.
    :param kind: of the models, see :func:`formula_surrogate`.
    :raises NotReadyError: if a property of the goal is known of fewer than three rows.
    """
    from aiida_inversedesign.select.observed import Observed

    formulas: list[str | Counts] = [parse_formula(row.key) for row in rows]
    values = [row.properties if row.status == 'completed' else {} for row in rows]
    failed = np.array([row.status == 'failed' for row in rows], dtype=bool)
    model = formula_surrogate(list(zip(formulas, values, strict=True)), goal.properties, seed, failed.tolist(), kind)
    columns = {name: np.array([float(item.get(name, np.nan)) for item in values]) for name in goal.properties}
    observed = Observed(model.inputs(formulas), columns, failed)
    if acquisition not in COMPARABLE:
        acquisition = 'auto'
    if len(goal.objectives) > 1 and acquisition in ('auto', 'log_ei', 'ucb') and not goal.defines_hits:
        acquisition = 'log_ehvi'
    return FormulaScore(model, make_acquisition(acquisition, goal, model.surrogate, observed, seed))


def known_formulas(rows: Sequence[EvaluationRow], goal: Goal) -> list[Known]:
    """The evaluated formulas with their utility, each with that of its best crystal, the best first.

    The utility is that of the first objective; a crystal that breaks a constraint is worth less than all others.
    """
    name = goal.objectives[0].property
    done = [row for row in rows if row.status == 'completed' and np.isfinite(row.properties.get(name, np.nan))]
    utilities = [-loss(goal, row.properties) for row in done]
    spread = float(np.ptp(utilities)) if utilities else 0.0
    best: dict[str, float] = {}
    for row, utility in zip(done, utilities, strict=True):
        value = utility if is_feasible(goal, row.properties) else utility - 2 * spread
        best[row.key] = max(value, best.get(row.key, -np.inf))
    ordered = sorted(best.items(), key=lambda item: (-item[1], item[0]))
    return [Known(parse_formula(formula), utility) for formula, utility in ordered]


def campaign_request(
    space: CrystalSpace,
    goal: Goal,
    rows: Sequence[EvaluationRow],
    considered: Collection[str],
    number: int,
    seed: int,
    acquisition: str = 'auto',
    kind: str = 'gp',
) -> Request:
    """What a campaign asks of its generators: its goal as the score, its composition constraints as the condition.

    :param rows: the evaluations so far; without enough of them the request has no score.
    :param considered: reduced formulas that were proposed before. :param kind: of the models.
    """
    score: FormulaScore | None
    try:
        score = formula_score(rows, goal, seed, acquisition, kind)
    except NotReadyError:
        score = None

    def keeps(counts: Counts) -> bool:
        return all(verdict.passed for verdict in composition_verdicts(counts, goal.composition))

    known = known_formulas(rows, goal)
    allowed = keeps if goal.composition else None
    changes = score.changes if score is not None and score.function.differentiable else None
    return Request(space, number, seed, score, known, frozenset(considered), allowed, changes=changes)
