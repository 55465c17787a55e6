"""The whole comparison: queries, a fair split, trained and plain rankings, the figures. See :func:`benchmark`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from aiida_inversedesign.benchmarks.common import Report, silent
from aiida_inversedesign.benchmarks.proposal.models import TRAIN, Trained, Training, read_model, with_fingerprints
from aiida_inversedesign.benchmarks.proposal.predictions import measure_predictions
from aiida_inversedesign.benchmarks.proposal.queries import (
    BenchmarkError,
    Prediction,
    Query,
    draw_formulas,
    formulas_of,
    keyed,
)
from aiida_inversedesign.benchmarks.proposal.report import summarise
from aiida_inversedesign.benchmarks.proposal.run import Settings, builder_of, run
from aiida_inversedesign.benchmarks.proposal.source_plan import Draw, SourcePlan
from aiida_inversedesign.benchmarks.proposal.sources import measure_sources
from aiida_inversedesign.benchmarks.proposal.splits import TRAINED_ON, templates_for
from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.chemistry.elements import unknown_elements
from aiida_inversedesign.chemistry.fingerprints.structure import Cache, fingerprints
from aiida_inversedesign.libraries.library import Library, Skipped
from aiida_inversedesign.propose.proposal_model import load_model
from aiida_inversedesign.propose.rankers.by_name import NAMES, TRAINED, make_rankers

if TYPE_CHECKING:
    from aiida_inversedesign.benchmarks.potentials.relaxer import Relaxer


@dataclass(frozen=True)
class Options:
    """What is compared, and on what.

    :param rankings: names of the rankings; the paired tests are of the first one against each other.
    :param models: file content and name of a trained ranking's model, by ranking; those not given are trained again.
    :param max_e_above_hull: of the templates, eV/atom.
    :param epochs: of the training, fewer than the recipe's for a quick look.
    :param sources: arms of sources that are measured beside the rankings.
    :param screen: the potential that looks at their crystals.
    :param drawn_again: further queries that sources are asked for, by the seed of their draw.
    """

    rankings: tuple[str, ...] = NAMES
    models: Mapping[str, tuple[str, bytes]] = field(default_factory=dict)
    max_e_above_hull: float = 0.1
    seed: int = 0
    epochs: int | None = None
    settings: Settings = field(default_factory=Settings)
    sources: SourcePlan | None = None
    screen: Relaxer | None = None
    drawn_again: Mapping[int, Sequence[Query]] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Result:
    """The figures, and the models they were found with by the name of the ranking."""

    figures: dict[str, Any]
    models: dict[str, bytes]


def random_queries(
    library: Library, n: int, seed: int, known: Cache, progress: Report = silent
) -> tuple[list[Query], list[Skipped]]:
    """Queries drawn from a library, see :func:`~.queries.draw_formulas`."""
    drawn = library.subset(draw_formulas(library, n, seed))
    drawn = with_fingerprints(drawn, known, progress)
    assert drawn.fingerprints is not None  # noqa: S101
    found = [
        Query(item.id, item.crystal, values.astype(np.float64))
        for item, values in zip(drawn, drawn.fingerprints, strict=True)
    ]
    return usable(found)


def given_queries(
    structures: Sequence[tuple[str, Crystal]], known: Cache, progress: Report = silent
) -> tuple[list[Query], list[Skipped]]:
    """Queries of given structures; their fingerprints are computed unless they are known by their ids."""
    names = [name for name, _ in structures]
    report = partial(progress, 'fingerprints of the queries')
    values = fingerprints([crystal for _, crystal in structures], keyed(known, names), names, report)
    return usable([Query(name, crystal, row) for (name, crystal), row in zip(structures, values, strict=True)])


def usable(queries: Sequence[Query]) -> tuple[list[Query], list[Skipped]]:
    """The queries that can be asked for, and why the others cannot.

    :raises BenchmarkError: if none can.
    """
    found, skipped = [], []
    for query in queries:
        if unknown := unknown_elements(query.crystal.counts):
            skipped.append(Skipped(query.id, f'no element data for {", ".join(unknown)}'))
        elif not np.isfinite(query.fingerprint).all():
            skipped.append(Skipped(query.id, 'no fingerprint of the true structure'))
        else:
            found.append(query)
    if not found:
        reason = f': {skipped[0].source}: {skipped[0].reason}' if skipped else ''
        raise BenchmarkError(f'none of the {len(queries)} queries can be used{reason}')
    return found, skipped


def benchmark(
    queries: Sequence[Query],
    library: Library,
    options: Options | None = None,
    known: Cache | None = None,
    predictions: Sequence[Prediction] = (),
    progress: Report = silent,
) -> Result:
    """Compare rankings on the queries; their formulas leave the templates and the training first.

    :param library: templates of all formulas; those without a fingerprint get one.
    :param known: fingerprints by id.
    :param predictions: published predictions that are measured too.
    :param progress: called with what is being done and the fraction done.
    :raises BenchmarkError: if a given model may know the answers, or nothing is left to rank.
    :raises RankerError: if a ranking does not exist.
    """
    options, known = options or Options(), {} if known is None else known
    asked = formulas_of(queries)
    templates = templates_for(library, asked, options.max_e_above_hull)
    labels = {query.label for query in queries}
    jobs = options.settings.jobs
    if options.rankings:
        templates = with_fingerprints(templates, known, progress, labels, jobs)
    training = Training(library, asked, options.seed, known, options.epochs, jobs)
    trained = {name: _trained(name, training, options, progress) for name in _needed(options.rankings)}
    models = {name: item.ranker for name, item in trained.items()}
    rankers = make_rankers(options.rankings, templates, models, options.seed)
    volumes = next((item.volumes for item in trained.values() if item.volumes is not None), None)
    outcome = run(queries, templates, rankers, options.settings, builder_of(volumes), progress)
    figures = summarise(outcome, options.settings.taus)
    figures['max_e_above_hull'], figures['seed'] = options.max_e_above_hull, options.seed
    figures['models'] = {name: _card(item, name, options) for name, item in trained.items()}
    if predictions:
        names = [item.id for item in predictions]
        report = partial(progress, 'fingerprints of the predictions')
        values = fingerprints([item.crystal for item in predictions], keyed(known, names), names, report, jobs)
        figures['published_predictions'] = measure_predictions(
            queries, predictions, dict(zip(names, values, strict=True)), options.settings.taus, progress
        )
    if options.sources is not None:
        model = load_model(trained['ours'].data) if 'ours' in trained else None
        draws = [Draw(queries, templates, options.seed, model)]
        for seed, more in options.drawn_again.items():
            draws.append(Draw(more, templates_for(library, formulas_of(more), options.max_e_above_hull), seed))
        figures['sources'] = measure_sources(draws, options.sources, options.screen, progress)
    return Result(figures, {name: item.data for name, item in trained.items()})


def _needed(rankings: Sequence[str]) -> list[str]:
    """The rankings that need a model: those asked for, and ``published`` for the fusion."""
    wanted = [*rankings, *(['published'] if 'fusion' in rankings else [])]
    return [name for name in TRAINED if name in wanted]


def _trained(name: str, training: Training, options: Options, progress: Report) -> Trained:
    if name in options.models:
        label, data = options.models[name]
        return read_model(label, data, name, training.asked)
    return TRAIN[name](training, lambda step, done: progress(f'training {name}: {step}', done))


def _card(trained: Trained, name: str, options: Options) -> dict[str, Any]:
    """The model card without the long list of formulas, and where the model comes from."""
    origin = options.models[name][0] if name in options.models else 'trained in this run'
    card = {key: value for key, value in trained.card.items() if key != TRAINED_ON}
    return {'origin': origin, **_plain(card), 'formulas': trained.formulas}


def _plain(value: Any) -> Any:
    """The value with None for NaN and infinity, which JSON does not know: a loss of no compounds, say."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value
