"""The screen ``rules``: candidates that obey inequalities in descriptors, such as ``explain`` finds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import Field

from aiida_inversedesign.arrays import Array
from aiida_inversedesign.campaign.candidate import Candidate, Verdict
from aiida_inversedesign.campaign.contracts.screen import Screen, ScreenRequest
from aiida_inversedesign.campaign.contracts.space import SpaceSection
from aiida_inversedesign.campaign.section import ContradictionError, Finite, Model


class Limits(Model):
    """Bounds of a descriptor in its own unit; both are allowed values."""

    min: Finite | None = Field(None, description='lowest value')
    max: Finite | None = Field(None, description='highest value')

    def contradictions(self) -> Iterator[ContradictionError]:
        """Whether there are bounds that a number can keep."""
        if self.min is None and self.max is None:
            yield ContradictionError('needs min, max or both')
        elif self.min is not None and self.max is not None and self.min > self.max:
            yield ContradictionError(f'no number is at least {self.min:g} and at most {self.max:g}: exchange them')

    def broken(self, value: float) -> str:
        """Which bound a value breaks, in words; empty if it keeps both."""
        if self.min is not None and value < self.min:
            return f'{value:.4g} is below {self.min:g}'
        if self.max is not None and value > self.max:
            return f'{value:.4g} is above {self.max:g}'
        return ''


Rule = Annotated[dict[str, Limits], Field(min_length=1, description='bounds of some descriptors, all to be kept')]


class RulesSettings(Model):
    """Rules of which a candidate must obey one."""

    any: list[Rule] = Field(min_length=1, max_length=20, description='the rules; a candidate must obey at least one')
    reject: bool = Field(
        True, description='false: nothing is rejected, and the audit tells which rules evaluated candidates obey'
    )


def rule_in_words(rule: Mapping[str, Any]) -> str:
    """A rule as it is recorded, e.g. ``n ≥ 8 and theta ≤ 110``."""
    parts = []
    for name, limits in rule.items():
        parts += [f'{name} {sign} {limits[key]:g}' for key, sign in (('min', '≥'), ('max', '≤'))
                  if limits.get(key) is not None]  # fmt: skip
    return ' and '.join(parts)


class Rules(Screen):
    """Rejects candidates that obey no rule: value is the number of the first rule that a candidate obeys, from 1.

    The descriptors are those of the space, as the surrogate sees them, in their own units. For crystals they need the
    structure, so that formulas alone are not judged.
    """

    name = 'rules'
    section: ClassVar[type[Model]] = RulesSettings

    @classmethod
    def contradictions(cls, settings: Mapping[str, Any], space: SpaceSection) -> Iterator[ContradictionError]:
        """Descriptors that the space does not have, and bounds that none of its candidates can keep."""
        names = space.describe([], [])[1]
        variables = getattr(space, 'variables', {})
        for number, rule in enumerate(RulesSettings.model_validate(settings).any):
            for name, limits in rule.items():
                position = ('any', number, name)
                if name not in names:
                    yield ContradictionError(f'{name!r} is not a descriptor of this space', position, names)
                elif name in variables:
                    low, high = variables[name].bounds
                    if (limits.min is not None and limits.min > high) or (limits.max is not None and limits.max < low):
                        yield ContradictionError(
                            f'no candidate can obey it: the variable {name} is between {low:g} and {high:g}', position
                        )

    def judge(self, candidates: Sequence[Candidate], request: ScreenRequest) -> list[Verdict | None]:
        """The first rule that a candidate obeys, or what it breaks of each."""
        if not candidates:
            return []
        space, settings = request.spec.space, request.settings
        features, names = space.describe(
            [candidate.content for candidate in candidates], [candidate.probability for candidate in candidates]
        )
        asked = {name for rule in settings.any for name in rule}
        # a bound that is printed with few digits must hold for what is printed the same
        own = {name: printable(space.in_own_unit(name, features[:, names.index(name)])[0]) for name in sorted(asked)}
        return [self._verdict(settings, {name: values[row] for name, values in own.items()})
                for row in range(len(candidates))]  # fmt: skip

    @staticmethod
    def _verdict(settings: Any, values: Mapping[str, float]) -> Verdict:
        reasons = []
        for number, rule in enumerate(settings.any, 1):
            broken = [f'{name} = {why}' for name, limits in rule.items() if (why := limits.broken(values[name]))]
            if not broken:
                return Verdict(True, float(number))
            reasons.append(f'{number}: {broken[0]}')
        return Verdict(not settings.reject, None, f'obeys no rule: {"; ".join(reasons)}')


def printable(quantities: Array) -> Array:
    """Quantities, any shape, without the rounding of their last digits, so that 0.3 obeys ≤ 0.3."""
    size = 10.0 ** (9 - np.ceil(np.log10(np.where(quantities == 0, 1.0, np.abs(quantities)))))
    return np.asarray(np.round(quantities * size) / size)
