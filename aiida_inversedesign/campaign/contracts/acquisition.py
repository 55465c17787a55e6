"""What an acquisition must say of itself, and what ``auto`` means.

A package brings one by a subclass of :class:`Acquisition` and one entry point in the group
``aiida_inversedesign.acquisitions``, whose name the campaign file then accepts in ``select.acquisition``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from aiida_inversedesign.campaign.contracts import registry

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from aiida_inversedesign.campaign.goal import Goal

    Array = NDArray[np.float64]


class Acquisition(ABC):
    """How the candidates of one choice are valued; a new instance is made for each choice."""

    #: What the campaign file calls it: the name of its entry point.
    name: ClassVar[str]
    #: What it is, for the methods paragraph, e.g. ``the expected improvement``; empty: its name.
    words: ClassVar[str] = ''
    #: What a paper cites for it: keys of ``paper/references.bib``, or BibTeX entries of its own, one field
    #: a line.
    citations: ClassVar[tuple[str, ...]] = ()

    def refuses(self, goal: Goal) -> str:
        """Why it cannot serve this goal, as a phrase that follows its name; empty if it can, as by default."""
        return ''

    def shrinks(self, problem: Any) -> bool:
        """Whether a score can only shrink when further candidates are pending; by default that is not known.

        Where it is true, the later slots of a batch are filled exactly at the cost of a shortlist.
        """
        return False

    @abstractmethod
    def score(self, problem: Any, inputs: Array, pending: Array) -> Array:
        """Value of each candidate, the larger the better; pending ones count as evaluated.

        :param problem: goal, models and observations, a :class:`~aiida_inversedesign.select.problem.SearchProblem`.
        :param inputs: standardised descriptors of the candidates, shape (n, d).
        :param pending: those of candidates running or already chosen, shape (p, d).
        :returns: shape (n,), no NaN. ``problem.log_weight`` is what constraints and likely failures add to a score;
            an acquisition that leaves it out ignores them (:class:`~aiida_inversedesign.select.rule.Marginal` adds it).
        """


def acquisition(name: str) -> Acquisition:
    """A new instance of the acquisition of a name.

    :raises PartError: if it is not installed, cannot be imported, or is not an acquisition.
    """
    return registry.make('acquisitions', name, Acquisition)  # type: ignore[type-abstract]


def resolve(name: str, goal: Goal) -> str:
    """The name itself, or what ``auto`` means for this goal.

    Where the goal says what a hit is, the probability of one (``pi``): it counts what is wanted, and of all rules it
    is the one whose single step is optimal for it (Garnett et al., ICML 2012, active search). Where it does not,
    ``ucb`` for one objective and ``log_nehvi`` for several: an improvement over the best is worth little once the
    best is found, and would be sought in odd corners instead of among the further good ones. The improvement of
    several objectives is that of their hypervolume, so that ``log_ei`` means ``log_nehvi`` there.

    Measured with Gaussian processes (bulk and shear modulus of 1 181 crystals, formation energy of 2 000), 20 starting
    points. Maximised without a threshold, batches of 5, members of the top 5 % after 100 evaluations (6 seeds): ``ucb``
    with two deviations 50, 40, 57 (its present single one was chosen later, see
    :mod:`aiida_inversedesign.select.acquisitions.improvement`); ``log_ei`` 28, 19, 41; ``thompson`` 50, 38, 50;
    ``posterior_mean`` 51, 35, 64, which takes up to twice as long to the very best, where ``ucb`` and ``log_ei`` are
    equal. Windows inside the data: ``pi`` 17, 27, 22 hits, ``log_ei`` 17, 26, 22,
    ``spacier`` 18, 17, 17. A window above the 96 % quantile with all starting points below the 25 % quantile, one at a
    time (12 seeds): ``pi`` reaches it after 24, 24, 24 evaluations (median), ``log_ei`` 26, 30, 35, ``spacier`` 34 and
    more.
    """
    if name == 'auto' and goal.defines_hits:
        return 'pi'
    if len(goal.objectives) > 1 and name in ('auto', 'log_ei'):
        return 'log_nehvi'
    return 'ucb' if name == 'auto' else name
