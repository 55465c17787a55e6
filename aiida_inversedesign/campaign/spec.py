"""The campaign file as checked data (see ``aiida-inversedesign schema``), made of the parts that are installed."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from aiida_inversedesign.campaign.assembly import installed, one_of_the_installed, sections_of_engines
from aiida_inversedesign.campaign.consistency import contradictions_between
from aiida_inversedesign.campaign.contracts import registry
from aiida_inversedesign.campaign.contracts.engine import engine_named, find
from aiida_inversedesign.campaign.contracts.space import SpaceSection
from aiida_inversedesign.campaign.earlier import Earlier
from aiida_inversedesign.campaign.engine_settings import EngineSection, Options
from aiida_inversedesign.campaign.goal import Goal
from aiida_inversedesign.campaign.properties import PROPERTIES
from aiida_inversedesign.campaign.proposing import Propose
from aiida_inversedesign.campaign.screening import Screening
from aiida_inversedesign.campaign.section import (
    ContradictionError,
    Count,
    Fraction,
    Integer,
    Model,
    Name,
    Positive,
)

if TYPE_CHECKING:
    Space = SpaceSection
    Evaluate = EngineSection
else:
    Space = one_of_the_installed('spaces', 'kind', default='crystals')
    Evaluate = sections_of_engines()


def _replicates(value: object) -> object:
    if value is None or value == 'auto' or (type(value) is int and 2 <= value <= 1000):
        return value
    raise ContradictionError('expected auto, or how often the best point is measured: 2 or more')


class Select(Model):
    """How the next batch is chosen."""

    acquisition: Annotated[str, installed('acquisitions', 'auto', 'random')] = Field(
        'auto', description='how a candidate is valued; further ones come with installed packages'
    )
    initial: Count = Field(4, description='evaluations of the first generation, spread over the pool')
    batch: Count = Field(
        2,
        description='evaluations of each later generation; with schedule asynchronous, results between two proposals '
        'of a search, and evaluations at once where budget.at_once does not say',
    )
    control_fraction: Fraction = Field(0.0, description='share of each batch drawn at random')
    replicate: Annotated[Literal['auto'] | int, BeforeValidator(_replicates)] | None = Field(
        None,
        description='measure points again, at most one of each batch: a number: the best so far until it was measured '
        'so often; auto: whatever promises more than the new candidate that the acquisition would take last',
    )
    schedule: Literal['generations', 'asynchronous'] = Field(
        'generations',
        description='generations: a batch is chosen when the last one has ended; asynchronous: as soon as one '
        'evaluation has ended the next is chosen, so that budget.at_once are always running',
    )


class Learn(Model):
    """What is learned from the evaluations."""

    model_config = ConfigDict(serialize_by_alias=True)

    surrogate: Annotated[str, installed('surrogates', 'auto')] = Field(
        'auto',
        description='model of each property; auto lets them compete on rows that they have not seen; multitask learns '
        'all properties of the goal together; further ones come with installed packages',
    )
    source: list[str] = Field(
        [],
        description="properties of the library's own entries that transfer starts from: formation_energy, "
        'e_above_hull, volume, or one that the library brings; with auto, transfer competes',
    )
    earlier: list[Earlier] = Field(
        [],
        alias='from',
        max_length=20,
        description='earlier campaigns to start from: PK, UUID or archive of each, or {campaign: …, property: …}; with '
        'auto, what they say competes with models that know nothing of them',
    )
    curves: Literal['auto', 'krfd', 'pointwise', 'fpca', 'linear'] = Field(
        'auto',
        description='regression of whole curves, where the goal asks for functionals and surrogate is auto or curves; '
        'auto: the one of krfd and pointwise that predicts numbers of left-out curves better',
    )
    code: str | None = Field(
        None, description='label of a Python code with this package: each fit then runs as a job where that is'
    )
    options: Options = Field(Options(), description='scheduler options of the jobs that code runs')


class Budget(Model):
    """When the campaign stops. What is not named is not limited, but evaluations always are."""

    evaluations: Count = Field(description='most evaluations')
    dft_calculations: Count | None = Field(None, description='most DFT calculation jobs')
    core_hours: Positive | None = Field(None, description='most core-hours')
    hits: Count | None = Field(
        None, description='stop when so many distinct hits are found; copies of one crystal count once'
    )
    generations: Count | None = Field(None, description='most generations')
    failure_rate: Fraction | None = Field(None, description='stop when a larger share of evaluations fails')
    failure_minimum: Count = Field(5, description='evaluations before failure_rate is looked at')
    max_failures: Count | None = Field(None, description='stop when so many evaluations have failed')
    at_once: Count | None = Field(None, description='most evaluations in flight; default: the batch')


def with_functionals(data: Any) -> Any:
    """The data of a file, in which the section of the engine knows which numbers of curves the goal asks for."""
    if not isinstance(data, Mapping):
        return data
    evaluate = data.get('evaluate')
    if not isinstance(evaluate, Mapping):
        return data
    engine = find(evaluate.get('engine'))
    if engine is None or 'functionals' not in engine.section.model_fields:
        return data
    try:
        found = TypeAdapter(Goal).validate_python(data.get('goal')).functionals
    except ValidationError:
        # errors of the goal are reported where it is read
        return data
    return {**data, 'evaluate': {**evaluate, 'functionals': found}} if found else data


class CampaignSettings(Model):
    """A campaign file without its budget: what a resumed campaign shares with the first.

    What is recorded went together when it was launched, and is read as it is.
    """

    name: Name = Field(description='of the campaign, e.g. hard-borides; seen in lists, reports and labels')
    seed: Annotated[Integer, Field(ge=0, lt=2**31)] = Field(
        0, description='of everything that is drawn: the same file, seed and version decide the same'
    )
    goal: Goal
    space: Space = Field(default_factory=lambda: registry.part('spaces', 'crystals')())
    known: str | None = Field(
        None,
        max_length=1000,
        description='a CSV file, or one of JSON lines (.jsonl), next to the campaign file with points that were '
        'measured or computed before: they cost nothing, are learned from, and are not proposed again',
    )
    propose: Propose = Propose()
    screen: Screening = Screening()
    select: Select = Select()
    learn: Learn = Learn()
    evaluate: Evaluate

    @model_validator(mode='before')
    @classmethod
    def _named_source(cls, data: Any) -> Any:
        return cls.with_source(data)

    @classmethod
    def with_source(cls, data: Any) -> Any:
        """The data of a file; where no source is named, with that of the kind of space; with the goal's functionals."""
        data = with_functionals(data)
        if not isinstance(data, Mapping) or not isinstance(data.get('space', {}), Mapping):
            return data
        kind, propose = data.get('space', {}).get('kind'), data.get('propose', {})
        named = isinstance(propose, Mapping) and ('method' in propose or propose.get('sources') is not None)
        if kind in registry.names('spaces') and isinstance(propose, Mapping) and not named:
            source = registry.part('spaces', kind).source
            return {**data, 'propose': {**propose, 'method': source}} if source else data
        return data

    @property
    def renewed(self) -> int:
        """Candidates (formulas of crystals) that each later generation proposes in addition."""
        own = max(registry.part('sources', name).renews for name in self.propose.shares)
        return self.propose.renewed or own or self.space.renewed

    def unit(self, name: str) -> str:
        """The unit of one of the campaign's properties."""
        declared = engine_named(self.evaluate.engine).units(self.evaluate) or {}
        return declared[name] if name in declared else PROPERTIES[name].unit


class CampaignSpec(CampaignSettings):
    """A campaign file."""

    budget: Budget

    def contradictions(self) -> Iterator[ContradictionError]:
        """What does not go together in the sections."""
        return contradictions_between(dict(self))

    @classmethod
    def contradictions_in(cls, data: Mapping[str, Any], broken: Collection[str]) -> Iterator[ContradictionError]:
        """What does not go together in the sections that can be read.

        :param data: a file of which other sections are wrong by themselves.
        """
        sections: dict[str, Any] = {}
        data = cls.with_source(data)
        for name, field in cls.model_fields.items():
            if name in broken:
                continue
            if name in data:
                kind: Any = Annotated[field.annotation, field]
                sections[name] = TypeAdapter(kind).validate_python(data[name])
            elif not field.is_required():
                sections[name] = field.get_default(call_default_factory=True)
        return contradictions_between(sections)

    def settings(self) -> dict[str, Any]:
        """Everything but the budget as plain JSON data."""
        return self.model_dump(mode='json', exclude={'budget'})
