"""The fit of a campaign: from what was evaluated to a surrogate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from aiida_inversedesign.campaign.contracts.engine import engine_named
from aiida_inversedesign.campaign.row import EvaluationRow
from aiida_inversedesign.campaign.spec import CampaignSettings
from aiida_inversedesign.learn.curves.rows import curves_of_rows, fit_shown
from aiida_inversedesign.learn.earlier import EarlierCampaign, source_tasks
from aiida_inversedesign.learn.fit import fit_surrogate
from aiida_inversedesign.learn.library_priors import library_priors
from aiida_inversedesign.learn.surrogate import Surrogate
from aiida_inversedesign.learn.update import knows, with_rows
from aiida_inversedesign.libraries.library import Library


def fit_next(
    spec: CampaignSettings,
    rows: Sequence[EvaluationRow],
    library: Library | None,
    campaigns: Sequence[EarlierCampaign] = (),
) -> Surrogate:
    """The surrogate of all that was evaluated.

    :param spec: the campaign; its ``seed`` fixes all random choices.
    :param library: whose entries have the properties of ``learn.source``, where that names any.
    :param campaigns: those of ``learn.from``.
    :raises SurrogateError: if there are too few completed rows.
    :raises EarlierError: if nothing can be learned from an earlier campaign.
    :raises SourceError: if there is nothing to transfer from.
    """
    priors = library_priors(library, spec.learn.source, spec.seed) if library else ()
    goal, learn = spec.goal, spec.learn
    curves = curves_of_rows(rows, goal.functionals, learn.curves)
    earlier = source_tasks(spec, campaigns)
    noisy = engine_named(spec.evaluate.engine).noisy
    found = fit_surrogate(
        rows, goal.properties, spec.space, learn.surrogate, spec.seed, priors, curves, earlier, noisy=noisy
    )
    if not curves:
        return found
    names = [item['property'] for item in goal.functionals.values()]
    shown = fit_shown(rows, names, found.inputs_of(spec.space, rows), learn.curves, spec.seed)
    return replace(found, curves=shown)


def with_later_rows(spec: CampaignSettings, surrogate: Surrogate, rows: Sequence[EvaluationRow]) -> Surrogate:
    """A stored surrogate with the rows that came after its fit, without a new fit.

    :param rows: every evaluation so far, those that it was fitted to included.
    """
    if knows(surrogate, rows):
        return surrogate
    curves = curves_of_rows(rows, spec.goal.functionals, spec.learn.curves)
    return with_rows(surrogate, rows, spec.space, curves, engine_named(spec.evaluate.engine).noisy)
