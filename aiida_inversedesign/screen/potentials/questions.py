"""Of which candidates a potential computes properties, where each answer has its cost (``screen.estimate_cost``).

Of the other candidates a Gaussian process of the answers says what the potential would say.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from aiida_inversedesign.campaign.candidate import Candidate
from aiida_inversedesign.campaign.row import EvaluationRow
from aiida_inversedesign.learn.estimates import expected_estimates
from aiida_inversedesign.learn.fit import MINIMUM_ROWS, values_of
from aiida_inversedesign.learn.surrogate import Surrogate, estimate_column
from aiida_inversedesign.screen.potentials.judge import estimates_of
from aiida_inversedesign.select.fidelity import worth_asking

if TYPE_CHECKING:
    from aiida_inversedesign.campaign.spec import CampaignSettings

#: What the name of a question begins with, before the id of its candidate.
QUESTION = 'estimate:'


def is_question(name: str) -> bool:
    """Whether a job is asked for properties of a relaxed candidate."""
    return name.startswith(QUESTION)


def questions(
    spec: CampaignSettings,
    candidates: Sequence[Candidate],
    rows: Sequence[EvaluationRow],
    surrogate: Surrogate | None,
    seed: int,
) -> list[str]:
    """Ids of the candidates that the potential is asked about next, for no more than the cost of one evaluation.

    The first are drawn at random. Later those are asked about where that is worth more for its cost than any
    evaluation (:func:`~aiida_inversedesign.select.fidelity.worth_asking`); nothing, if no such candidate is left.
    """
    assert spec.screen.estimate_cost is not None  # noqa: S101  (the caller asks for it)
    ratio, objective = 1 / spec.screen.estimate_cost, spec.goal.objectives[0]
    standing = [item for item in candidates if item.accepted]
    if not any((item.screening or {}).get('asked') for item in candidates):
        able = [item.id for item in standing if 'energy' in (item.screening or {})]
        # with fewer there is no model of the answers, and then nothing to weigh
        drawn = np.random.default_rng([seed, 22]).permutation(len(able))[: max(int(ratio), MINIMUM_ROWS)]
        return [able[index] for index in sorted(drawn)]
    if surrogate is None or estimate_column(objective.property) not in surrogate.names:
        return []
    evaluated = {row.candidate for row in rows}
    left = [item for item in standing if item.id not in evaluated]
    observed = values_of(rows, objective.property)
    if not left or not np.isfinite(observed).any():
        return []
    mean, deviation = surrogate.models[objective.property].predict(surrogate.inputs_of(spec.space, left))
    # one that was asked about and gave no credible answer is not asked about again
    unknown = np.array([0.0 if (item.screening or {}).get('asked') else _uncertain(item).get(objective.property, 0.0)
                        for item in left])  # fmt: skip
    chosen = worth_asking(objective, mean, deviation, unknown, observed[np.isfinite(observed)], ratio)
    return [left[index].id for index in chosen]


def answered(
    spec: CampaignSettings, candidates: Iterable[Candidate], results: Iterable[Mapping[str, Any]]
) -> list[Candidate]:
    """The candidates with the answers, and with what the potential would say of those that it was not asked about.

    :param results: records of the program with ``digest`` of the relaxed crystal; those of others are not used.
    """
    by_id = {record['id'].removeprefix(QUESTION): record for record in results if is_question(record['id'])}
    found = [
        _with_answer(item, by_id[item.id])
        if item.id in by_id and item.screening and item.content.content_hash == by_id[item.id]['digest']
        else item
        for item in candidates
    ]
    known = [item for item in found if 'energy' in (item.screening or {})]
    asked = [index for index, item in enumerate(known) if (item.screening or {}).get('asked')]
    names = sorted({name for index in asked for name in _answers(known[index])})
    if not names:
        return found
    features, _ = spec.space.describe([item.content for item in known], [item.probability for item in known])
    expected: dict[str, dict[str, tuple[float, float]]] = {item.id: {} for item in known}
    for name in names:
        values = np.array([_answers(item).get(name, np.nan) for item in known])
        rows = [index for index in asked if np.isfinite(values[index])]
        if len(rows) < MINIMUM_ROWS:
            continue
        for item, mean, deviation in zip(known, *expected_estimates(features, rows, values), strict=True):
            expected[item.id][name] = float(mean), float(deviation)
    return [_expecting(item, expected[item.id]) if item.id in expected else item for item in found]


def _uncertain(candidate: Candidate) -> dict[str, float]:
    return dict((candidate.screening or {}).get('uncertain', {}))


def _answers(candidate: Candidate) -> dict[str, float]:
    """Estimates that the potential gave, and no model of its answers."""
    uncertain = _uncertain(candidate)
    return {name: value for name, value in candidate.estimates.items() if name not in uncertain}


def _with_answer(candidate: Candidate, record: Mapping[str, Any]) -> Candidate:
    answers = {} if 'failed' in record else estimates_of(record)
    screening = {**(candidate.screening or {}), 'asked': True, 'estimates': answers, 'uncertain': {}}
    return dataclasses.replace(candidate, screening=screening)


def _expecting(candidate: Candidate, expected: Mapping[str, tuple[float, float]]) -> Candidate:
    """A candidate with what the potential would say where it has said nothing."""
    own = _answers(candidate)
    others = {name: pair for name, pair in expected.items() if name not in own}
    screening = {
        **(candidate.screening or {}),
        'estimates': {**{name: mean for name, (mean, _) in others.items()}, **own},
        'uncertain': {name: deviation for name, (_, deviation) in others.items()},
    }
    return dataclasses.replace(candidate, screening=screening)
