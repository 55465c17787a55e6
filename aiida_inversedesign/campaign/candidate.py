"""A candidate: what could be evaluated, with an id and the lineage of how it came about."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one screen said of a candidate: whether it passed, on which value, and why not."""

    passed: bool
    value: float | None = None
    reason: str = ''


@dataclass(frozen=True)
class Candidate:
    """One candidate; what only crystals have stays empty for others.

    :param id: unique within a campaign: ``g001_c0042`` is the 42nd of the proposal of generation 1.
    :param key: what people are shown: the reduced formula of a crystal, the values of a point.
    :param content: what would be evaluated, e.g. a :class:`~aiida_inversedesign.chemistry.crystal.Crystal`; None if
        a screen rejected the key before anything was built.
    :param proposer: the source that proposed it, e.g. ``cspml``.
    :param probability: the ranking's score; for CSPML the probability that the template has the right prototype.
    :param rank: 1 for the best template of the formula.
    :param assignment: element of the template → element of the candidate.
    :param volume_scale: volume of the candidate / volume of the template with the same cell.
    :param verdicts: each filter's verdict, in the order they were applied.
    :param source: where the template comes from.
    :param template_e_above_hull: energy of the template above the convex hull in eV/atom, if known.
    :param proto_label: anonymous prototype of the candidate
        (:func:`aiida_inversedesign.chemistry.prototypes.prototype_label`); empty if not determined.
    :param dissimilarity: element dissimilarity per atom between template and candidate.
    :param within: probability that the structure's fingerprint lies within 0.1, 0.2 and 0.3 of the formula's own
        (:data:`aiida_inversedesign.propose.rankers.ranking.TAUS`).
    :param volume: predicted volume in Å³ per atom.
    :param volume_error: expected relative error of the volume.
    :param packing: predicted volume / sum of the volumes of the elements.
    :param screening: what a potential said of it (:mod:`aiida_inversedesign.screen.potentials.judge`): ``energy``
        (eV/atom), ``steps``, ``converged``, ``volume_change``, ``estimates``, ``probability`` before it was asked, and
        ``merged``, the ids of candidates that relaxed to the same crystal; with ``screen.estimate_cost`` also
        ``asked``, and ``uncertain``: standard deviations of estimates that a model of its answers gave. None if none
        was asked.
    :param also_proposed_by: other sources of the proposal that found the same crystal, less probable there: their
        names, separated by commas.
    """

    id: str
    key: str
    content: Any
    proposer: str
    template: str = ''
    template_formula: str = ''
    prototype: str = ''
    probability: float | None = None
    rank: int | None = None
    assignment: dict[str, str] = field(default_factory=dict)
    volume_scale: float | None = None
    verdicts: dict[str, Verdict] = field(default_factory=dict)
    source: str = ''
    template_e_above_hull: float | None = None
    proto_label: str = ''
    dissimilarity: float | None = None
    within: tuple[float, float, float] | None = None
    volume: float | None = None
    volume_error: float | None = None
    packing: float | None = None
    generator: str = 'enumeration'
    screening: dict[str, Any] | None = None
    also_proposed_by: str = ''

    def named_with(self, other: str) -> str:
        """``also_proposed_by`` with one source more, if it is another one."""
        names = [name for name in self.also_proposed_by.split(', ') if name]
        return ', '.join(dict.fromkeys([*names, *([] if other == self.proposer else [other])]))

    @property
    def estimates(self) -> dict[str, float]:
        """What a potential estimates of properties, in the properties' units; empty if none was asked."""
        return dict((self.screening or {}).get('estimates', {}))

    @property
    def accepted(self) -> bool:
        """Whether every screen let it pass."""
        return self.content is not None and all(verdict.passed for verdict in self.verdicts.values())

    @property
    def rejected_by(self) -> str | None:
        """The first screen that rejected it, or None."""
        return next((name for name, verdict in self.verdicts.items() if not verdict.passed), None)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON data."""
        data = {name: getattr(self, name) for name in self.__dataclass_fields__}
        data['content'] = self.content.to_dict() if self.content is not None else None
        data['verdicts'] = {name: asdict(verdict) for name, verdict in self.verdicts.items()}
        data['within'] = None if self.within is None else list(self.within)
        return data

    @classmethod
    def from_dict(cls, data: dict[str, Any], read: Callable[[dict[str, Any]], Any]) -> Candidate:
        """The candidate of :meth:`to_dict`.

        :param read: makes a content of plain data (:meth:`.contracts.space.SpaceSection.read`).
        """
        data = dict(data)
        if data.get('within') is not None:
            data['within'] = tuple(data['within'])
        data['content'] = read(data['content']) if data['content'] else None
        data['verdicts'] = {name: Verdict(**verdict) for name, verdict in data['verdicts'].items()}
        return cls(**data)
