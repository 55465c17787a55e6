"""Everything the audit knows of a campaign, as plain values. Imports no aiida.

The record is what :func:`aiida_inversedesign.audit.load.load_record` reads from the provenance graph, of the campaigns
that it resumed too. Whatever is computed, drawn or written about a campaign is made from it. Contents are kept as the
JSON text they were stored as and become objects when they are asked for: of ten thousand evaluations most never are.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from aiida_inversedesign.audit.curves import CurveRecord
from aiida_inversedesign.campaign.candidate import Verdict
from aiida_inversedesign.campaign.contracts.engine import find
from aiida_inversedesign.campaign.contracts.registry import part
from aiida_inversedesign.campaign.contracts.space import Coordinate, SpaceSection
from aiida_inversedesign.campaign.goal import Goal
from aiida_inversedesign.campaign.properties import doubts
from aiida_inversedesign.campaign.spec import CampaignSettings
from aiida_inversedesign.campaign.text.digits import Digits
from aiida_inversedesign.errors import InverseDesignError
from aiida_inversedesign.graph.job_record import JobRecord
from aiida_inversedesign.graph.records import LibraryRecord, ScreeningJob, SurrogateRecord

#: Most evaluations of which the prototype of the relaxed crystal is determined, a few milliseconds each.
MOST_DETERMINED = 500


class AuditError(InverseDesignError):
    """Something that is not a campaign, or none that can be read, was to be audited."""


def _content(space: str, text: str | None) -> Any:
    return part('spaces', space).read(json.loads(text)) if text else None


@dataclass(frozen=True)
class EvaluationRecord:
    """One candidate whose evaluation was launched, as the provenance shows it; the elemental references are not.

    :param generation: number of the generation that launched it last.
    :param status: one of ``STATUSES``; what was ``stopped`` with its campaign counts neither as failed nor in rates.
    :param reused: whether it returned what an earlier evaluation had found, at no cost.
    :param arm: ``initial``, ``acquisition``, ``replicate`` or ``control``; empty while it is not recorded; ``known`` of
        starting data.
    :param generator: what found its formula; empty where the pool does not say.
    :param proposer: what proposed its structure.
    :param prototype: anonymous prototype of the proposal; empty if it was not determined.
    :param surrogate: kind of the surrogate it was chosen with; empty if there was none.
    :param acquisition: what it was chosen by, e.g. ``spread`` or ``log_ei``; empty where it is not recorded.
    :param acquisition_value: the acquisition's value when it was chosen.
    :param hit: None where the goal defines no hits, the evaluation has not ended, or only the next harvest can tell.
    :param computed: whether an engine computed its properties; those of a data set may mean something else.
    :param copy_of: the earlier evaluation that ended in the same thing; empty if none did, or it did not complete.
    :param predicted: mean and standard deviation per property when it was chosen.
    :param errors: standard error of properties that were measured with one, once they are harvested.
    :param estimates: what a potential said of properties before the evaluation.
    :param reason: why it failed, in words; empty if it did not.
    :param dft_calculations: DFT jobs made for it, its earlier launches and the references before it; no cache copies.
    :param core_hours: those recorded, None where no job has a record.
    :param pk: of its last launch. :param uuid: the same.
    :param started: when it was first launched. :param ended: None while it runs.
    :param proposed_text: the content as proposed, as JSON text of its plain data.
    :param relaxed_text: the content as the evaluation left it; None where there is none.
    :param space: kind of its space.
    """

    candidate: str
    key: str
    generation: int
    status: str
    arm: str = ''
    template: str = ''
    generator: str = ''
    proposer: str = ''
    prototype: str = ''
    surrogate: str = ''
    acquisition: str = ''
    acquisition_value: float | None = None
    probability: float | None = None
    hit: bool | None = None
    copy_of: str = ''
    computed: bool = True
    reused: bool = False
    properties: dict[str, float] = field(default_factory=dict)
    errors: dict[str, float] = field(default_factory=dict)
    estimates: dict[str, float] = field(default_factory=dict)
    predicted: dict[str, tuple[float, float]] = field(default_factory=dict)
    reason: str = ''
    exit_status: int | None = None
    dft_calculations: int = 0
    core_hours: float | None = None
    pk: int | None = None
    uuid: str = ''
    started: datetime | None = None
    ended: datetime | None = None
    proposed_text: str | None = field(default=None, repr=False)
    relaxed_text: str | None = field(default=None, repr=False)
    space: str = 'crystals'

    @cached_property
    def proposed(self) -> Any:
        """The content as proposed; None only if the graph does not hold it."""
        return _content(self.space, self.proposed_text)

    @cached_property
    def relaxed(self) -> Any:
        """The content as the evaluation left it, or None if it did not complete or changes nothing."""
        return _content(self.space, self.relaxed_text)

    @property
    def result(self) -> Any:
        """What it ended in: the relaxed content, or the proposed one where the engine changes nothing."""
        return self.relaxed or self.proposed

    @property
    def doubts(self) -> list[str]:
        """Why it is doubtful although it completed, e.g. a residual pressure; empty where nothing is known."""
        return doubts(self.properties) if self.computed else []

    @property
    def is_crystal(self) -> bool:
        """Whether it ended in a crystal."""
        return part('spaces', self.space).of_crystals and self.result is not None

    @cached_property
    def result_prototype(self) -> str:
        """Anonymous prototype of the crystal that it ended in; empty if it was not determined."""
        from aiida_inversedesign.chemistry.prototypes import prototype_label

        return prototype_label(self.result) if self.is_crystal else ''

    @property
    def is_distinct_hit(self) -> bool:
        """Whether it is a hit, and no earlier evaluation ended in the same thing."""
        return self.hit is True and not self.copy_of


@dataclass(frozen=True)
class CandidateRecord:
    """One candidate that was considered, whether or not it was evaluated; the fields are those of ``Candidate``.

    :param proto_label: anonymous prototype; empty if it was not determined.
    :param content_text: JSON text of the content's plain data; None if a screen rejected the key before.
    :param space: kind of its space.
    """

    id: str
    key: str
    proposer: str = ''
    generator: str = ''
    template: str = ''
    template_formula: str = ''
    prototype: str = ''
    proto_label: str = ''
    probability: float | None = None
    rank: int | None = None
    source: str = ''
    verdicts: dict[str, Verdict] = field(default_factory=dict)
    content_text: str | None = field(default=None, repr=False)
    space: str = 'crystals'
    also_proposed_by: str = ''

    @cached_property
    def content(self) -> Any:
        """What was proposed, or None if a screen rejected the key before it was built."""
        return _content(self.space, self.content_text)

    @property
    def accepted(self) -> bool:
        """Whether every filter let it pass."""
        return self.content_text is not None and all(verdict.passed for verdict in self.verdicts.values())

    @property
    def rejected_by(self) -> str | None:
        """The first filter that rejected it, or None."""
        return next((name for name, verdict in self.verdicts.items() if not verdict.passed), None)


@dataclass(frozen=True)
class GenerationRecord:
    """One generation.

    :param batch: each choice as :meth:`aiida_inversedesign.select.choose.Choice.to_dict` wrote it.
    :param chosen_with: kind of the surrogate that the batch was chosen with; empty if there was none.
    :param surrogate: what was fitted after its evaluations, or None.
    """

    number: int
    pk: int
    uuid: str
    state: str
    exit_status: int | None
    exit_message: str | None
    created: datetime
    changed: datetime
    batch: tuple[dict[str, Any], ...] = ()
    chosen_with: str = ''
    surrogate: SurrogateRecord | None = None


@dataclass(frozen=True)
class CampaignRecord:
    """A campaign and those it resumed.

    :param resumed: UUIDs of the campaigns it resumed, oldest first.
    :param settings: the campaign file without its budget. :param budget: its budget, as last changed.
    :param library: the templates; None if the graph does not hold them.
    :param model: what the proposal model's node says of it, or None.
    :param versions: of the packages that made it, as recorded: aiida-core, aiida-inversedesign, engine plugins.
    :param codes: label, computer, plugin and recorded versions of each code of the engine.
    :param evaluations: in the order of their first launches.
    :param jobs: in the order they were made, those of references and earlier launches too.
    :param candidates: every candidate considered, each once.
    :param references: energy of each elemental crystal in eV/atom, as far as they were computed.
    :param screenings: the jobs in which a potential looked at candidates, in the order they were made.
    :param answers: of a campaign with the ``table`` engine, what the data set answers for each candidate that passed
        every filter: its properties, or None where its evaluation fails; None as a whole where it is not known.
    :param answers_reason: why it is not known.
    :param known: the starting data: what was there before the campaign, not launched by it and not counted.
    :param curves: of completed evaluations, of the properties of which the goal asks for a functional.
    :param source: where it was read: profile and storage, or archive file.
    """

    pk: int
    uuid: str
    name: str
    state: str
    exit_status: int | None
    exit_message: str | None
    stop_reason: str | None
    created: datetime
    changed: datetime
    resumed: tuple[str, ...]
    settings: CampaignSettings
    budget: dict[str, Any]
    library: LibraryRecord | None
    model: dict[str, Any] | None
    versions: dict[str, str]
    codes: tuple[dict[str, Any], ...]
    generations: tuple[GenerationRecord, ...]
    evaluations: tuple[EvaluationRecord, ...]
    jobs: tuple[JobRecord, ...]
    candidates: tuple[CandidateRecord, ...]
    references: dict[str, float] = field(default_factory=dict)
    screenings: tuple[ScreeningJob, ...] = ()
    answers: Mapping[str, Mapping[str, float] | None] | None = None
    answers_reason: str = ''
    known: tuple[EvaluationRecord, ...] = ()
    curves: tuple[CurveRecord, ...] = field(default=(), repr=False)
    source: str = ''

    @property
    def has_ended(self) -> bool:
        """Whether the campaign runs no more."""
        return self.state in ('finished', 'excepted', 'killed')

    @property
    def goal(self) -> Goal:
        """What was asked for."""
        return self.settings.goal

    @cached_property
    def units(self) -> dict[str, str]:
        """Unit of each property of the goal."""
        return {name: self.settings.unit(name) for name in self.goal.properties}

    @property
    def space(self) -> SpaceSection:
        """What the candidates are."""
        return self.settings.space

    @cached_property
    def _digits(self) -> dict[str, Digits]:
        names = dict.fromkeys(name for item in self.evaluations for name in item.properties)
        return {name: Digits(item.properties.get(name) for item in self.evaluations) for name in names}

    def digits(self, name: str) -> Digits:
        """The digits that tell the values of a property from each other."""
        return self._digits.get(name) or Digits(())

    def coordinates(self, evaluations: Sequence[EvaluationRecord]) -> list[Coordinate]:
        """The variables of evaluated candidates; none of crystals, or where the graph does not hold all of them."""
        contents = [] if self.space.of_crystals else [item.proposed for item in evaluations]
        return self.space.coordinates(contents) if contents and None not in contents else []

    @property
    def space_kind(self) -> str:
        """Kind of space of the candidates."""
        return self.settings.space.kind

    def prototype(self, item: EvaluationRecord) -> str:
        """Anonymous prototype of what an evaluation ended in.

        It is that of the proposal where it did not complete, and where there are more than :data:`MOST_DETERMINED`.
        """
        determined = item.status == 'completed' and len(self.evaluations) <= MOST_DETERMINED
        return item.result_prototype if determined else item.prototype

    @property
    def looks_up(self) -> bool:
        """Whether its engine looks values up in a data set, whose energies need not be comparable."""
        engine = find(self.engine)
        return engine is not None and engine.looks_up

    @property
    def engine(self) -> str:
        """Name of the engine."""
        return self.settings.evaluate.engine
