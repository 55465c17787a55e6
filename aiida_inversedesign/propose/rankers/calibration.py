"""Turns what a ranker knows of a template into the probability that it is right, on held-out compounds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiida_inversedesign.libraries.library import Library
from aiida_inversedesign.libraries.prototype_labels import label_of
from aiida_inversedesign.propose.rankers.posterior import EVIDENCE, PosteriorRanker
from aiida_inversedesign.propose.rankers.ranking import TAUS, Templates, reduced

#: templates of each held-out compound that the probabilities are calibrated on
CALIBRATED = 10
#: numbers of templates whose recall is reported
TOP = (1, 5, 10)


@dataclass(frozen=True, eq=False)
class HeldOut:
    """What was found for held-out compounds, a row for each template kept for one of them (m rows).

    :param evidence: shape (m, 4, 4).
    :param right: whether the template lies within each τ of the compound's own structure, and last whether it has its
        prototype, shape (m, 4).
    :param compound: number of the compound, shape (m,).
    :param nearest: for each compound the least distance among all templates and among the best 1, 5 and 10.
    :param prototypes: for each compound whether its prototype is among all templates and among the best 1, 5 and 10.
    """

    evidence: NDArray[np.float64]
    right: NDArray[np.bool_]
    compound: NDArray[np.int64]
    nearest: NDArray[np.float64]
    prototypes: NDArray[np.bool_]


def calibrate(
    ranker: PosteriorRanker, library: Library, training: NDArray[np.int64], validation: NDArray[np.int64]
) -> tuple[NDArray[np.float64], dict[str, Any]]:
    """Weights of the evidence, shape (4, 5), and the scores on the held-out compounds.

    The Brier score comes from weights fitted to half of the held-out compounds and tested on the other half; the
    weights that are returned use all of them.

    :param library: compounds with fingerprints; ``training`` and ``validation`` are rows of it.
    """
    found = _ask(ranker, library, training, validation)
    weights = np.zeros((len(TAUS) + 1, len(EVIDENCE) + 1))
    scores: dict[str, Any] = {}
    for column, name in enumerate((*map(str, TAUS), 'prototype')):
        evidence, right = found.evidence[:, column], found.right[:, column]
        half = found.compound % 2 == 0
        weights[column] = _fit(evidence, right)
        stated = _probabilities(evidence[~half], _fit(evidence[half], right[half]))
        reached = found.prototypes if column == len(TAUS) else found.nearest <= TAUS[column]
        findable = reached[:, 0]
        recall = {str(k): _share(reached[findable, 1 + at]) for at, k in enumerate(TOP)}
        scores[name] = {
            'n': int(findable.sum()),
            'recall': recall,
            'brier': _share((stated - right[~half]) ** 2),
            'base_rate': _share(right),
        }
    return weights, scores


def _ask(
    ranker: PosteriorRanker, library: Library, training: NDArray[np.int64], validation: NDArray[np.int64]
) -> HeldOut:
    templates = Templates(library.subset(training.tolist()))
    prints = library.fingerprints
    assert prints is not None  # noqa: S101
    evidence, right, compound, nearest, prototypes = [], [], [], [], []
    for number, row in enumerate(validation.tolist()):
        crystal = library[row].crystal
        group = templates.group(crystal.ratio_label)
        if group is None or group.fingerprints is None:
            continue
        ranked, numbers = ranker.explain(reduced(crystal.counts), group, CALIBRATED)
        distance = np.linalg.norm(prints[training[ranked.indices]] - prints[row], axis=1)
        least = np.linalg.norm(group.fingerprints - prints[row], axis=1).min()
        evidence.append(numbers)
        own = label_of(library[row])
        same = np.array([bool(own) and label_of(templates.library[int(index)]) == own for index in ranked.indices])
        right.append(np.column_stack([distance[:, None] <= np.array(TAUS), same]))
        prototypes.append([own in group.prototypes, *(bool(same[:k].any()) for k in TOP)])
        compound += [number] * len(distance)
        nearest.append([least, *(distance[:k].min() for k in TOP)])
    shape = (0, len(TAUS) + 1, len(EVIDENCE))
    return HeldOut(
        np.concatenate([np.empty(shape), *evidence]),
        np.concatenate([np.empty((0, len(TAUS) + 1), dtype=bool), *right]),
        np.array(compound, dtype=np.int64),
        np.array(nearest).reshape(-1, 1 + len(TOP)),
        np.array(prototypes, dtype=bool).reshape(-1, 1 + len(TOP)),
    )


def _fit(evidence: NDArray[np.float64], right: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Logistic regression, the constant last; the share of right ones where there is nothing to distinguish them."""
    from sklearn.linear_model import LogisticRegression

    constant = np.zeros(evidence.shape[1] + 1)
    if not 0 < right.sum() < len(right):
        share = (right.sum() + 1) / (len(right) + 2)
        constant[-1] = np.log(share / (1 - share))
        return constant
    model = LogisticRegression(C=10.0, max_iter=1000).fit(evidence, right)
    constant[:-1], constant[-1] = model.coef_[0], model.intercept_[0]
    return constant


def _probabilities(evidence: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(1 / (1 + np.exp(-(evidence @ weights[:-1] + weights[-1]))))


def _share(values: NDArray[Any]) -> float | None:
    return round(float(values.mean()), 4) if len(values) else None
