"""Our surrogates and acquisitions on feature matrices, by the functions that campaigns use."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from aiida_inversedesign.arrays import Array, Integers, Mask
from aiida_inversedesign.benchmarks.search.earlier import informed_start
from aiida_inversedesign.benchmarks.search.fidelity import FIDELITY, FidelitySearcher
from aiida_inversedesign.benchmarks.search.loop import Question, Searcher, Step
from aiida_inversedesign.benchmarks.search.pool import PoolError
from aiida_inversedesign.campaign.contracts import registry
from aiida_inversedesign.campaign.replicates import pooled_noise, with_noise

if TYPE_CHECKING:
    from aiida_inversedesign.learn.models.transfer import Prior
    from aiida_inversedesign.learn.surrogate import Surrogate

#: Asked with a index in the pool and those chosen so far in the batch; see ``choose_points``.
Acceptable = Callable[[int, list[int]], bool]


@cache
def surrogates() -> tuple[str, ...]:
    """Those that need no more than a pool has, which may be curves; ``auto`` stands for ``mixture`` too."""
    installed = registry.parts('surrogates').items()
    able = (name for name, kind in installed if set(getattr(kind, 'needs', ())) <= {'curves'})
    return ('auto', *(name for name in able if name != 'mixture'))


def acquisitions() -> tuple[str, ...]:
    """What the campaign file accepts."""
    return ('auto', *registry.names('acquisitions'), 'random')


@dataclass(frozen=True)
class OurArm:
    """A surrogate with an acquisition.

    :param acceptable: given what was evaluated, which candidates a batch may take; default: all.
    :param before: ``from`` or ``shuffled`` where it starts from an earlier search, ``fidelity`` where it may ask a
        cheaper method; else empty.
    """

    name: str
    surrogate: str
    acquisition: str
    acceptable: Callable[[Integers], Acceptable] | None = None
    before: str = ''

    def begin(self, question: Question) -> Searcher:
        """Start a search.

        :raises PoolError: if it is to start from an earlier one, or to ask a cheaper method, and there is none.
        """
        own = OurSearcher(self, question)
        if not self.before:
            return own
        if self.before == FIDELITY:
            if question.cheap is None:
                raise PoolError(f'arm {self.name}: name what the cheaper method says with --cheap')
            return FidelitySearcher(question, question.cheap, own.fit, own.choose_as)
        if self.before not in question.earlier:
            raise PoolError(f'arm {self.name}: name the pool of the earlier search with --from')
        return OurSearcher(self, question, question.earlier[self.before].priors(question.seed))


@dataclass
class OurSearcher:
    """See :class:`OurArm`."""

    arm: OurArm
    question: Question
    priors: tuple[Prior, ...] = ()

    def start(self, points: list[int]) -> list[int]:
        """The starting points: those that were drawn, or half of them by what an earlier search found."""
        if not self.priors:
            return points
        return informed_start(self.priors, self.question.goal, self.question.features, points)

    def choose(self, observed: Integers, values: dict[str, Array], size: int, generation: int) -> Step:
        """Fit to what is known, then choose as a campaign does."""
        features = self.question.features
        surrogate = self.fit(features[observed], self.question.names, observed, values)
        return self.choose_as(surrogate, features, observed, values, size, generation)

    def choose_as(
        self,
        surrogate: Surrogate,
        features: Array,
        observed: Integers,
        values: dict[str, Array],
        size: int,
        generation: int,
    ) -> Step:
        """Choose by a surrogate as a campaign does.

        :param features: descriptors of every candidate, shape (n, d).
        """
        from aiida_inversedesign.select.batch import choose_points
        from aiida_inversedesign.select.observed import Observed

        question = self.question
        left = np.setdiff1d(np.arange(len(features)), observed)
        known = Observed(surrogate.standardise(features[observed]), values, np.zeros(len(observed), dtype=bool))
        inputs = surrogate.standardise(features[left])
        indices = choose_points(
            self.arm.acquisition,
            question.goal,
            surrogate,
            known,
            inputs,
            size,
            question.seed + generation,
            acceptable=self._acceptable(observed, left),
        )
        rows = np.array([number.index for number in indices], dtype=np.int64)
        predicted = {name: model.predict(inputs[rows]) for name, model in surrogate.models.items()}
        models = dict.fromkeys(surrogate.record[name]['chosen'] for name in question.goal.properties)
        names = dict.fromkeys(number.acquisition for number in indices)
        return Step([int(number) for number in left[rows]], predicted, f'{"+".join(models)}:{"+".join(names)}')

    def fit(self, features: Array, names: Sequence[str], observed: Integers, values: dict[str, Array]) -> Surrogate:
        """Fit to what is known.

        :param features: descriptors of what was observed, shape (m, d), with these names.
        """
        from aiida_inversedesign.learn.fit import fit_on_features

        question, errors = self.question, {}
        for name, column in question.errors.items():
            if name not in question.repeats:
                errors[name] = column[observed]
                continue
            repeats = [question.repeats[name][number] for number in observed.tolist()]
            noise = pooled_noise([(value, *pair)] for value, pair in zip(values[name].tolist(), repeats, strict=True))
            errors[name] = np.array(with_noise(column[observed].tolist(), repeats, noise))
        return fit_on_features(
            features,
            {name: values[name] for name in question.goal.properties},
            np.zeros(len(observed), dtype=bool),
            self.arm.surrogate,
            question.seed,
            names,
            priors=self.priors,
            composition=_composition(names),
            errors=errors,
            curves={name: rows.at(observed) for name, rows in question.curves.items()},
        )

    def _acceptable(self, observed: Integers, left: Integers) -> Acceptable:
        if self.arm.acceptable is None:
            return lambda index, taken: True
        within_pool = self.arm.acceptable(observed)
        return lambda index, taken: within_pool(int(left[index]), [int(number) for number in left[taken]])


def _composition(names: Sequence[str]) -> Mask | None:
    """Which columns describe the composition, where they are the descriptors of crystals."""
    from aiida_inversedesign.spaces.crystals.features import feature_names
    from aiida_inversedesign.spaces.crystals.space import CrystalSpace

    own = feature_names()
    known = CrystalSpace().composition_columns() if list(names[: len(own)]) == own else None
    # estimates of a potential come last
    return None if known is None else np.append(known, np.zeros(len(names) - len(own), dtype=bool))
