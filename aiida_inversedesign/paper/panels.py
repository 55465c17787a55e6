"""What each figure of a paper shows, drawn into axes of any size."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import numpy as np

from aiida_inversedesign.campaign.goal import Goal
from aiida_inversedesign.campaign.properties import property_text
from aiida_inversedesign.campaign.row import is_feasible, is_hit
from aiida_inversedesign.graph.evaluation_account import ENDED
from aiida_inversedesign.paper.facts import Facts
from aiida_inversedesign.report.figures.pareto import pareto_front

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Okabe and Ito's colours, distinguishable with every kind of colour vision; shapes differ too.
BLUE, ORANGE, GREEN, SKY, VERMILION, GREY = '#0072B2', '#E69F00', '#009E73', '#56B4E9', '#D55E00', '#777777'


def _axis(facts: Facts) -> tuple[str, str]:
    """What the search is measured against: DFT calculations, or evaluations where there were none."""
    if facts.report['dft_calculations']['total']:
        return 'dft_calculations', 'DFT calculations'
    return 'evaluation', 'evaluations'


def _label(facts: Facts, name: str) -> str:
    return property_text(name, facts.report['campaign']['units'].get(name))


def draw_best_so_far(facts: Facts, axes: Axes) -> None:
    """The best value so far against the cost, with every evaluation."""
    steps, (key, title) = facts.report['progress'], _axis(facts)
    objective = facts.record.goal.objectives[0]
    best = [step for step in steps if step['best'] is not None]
    axes.step(
        [step[key] for step in best], [step['best'] for step in best], where='post', color=BLUE, label='best so far'
    )
    if facts.report['known']:
        values = facts.report['known']['values']
        axes.plot([0.0] * len(values), values, 'd', color=SKY, fillstyle='none', markersize=3.0, label='starting data')
    _evaluations(axes, [(step[key], step['value'], bool(step['hit'])) for step in steps if step['value'] is not None])
    failed = [step[key] for step in steps if step['status'] == 'failed']
    if failed:
        heights = [0.02] * len(failed)
        axes.plot(
            failed, heights, 'x', color=VERMILION, markersize=4, transform=axes.get_xaxis_transform(), label='failed'
        )
    for bound in objective.hit_range or ():
        if abs(bound) != float('inf'):
            axes.axhline(bound, color='black', linewidth=0.6, linestyle='--')
    axes.set_xlabel(title)
    axes.set_ylabel(_label(facts, objective.property))
    axes.margins(y=0.12)
    _legend(axes)


def _evaluations(axes: Axes, points: Sequence[tuple[float, float, bool]]) -> None:
    """Evaluations at x and y, hits as stars: the last of each tells whether it is one."""
    for hit, marker, color, size, label in ((False, 'o', GREY, 3.0, 'evaluation'), (True, '*', GREEN, 7.0, 'hit')):
        own = [(x, y) for x, y, is_one in points if is_one is hit]
        if own:
            edge: dict[str, Any] = {'markeredgewidth': 0.3 if hit else 0, 'markeredgecolor': 'black'}
            axes.plot(*zip(*own, strict=True), marker, color=color, markersize=size, label=label, **edge)


def draw_hits(facts: Facts, axes: Axes) -> None:
    """Distinct hits against the cost, with random search where the base rate is known."""
    steps, (key, title) = facts.report['progress'], _axis(facts)
    ended = [step for step in steps if step['status'] in ENDED]
    counts = accumulate(int(bool(step['hit']) and not step['copy_of']) for step in ended)
    indices = [0, *(step[key] for step in ended)]
    axes.step(indices, [0, *counts], where='post', color=GREEN, label='distinct hits')
    random = _random(facts, len(ended))
    if random is not None:
        mean, low, high = random
        axes.plot(indices, mean, '--', color=GREY, label='random choice')
        axes.fill_between(indices, low, high, color=GREY, alpha=0.2, linewidth=0, step='post')
    axes.set_xlabel(title)
    axes.set_ylabel('distinct hits')
    _whole_numbers(axes.yaxis)
    _legend(axes)


def _random(facts: Facts, evaluations: int) -> tuple[list[float], list[float], list[float]] | None:
    """Hits of random choices after 0, 1, 2 … evaluations: mean and ends of the 95 % interval.

    Known where the hits of the whole pool are, or the control arm tells their share.

    From a known pool the draws are without replacement (hypergeometric), else with the control arm's rate (binomial).
    """
    from scipy.stats import binom, hypergeom

    numbers = range(evaluations + 1)
    answers = facts.record.answers
    control = [item for item in facts.record.evaluations if item.arm == 'control' and item.status in ENDED]
    if answers and len(answers) >= evaluations:
        hits = sum(item is not None and is_hit(facts.record.goal, dict(item)) is True for item in answers.values())
        mean = [n * hits / len(answers) for n in numbers]
        low, high = ([float(hypergeom.ppf(q, len(answers), hits, n)) for n in numbers] for q in _QUANTILES)
    elif len(control) >= LEAST_CONTROL:
        share = sum(item.is_distinct_hit for item in control) / len(control)
        mean = [n * share for n in numbers]
        low, high = ([float(binom.ppf(q, n, share)) for n in numbers] for q in _QUANTILES)
    else:
        return None
    return mean, low, high


#: Fewer random evaluations than this tell no base rate worth drawing.
LEAST_CONTROL = 10

#: Ends of a 95 % interval.
_QUANTILES = (0.025, 0.975)


def draw_hit_rate(facts: Facts, axes: Axes) -> None:
    """The hit rate of each generation with its 95 % interval."""
    generations = [item for item in facts.report['by_generation'] if item['hit_rate']['value'] is not None]
    numbers = [item['generation'] for item in generations]
    rates = [[item['hit_rate'][key] for item in generations] for key in ('low', 'value', 'high')]
    low, values, high = np.array(rates, dtype=np.float64)
    style: dict[str, Any] = {'color': BLUE, 'markersize': 3, 'linewidth': 0.8, 'label': '95 % interval'}
    axes.errorbar(numbers, values, yerr=(values - low, high - values), fmt='o', **style)
    overall = facts.report['hit_rate']
    if overall['value'] is not None:
        axes.axhline(overall['value'], color=ORANGE, linewidth=1.0, linestyle='--', label='whole campaign')
    axes.set_xlabel('generation')
    axes.set_ylabel('hit rate')
    axes.set_ylim(-0.02, 1.02)
    _whole_numbers(axes.xaxis)
    _legend(axes)


def draw_parity(facts: Facts, axes: Axes) -> None:
    """What was computed against what was predicted when it was chosen."""
    name = predicted_property(facts)
    pairs = [
        (item.properties[name], *item.predicted[name], bool(item.hit))
        for item in facts.record.evaluations
        if name in item.properties and name in item.predicted
    ]
    for hit, marker, color, label in ((False, 'o', BLUE, 'evaluation'), (True, '*', GREEN, 'hit')):
        own = [pair for pair in pairs if pair[3] is hit]
        if own:
            found, said, deviations, _ = zip(*own, strict=True)
            style: dict[str, Any] = {'color': color, 'markersize': 6 if hit else 3, 'linewidth': 0.5, 'alpha': 0.85}
            axes.errorbar(said, found, xerr=1.96 * np.array(deviations), fmt=marker, label=label, **style)
    ends = [min(pair[0] for pair in pairs), max(pair[0] for pair in pairs)]
    axes.plot(ends, ends, '-', color='black', linewidth=0.6)
    axes.set_aspect('equal', adjustable='datalim')
    axes.set_xlabel(f'predicted {_label(facts, name)}')
    axes.set_ylabel(f'evaluated {_label(facts, name)}')
    _legend(axes)


def predicted_property(facts: Facts) -> str:
    """The first property of the goal that evaluations have both predicted and computed; empty if none."""
    for name in facts.record.goal.properties:
        if any(name in item.properties and name in item.predicted for item in facts.record.evaluations):
            return name
    return ''


def draw_funnel(facts: Facts, axes: Axes) -> None:
    """How many candidates were considered, accepted, evaluated, completed and hits."""
    report, candidates = facts.report, facts.record.candidates
    counts = report['evaluations']
    stages = [
        ('considered', len(candidates)),
        ('passed the filters', sum(item.accepted for item in candidates)),
        ('evaluated', counts['total']),
        ('completed', counts['completed']),
    ]
    if facts.record.goal.defines_hits:
        stages.append(('distinct hits', counts['distinct_hits']))
    names, values = [name for name, _ in stages], [value for _, value in stages]
    bars = axes.barh(range(len(values)), values, color=[SKY] * (len(values) - 1) + [GREEN], height=0.65)
    axes.bar_label(bars, fontsize=7, padding=2)
    axes.set_yticks(range(len(values)), names)
    axes.invert_yaxis()
    axes.set_xlabel('candidates')
    _whole_numbers(axes.xaxis)
    axes.margins(x=0.12)


def draw_spending(facts: Facts, axes: Axes) -> None:
    """What the jobs were spent on, split into those of use, those that failed, and restarts."""
    jobs = [job for job in facts.record.jobs if not job.cached]
    kinds = list(dict.fromkeys(sorted(job.kind for job in jobs)))
    start = [0] * len(kinds)
    for label, color, wanted in (
        ('first attempt', BLUE, lambda job: not (job.is_restart or job.has_failed or job.has_residual)),
        ('restart', ORANGE, lambda job: job.is_restart and not (job.has_failed or job.has_residual)),
        ('residual above threshold', SKY, lambda job: job.has_residual),
        ('failed', VERMILION, lambda job: job.has_failed),
    ):
        counts = [sum(job.kind == kind and wanted(job) for job in jobs) for kind in kinds]
        if any(counts):
            axes.barh(range(len(kinds)), counts, left=start, color=color, height=0.65, label=label)
        start = [before + count for before, count in zip(start, counts, strict=True)]
    axes.set_yticks(range(len(kinds)), [kind.replace('_', ' ') for kind in kinds])
    # one kind alone must not fill the axes
    axes.set_ylim(-0.6, max(len(kinds), 4) - 0.4)
    _whole_numbers(axes.xaxis)
    axes.invert_yaxis()
    axes.set_xlabel('calculation jobs')
    _legend(axes)


def draw_pareto(facts: Facts, axes: Axes) -> None:
    """The first two objectives against each other, with the Pareto front."""
    one, other = (objective.property for objective in facts.record.goal.objectives[:2])
    done = [item for item in facts.record.evaluations if one in item.properties and other in item.properties]
    _evaluations(axes, [(item.properties[one], item.properties[other], bool(item.hit)) for item in done])
    # of the two that are drawn, among those that keep the constraints
    two = Goal(objectives=facts.record.goal.objectives[:2])
    able = [item for item in done if is_feasible(facts.record.goal, item.properties)]
    front = sorted((item.properties[one], item.properties[other]) for item in pareto_front(two, able))
    if front:
        axes.plot(
            [x for x, _ in front],
            [y for _, y in front],
            '-o',
            color=BLUE,
            linewidth=0.9,
            markersize=8,  # rings, so that a front of one evaluation is seen too
            markerfacecolor='none',
            markeredgewidth=0.9,
            label='Pareto front',
        )
    axes.set_xlabel(_label(facts, one))
    axes.set_ylabel(_label(facts, other))
    _legend(axes)


def _whole_numbers(axis: Any) -> None:
    """Ticks at whole numbers only."""
    axis.get_major_locator().set_params(integer=True)


def _legend(axes: Axes) -> None:
    """The legend above the axes, where it hides nothing."""
    handles = axes.get_legend_handles_labels()[1]
    if handles:
        axes.legend(
            loc='lower right',
            bbox_to_anchor=(1.0, 1.0),
            ncols=len(handles),
            columnspacing=0.9,
            handletextpad=0.4,
            handlelength=1.4,
            borderaxespad=0.2,
        )


def has_value(facts: Facts) -> bool:
    """Whether any evaluation has the property of the first objective."""
    return any(step['value'] is not None for step in facts.report['progress'])


def defines_hits(facts: Facts) -> bool:
    """Whether the goal says what a hit is, and an evaluation has ended."""
    return facts.record.goal.defines_hits and any(step['status'] in ENDED for step in facts.report['progress'])
