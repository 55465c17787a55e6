"""Arms that search by formula: a generator proposes among the formulas of the pool, led by a model of compositions.

A campaign on a space of elements and ratios proposes like this, and does not list the space. A generator knows the
elements and ratios of the pool, may ask whether a formula is in it, and pays for each formula that its model scores.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from aiida_inversedesign.arrays import Array, Integers
from aiida_inversedesign.benchmarks.search.loop import Question, Step
from aiida_inversedesign.benchmarks.search.pool import PoolError
from aiida_inversedesign.campaign.row import EvaluationRow
from aiida_inversedesign.chemistry.formulas import parse_formula, ratio_label, reduced_formula
from aiida_inversedesign.propose.generators.mix import GENERATORS, make_generator
from aiida_inversedesign.propose.generators.request import Amounts, Counts
from aiida_inversedesign.propose.generators.score import campaign_request
from aiida_inversedesign.spaces.crystals.space import CrystalSpace


def is_formula_arm(name: str) -> bool:
    """Whether the name is ``SURROGATE:GENERATOR``."""
    return name.partition(':')[2] in GENERATORS


@dataclass(frozen=True)
class FormulaArm:
    """A generator led by a kind of model.

    :param name: ``SURROGATE:GENERATOR``.
    """

    name: str

    def begin(self, question: Question) -> FormulaSearcher:
        """Start a search.

        :raises PoolError: if the candidates of the pool have no formulas.
        """
        if not question.formulas:
            raise PoolError(f'{self.name} searches by formula, and the candidates of this pool have none')
        return FormulaSearcher(self.name, question)


@dataclass
class FormulaSearcher:
    """See :class:`FormulaArm`; of a formula the first structure of the pool is evaluated, then the next."""

    name: str
    question: Question
    by_formula: dict[str, list[int]] = field(init=False)
    space: CrystalSpace = field(init=False)

    def __post_init__(self) -> None:
        self.by_formula = {}
        for index, formula in enumerate(self.question.formulas):
            self.by_formula.setdefault(formula, []).append(index)
        counts = [parse_formula(formula) for formula in self.by_formula]
        elements = sorted({symbol for item in counts for symbol in item})
        ratios = sorted({ratio_label(item) for item in counts})
        self.space = CrystalSpace(elements=elements, ratios=ratios, charge_neutral='off')

    def choose(self, observed: Integers, values: dict[str, Array], size: int, generation: int) -> Step:
        """The generator's best formulas; what it does not find is drawn at random."""
        kind, _, generator = self.name.partition(':')
        question, formulas = self.question, self.question.formulas
        rows = [
            EvaluationRow(f'c{index}', 1, 'initial', formulas[index], 'completed', None, None, answers)
            for number, index in enumerate(observed.tolist())
            for answers in [{name: float(column[number]) for name, column in values.items()}]
        ]
        evaluated = set(observed.tolist())
        left = {
            formula: open_ones
            for formula, members in self.by_formula.items()
            if (open_ones := [index for index in members if index not in evaluated])
        }
        done = frozenset(self.by_formula.keys() - left.keys())
        seed = question.seed + generation
        request = campaign_request(self.space, question.goal, rows, done, size, seed, kind=kind)
        if request.score is None:
            raise PoolError(f'{self.name}: too few answers to learn from: give more starting points (--initial)')
        score, changes, calls = request.score, request.changes, 0

        def counted_score(wanted: Sequence[Counts]) -> Array:
            nonlocal calls
            calls += len(wanted)
            return score(wanted)

        def counted_changes(here: Counts, there: Sequence[Amounts]) -> tuple[Array, int]:
            nonlocal calls
            assert changes is not None  # noqa: S101
            found, cost = changes(here, there)
            calls += cost
            return found, cost

        request = dataclasses.replace(
            request,
            score=counted_score,
            changes=counted_changes if changes is not None else None,
            calls=question.calls,
            allowed=lambda counts: reduced_formula(counts) in left,
        )
        found = make_generator(generator).propose(request)
        chosen = [left.pop(reduced_formula(item.counts))[0] for item in found]
        rest = np.array(sorted(index for members in left.values() for index in members), dtype=np.int64)
        drawn = np.random.default_rng([question.seed, generation]).permutation(rest)[: size - len(chosen)]
        gradient = ', own gradient' if changes is not None else ', differences'
        how = f'{generator} led by {kind}{gradient if generator == "gradient" else ""}'
        return Step([*chosen, *map(int, drawn)], how=how, calls=calls)
