"""The peers PHYSBO and BayBE through their own interfaces; each is imported when it is used."""

from __future__ import annotations

import contextlib
import io
import random
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from aiida_inversedesign.arrays import Array, Integers
from aiida_inversedesign.benchmarks.search.loop import Question, Step

Number = Callable[[dict[str, Array]], Array]

#: Random features for PHYSBO's Thompson sampling: with its exact process each of its many draws would factorise a
#: matrix over the whole pool.
FEATURES = 2000
#: Evaluations after which PHYSBO's hyperparameters are learned again.
LEARN = 20


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """The global generators of Python, NumPy and torch seeded inside, torch on one thread, all as before afterwards.

    Sums over several threads depend on their number in the last digits, which an optimiser can magnify.
    """
    import torch

    before, state, threads = random.getstate(), np.random.get_state(), torch.get_num_threads()
    with torch.random.fork_rng(devices=[]):
        random.seed(seed)
        np.random.seed(seed % 2**32)
        torch.manual_seed(seed)
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(threads)
            random.setstate(before)
            np.random.set_state(state)


@dataclass
class PhysboSearcher:
    """PHYSBO: one policy, descriptors centred by its own function.

    Hyperparameters are learned before the first choice and after every :data:`LEARN` evaluations, as its tutorial does;
    its own default is only once.

    :param number: the goal as one number that is maximised.
    :param score: ``TS``, ``EI`` or ``PI``.
    :param features: random features, or 0 for the exact Gaussian process.
    """

    question: Question
    number: Number
    score: str
    features: int
    observations_given: int = 0
    learned: int = -LEARN
    policy: Any = field(default=None, repr=False)

    def choose(self, observed: Integers, values: dict[str, Array], size: int, generation: int) -> Step:
        """One probe of ``size`` actions."""
        import physbo

        score = self.number(values)
        with seeded(self.question.seed + generation), contextlib.redirect_stdout(io.StringIO()):
            if self.policy is None:
                self.policy = physbo.search.discrete.Policy(
                    physbo.misc.centering(self.question.features), initial_data=(observed, score)
                )
            else:
                self.policy.write(observed[self.observations_given :], score[self.observations_given :])
            self.observations_given = len(observed)
            learn = self.observations_given - self.learned >= LEARN
            if learn:
                self.learned = self.observations_given
            actions = self.policy.bayes_search(
                max_num_probes=1,
                num_search_each_probe=size,
                simulator=None,
                is_disp=False,
                score=self.score,
                interval=0 if learn else -1,
                num_rand_basis=self.features,
            )
        return Step([int(position) for position in actions])


@dataclass
class BaybeSearcher:
    """BayBE: one campaign, the pool as a custom parameter (labels with descriptors), the default recommender."""

    question: Question
    number: Number
    observations_given: int = 0
    campaign: Any = field(default=None, repr=False)

    def choose(self, observed: Integers, values: dict[str, Array], size: int, generation: int) -> Step:
        """Add the new measurements, then ask for recommendations."""
        import pandas as pd

        score = self.number(values)
        with seeded(self.question.seed + generation), warnings.catch_warnings():
            warnings.simplefilter('ignore')
            if self.campaign is None:
                self.campaign = self._start()
            new = pd.DataFrame({'candidate': [f'c{position}' for position in observed], 'y': score}).iloc[
                self.observations_given :
            ]
            self.campaign.add_measurements(new)
            self.observations_given = len(observed)
            found = self.campaign.recommend(size)
        return Step([int(label[1:]) for label in found['candidate']])

    def _start(self) -> Any:
        import pandas as pd
        from baybe import Campaign
        from baybe.objectives import SingleTargetObjective
        from baybe.parameters import CustomDiscreteParameter
        from baybe.searchspace import SearchSpace
        from baybe.targets import NumericalTarget

        features = self.question.features
        varies = features.max(axis=0) > features.min(axis=0)
        table = pd.DataFrame(features[:, varies], index=[f'c{position}' for position in range(len(features))])
        table.columns = [f'd{position}' for position in range(table.shape[1])]
        same = table.groupby(list(table.columns), sort=False).cumcount().to_numpy()
        # it refuses equal rows: they are distinguished by a billionth of the spread
        table['d0'] += same * 1e-9 * float(table['d0'].std())
        parameter = CustomDiscreteParameter('candidate', table)
        return Campaign(
            SearchSpace.from_product([parameter]),
            SingleTargetObjective(NumericalTarget('y')),
            allow_recommending_already_measured=False,
        )
