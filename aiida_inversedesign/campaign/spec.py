"""The campaign file as checked data (see ``aiida-inversedesign schema``), made of the parts that are installed."""

from __future__ import annotations

import builtins
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
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
from aiida_inversedesign.campaign.generator import EXTERNAL, Generator
from aiida_inversedesign.campaign.goal import Goal
from aiida_inversedesign.campaign.properties import PROPERTIES
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


SourceName = Annotated[str, installed('sources')]
#: A key: an error of one does not name the nearest by itself.
SourceKey = Annotated[str, installed('sources', hint=True)]


def _named_sources(value: object) -> object:
    """The sources with their shares, or a list of those whose shares are learned: ``auto`` is written out.

    What is recorded names them, so that a source installed later changes nothing that is repeated.
    """
    if value == 'auto':
        return [name for name, source in registry.parts('sources').items() if source.in_auto]
    if value is None or (isinstance(value, Mapping | Sequence) and not isinstance(value, str)):
        return value
    raise ContradictionError(
        'expected sources with their shares, e.g. {cspml: 0.6, symmetric: 0.4}, a list of sources whose shares are '
        'learned, or auto; one: method: cspml'
    )


class Propose(Model):
    """How candidates are proposed."""

    library: str = Field(
        'aflow',
        description='label of a template library (aiida-inversedesign library list), or a CSV file with points next to '
        'the campaign file',
    )
    method: SourceName | None = Field(
        'cspml',
        description='the only source; of crystals: how templates are ranked; "library" takes the entries of the '
        'library or data set themselves as the candidates',
    )
    sources: Annotated[
        Annotated[
            Annotated[dict[SourceKey, Positive], Tag('shares')] | Annotated[list[SourceName], Tag('learned')],
            Discriminator(lambda value: 'shares' if isinstance(value, Mapping) else 'learned'),
        ]
        | None,
        BeforeValidator(
            _named_sources, json_schema_input_type=dict[SourceKey, Positive] | list[SourceName] | Literal['auto'] | None
        ),
    ] = Field(
        None,
        description='several sources instead of method, each with its share of the top_k slots of a formula, e.g. '
        '{cspml: 0.6, symmetric: 0.3, substitution: 0.1}; what one does not find the others may propose. A list of '
        'sources: equal shares at first, then by what their candidates were worth; auto: the list of all that are '
        'installed and meant for it',
    )
    external: Generator | None = Field(None, description='the program of the source external')
    model: str = Field('shipped', description='label of a proposal model, or its npz file')
    top_k: Count = Field(5, description='acceptable crystals proposed for each formula, as far as the library has them')
    min_distance: Fraction = Field(
        0.85, description='least distance in sums of covalent radii; less for pairs that are known to bind shorter'
    )
    generators: dict[Literal['enumeration', 'inverse_kmd', 'evolution', 'tree_search', 'gradient'], Positive] = Field(
        {'enumeration': 1.0},
        description='sources of new formulas and their shares; searches begin when there is something to learn from',
    )
    renew: Count | None = Field(
        None,
        description='formulas (or molecules) that each later generation proposes in addition; default: 50 with a '
        'search among the generators, 200 molecules, otherwise none until the pool runs out',
    )
    code: str | None = Field(
        None, description='label of a Python code with this package: each proposal then runs as a job where that is'
    )
    options: Options = Field(Options(), description='scheduler options of the jobs that code runs')

    @model_validator(mode='before')
    @classmethod
    def _sources_instead(cls, data: Any) -> Any:
        """Where sources are named there is no other one."""
        named = isinstance(data, Mapping) and data.get('sources') is not None and 'method' not in data
        return {**data, 'method': None} if named else data

    @builtins.property  # read like a field
    def shares(self) -> dict[str, float]:
        """The sources and their shares, which add up to 1, largest first."""
        given = dict.fromkeys(self.sources or [str(self.method)], 1.0)
        if isinstance(self.sources, dict):
            given = self.sources
        total = sum(given.values())
        return {name: round(share / total, 12) for name, share in sorted(given.items(), key=lambda item: -item[1])}

    @builtins.property  # read like a field
    def learns_shares(self) -> bool:
        """Whether the shares follow what the candidates of each source were worth."""
        return isinstance(self.sources, list)

    @builtins.property  # read like a field
    def sources_in_words(self) -> str:
        """The name of the source, or the names of several with their shares."""
        shares = self.shares
        return (
            ', '.join(shares) if len(shares) == 1 else ', '.join(f'{key} {100 * x:.3g} %' for key, x in shares.items())
        )

    @builtins.property  # read like a field
    def slots(self) -> dict[str, int]:
        """How many of the ``top_k`` slots of a formula each source has, at first if the shares are learned."""
        return self.slots_of(self.shares)

    def slots_of(self, shares: Mapping[str, float]) -> dict[str, int]:
        """How many of the ``top_k`` slots of a formula each source has: at least one, if there are enough.

        :param shares: of the sources, which add up to 1, largest first.
        """
        given = {name: int(number < self.top_k) for number, name in enumerate(shares)}
        for _ in range(self.top_k - sum(given.values())):
            # the source that is furthest below its share
            name = max(shares, key=lambda key: shares[key] * self.top_k - given[key])
            given[name] += 1
        return given

    @builtins.property  # read like a field
    def searches(self) -> bool:
        """Whether a generator searches, led by what was learned so far."""
        return set(self.generators) != {'enumeration'}

    @builtins.property  # read like a field
    def renewed(self) -> int:
        """New formulas that each later generation proposes."""
        return self.renew if self.renew is not None else (50 if self.searches else 0)

    def contradictions(self) -> Iterator[ContradictionError]:
        """What does not go together in this section."""
        if self.learns_shares and not self.renewed:
            yield ContradictionError(
                'learns the shares from earlier generations: set propose.renew, the new formulas that each later one '
                'proposes, or give shares, e.g. {cspml: 0.6, symmetric: 0.4}',
                ('sources',),
            )
        if self.sources is not None and self.method is not None:
            yield ContradictionError(f'give either method or sources: {self.method} may be one of them', ('sources',))
        elif self.sources is None and self.method is None:
            yield ContradictionError('is empty: omit it, or write cspml', ('method',))
            return
        elif self.sources is not None and not self.sources:
            yield ContradictionError('is empty: omit it, or write e.g. {cspml: 0.6, symmetric: 0.4}', ('sources',))
            return
        elif isinstance(self.sources, list) and (
            twice := [name for name in self.shares if self.sources.count(name) > 1]
        ):
            yield ContradictionError(f'names {", ".join(twice)} more than once', ('sources',))
        if (EXTERNAL in self.shares) != (self.external is not None):
            yield ContradictionError(
                'is a section for the source external: add its share, e.g. sources: {external: 0.5, cspml: 0.5}'
                if self.external is not None
                else 'needs the section propose.external, with the code of the generator',
                ('external',) if self.external is not None else ('sources' if self.sources else 'method',),
            )
        for name in self.shares if len(self.shares) > 1 else ():
            if not registry.part('sources', name).mixes:
                able = [key for key, source in registry.parts('sources').items() if source.mixes]
                yield ContradictionError(
                    f'cannot be mixed with others: write method: {name}, or take of {", ".join(able)}',
                    ('sources', name),
                )
        # the default is not imported here: this module would be imported again
        for name in self.shares if self.model_fields_set & {'method', 'sources'} else ():
            if not registry.part('sources', name).builds_on_earlier:
                continue
            location = ('sources', name) if self.sources else ('method',)
            if len(self.shares) == 1:
                yield ContradictionError(
                    f'goes on from what others proposed: name others beside it, e.g. {{cspml: 0.7, {name}: 0.3}}',
                    location,
                )
            elif not self.renewed:
                yield ContradictionError(
                    'goes on from earlier generations: set propose.renew, the most formulas that each later one adds '
                    'and the most earlier ones that it goes on with',
                    location,
                )
        if not self.generators:
            yield ContradictionError('is empty: omit it, or write {enumeration: 1}', ('generators',))
        for name, given in (('generators', self.generators and self.searches), ('renew', self.renew is not None)):
            if list(self.shares) == ['library'] and given:
                yield ContradictionError(
                    'does not apply: the source library proposes the structures of the library', (name,)
                )


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
