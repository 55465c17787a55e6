"""Turns what a ranker knows of a template into the probability that it is right, on held-out compounds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiida_inversedesign.libraries.library import Library
from aiida_inversedesign.propose.rankers.posterior import EVIDENCE, PosteriorRanker
from aiida_inversedesign.propose.rankers.ranking import TAUS, Templates, reduced

#: templates of each held-out compound that the probabilities are calibrated on
CALIBRATED = 10
#: numbers of templates whose recall is reported
TOP = (1, 5, 10)


@dataclass(frozen=True, eq=False)
class HeldOut:
    """What was found for held-out compounds, a row for each template kept for one of them (m rows).

    :param evidence: shape (m, 3, 4).
    :param right: whether the template lies within each τ of the compound's own structure, shape (m, 3).
    :param compound: number of the compound, shape (m,).
    :param nearest: for each compound the least distance among all templates and among the best 1, 5 and 10.
    """

    evidence: NDArray[np.float64]
    right: NDArray[np.bool_]
    compound: NDArray[np.int64]
    nearest: NDArray[np.float64]


def calibrate(
    ranker: PosteriorRanker, library: Library, training: NDArray[np.int64], validation: NDArray[np.int64]
) -> tuple[NDArray[np.float64], dict[str, Any]]:
    """Weights of the evidence, shape (3, 5), and the scores on the held-out compounds.

    The Brier score comes from weights fitted to half of the held-out compounds and tested on the other half; the
    weights that are returned use all of them.

    :param library: compounds with fingerprints; ``training`` and ``validation`` are rows of it.
    """
    found = _ask(ranker, library, training, validation)
    weights = np.zeros((len(TAUS), len(EVIDENCE) + 1))
    scores: dict[str, Any] = {}
    for column, tau in enumerate(TAUS):
        evidence, right = found.evidence[:, column], found.right[:, column]
        half = found.compound % 2 == 0
        weights[column] = _fit(evidence, right)
        told = _probabilities(evidence[~half], _fit(evidence[half], right[half]))
        findable = found.nearest[:, 0] <= tau
        recall = {str(k): _share(found.nearest[findable, 1 + at] <= tau) for at, k in enumerate(TOP)}
        scores[f'{tau}'] = {
            'n': int(findable.sum()),
            'recall': recall,
            'brier': _share((told - right[~half]) ** 2),
            'base_rate': _share(right),
        }
    return weights, scores


def _ask(
    ranker: PosteriorRanker, library: Library, training: NDArray[np.int64], validation: NDArray[np.int64]
) -> HeldOut:
    templates = Templates(library.subset(training.tolist()))
    prints = library.fingerprints
    assert prints is not None  # noqa: S101
    evidence, right, compound, nearest = [], [], [], []
    for number, row in enumerate(validation.tolist()):
        crystal = library[row].crystal
        group = templates.group(crystal.ratio_label)
        if group is None or group.fingerprints is None:
            continue
        ranked, numbers = ranker.explain(reduced(crystal.counts), group, CALIBRATED)
        distance = np.linalg.norm(prints[training[ranked.indices]] - prints[row], axis=1)
        least = np.linalg.norm(group.fingerprints - prints[row], axis=1).min()
        evidence.append(numbers)
        right.append(distance[:, None] <= np.array(TAUS))
        compound += [number] * len(distance)
        nearest.append([least, *(distance[:k].min() for k in TOP)])
    shape = (0, len(TAUS), len(EVIDENCE))
    return HeldOut(
        np.concatenate([np.empty(shape), *evidence]),
        np.concatenate([np.empty((0, len(TAUS)), dtype=bool), *right]),
        np.array(compound, dtype=np.int64),
        np.array(nearest).reshape(-1, 1 + len(TOP)),
    )


def _fit(evidence: NDArray[np.float64], right: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Logistic regression, the constant last; the share of right ones where there is nothing to tell them apart."""
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
    out: NDArray[np.float64] = 1 / (1 + np.exp(-(evidence @ weights[:-1] + weights[-1])))
    return out


def _share(values: NDArray[Any]) -> float | None:
    return round(float(values.mean()), 4) if len(values) else None
