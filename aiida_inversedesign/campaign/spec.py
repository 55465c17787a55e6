"""The campaign file as checked data (see ``aiida-inversedesign schema``)."""

from __future__ import annotations

import builtins
from collections.abc import Collection, Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, TypeAdapter, field_validator

from aiida_inversedesign.campaign.consistency import contradictions_between
from aiida_inversedesign.campaign.engine_settings import Evaluate, Options, Table
from aiida_inversedesign.campaign.goal import Goal
from aiida_inversedesign.campaign.properties import PROPERTIES
from aiida_inversedesign.campaign.section import (
    ContradictionError,
    Count,
    Fraction,
    Integer,
    Model,
    Name,
    Positive,
    Symbol,
    without_repeats,
)
from aiida_inversedesign.chemistry.formulas import parse_formula, parse_ratio, reduced_formula


def _ratio(value: str) -> str:
    return ':'.join(map(str, parse_ratio(value)))


def _formula(value: str) -> str:
    return reduced_formula(parse_formula(value))


#: The ratio of a pure element is naturally written as the number 1.
Ratio = Annotated[
    str, BeforeValidator(lambda value: str(value) if type(value) is int else value), AfterValidator(_ratio)
]
Formula = Annotated[str, AfterValidator(_formula)]


class Space(Model):
    """Which formulas are considered."""

    elements: list[Symbol] = Field([], description='chemical symbols the formulas are built from')
    ratios: list[Ratio] = Field([], description='ratio labels such as "1", "1:1" or "2:1:1"')
    formulas: list[Formula] = Field([], description='formulas named one by one, besides elements × ratios')
    charge_neutral: Literal['off', 'prefer', 'require'] = Field(
        'prefer', description='whether common oxidation states must be able to balance'
    )
    max_sites: Count = Field(20, description='most atoms in the primitive cell')
    max_formulas: Count = Field(1000, description='most formulas of one proposal; drawn at random if there are more')

    _unique = field_validator('elements', 'ratios', 'formulas')(without_repeats)

    def contradictions(self) -> Iterator[ContradictionError]:
        """What does not go together in this section."""
        if bool(self.elements) != bool(self.ratios):
            yield ContradictionError('elements and ratios belong together: give both')
            return
        for index, label in enumerate(self.ratios):
            needed = label.count(':') + 1
            if needed > len(self.elements):
                yield ContradictionError(
                    f'needs {needed} different elements, but only {len(self.elements)} are named', ('ratios', index)
                )


class Propose(Model):
    """How crystals are proposed."""

    library: str = Field('aflow', description='label of a template library (aiida-inversedesign library list)')
    method: Literal['cspml', 'dissimilarity', 'random', 'library'] = Field(
        'cspml',
        description='how templates are ranked; "library" takes the library\'s own structures as the candidates',
    )
    model: str = Field('shipped', description='label of a proposal model, or its npz file')
    top_k: Count = Field(5, description='templates kept for each formula')
    min_distance: Fraction = Field(
        0.85, description='least distance in sums of covalent radii; less for pairs that are known to bind shorter'
    )
    generators: dict[Literal['enumeration', 'inverse_kmd', 'evolution', 'tree_search'], Positive] = Field(
        {'enumeration': 1.0},
        description='sources of new formulas and their shares; searches begin when there is something to learn from',
    )
    renew: Count | None = Field(
        None,
        description='formulas that each later generation proposes anew; default: 50 with a search among the '
        'generators, without one none until the pool runs out',
    )
    code: str | None = Field(
        None, description='label of a Python code with this package: each proposal then runs as a job where that is'
    )
    options: Options = Options()

    @builtins.property  # read like a field
    def searches(self) -> bool:
        """Whether a generator searches, led by what was learned so far."""
        return set(self.generators) != {'enumeration'}

    @builtins.property  # read like a field
    def renewed(self) -> int:
        """Formulas that each later generation proposes anew."""
        return self.renew if self.renew is not None else (50 if self.searches else 0)

    def contradictions(self) -> Iterator[ContradictionError]:
        """What does not go together in this section."""
        if not self.generators:
            yield ContradictionError('names none: leave it out, or write {enumeration: 1}', ('generators',))
        for name, given in (('generators', self.generators and self.searches), ('renew', self.renew is not None)):
            if self.method == 'library' and given:
                yield ContradictionError(
                    'does not apply: method library proposes the structures of the library', (name,)
                )


class Select(Model):
    """How the next batch is chosen."""

    acquisition: Literal[
        'auto',
        'log_ei',
        'qlog_ei',
        'ucb',
        'pi',
        'thompson',
        'knowledge_gradient',
        'spacier',
        'ego',
        'log_ehvi',
        'log_nehvi',
        'posterior_mean',
        'random',
    ] = Field('auto', description='how a candidate is valued (see select/acquisition.py)')
    initial: Count = Field(4, description='evaluations of the first generation, spread over the pool')
    batch: Count = Field(
        2,
        description='evaluations of each later generation; with schedule asynchronous, results between two proposals '
        'of a search, and evaluations at once where budget.at_once does not say',
    )
    control_fraction: Fraction = Field(0.0, description='share of each batch drawn at random')
    schedule: Literal['generations', 'asynchronous'] = Field(
        'generations',
        description='generations: a batch is chosen when the last one has ended; asynchronous: as soon as one '
        'evaluation has ended the next is chosen, so that budget.at_once are always running',
    )


class Learn(Model):
    """What is learned from the evaluations."""

    surrogate: Literal['auto', 'gp', 'forest', 'bootstrap', 'transfer', 'multitask', 'hurdle'] = Field(
        'auto',
        description='model of each property; auto lets them compete on rows that they have not seen; multitask learns '
        'all properties of the goal together',
    )
    source: list[str] = Field(
        [],
        description="properties of the library's own entries that transfer starts from: formation_energy, "
        'e_above_hull, volume, or one that the library brings; with auto, transfer competes',
    )
    code: str | None = Field(
        None, description='label of a Python code with this package: each fit then runs as a job where that is'
    )
    options: Options = Options()

    def contradictions(self) -> Iterator[ContradictionError]:
        """What does not go together in this section."""
        if self.surrogate == 'transfer' and not self.source:
            yield ContradictionError('needs source: properties of the library to start from', ('surrogate',))


class Budget(Model):
    """When the campaign stops. What is not named is not limited, but evaluations always are."""

    evaluations: Count = Field(description='most evaluations')
    dft_calculations: Count | None = Field(None, description='most DFT calculation jobs')
    core_hours: Positive | None = Field(None, description='most core-hours')
    hits: Count | None = Field(None, description='stop when so many hits are found')
    generations: Count | None = Field(None, description='most generations')
    failure_rate: Fraction | None = Field(None, description='stop when a larger share of evaluations fails')
    failure_minimum: Count = Field(5, description='evaluations before failure_rate is looked at')
    max_failures: Count | None = Field(None, description='stop when so many evaluations have failed')
    at_once: Count | None = Field(None, description='most evaluations in flight; default: the batch')


class CampaignSettings(Model):
    """A campaign file without its budget: what a resumed campaign shares with the first.

    What is recorded went together when it was launched, and is read as it is.
    """

    name: Name
    seed: Annotated[Integer, Field(ge=0, lt=2**31)] = 0
    goal: Goal
    space: Space = Space()
    propose: Propose = Propose()
    select: Select = Select()
    learn: Learn = Learn()
    evaluate: Evaluate

    def unit(self, name: str) -> str:
        """The unit of one of the campaign's properties."""
        declared = self.evaluate.units if isinstance(self.evaluate, Table) else {}
        return PROPERTIES[name].unit if name in PROPERTIES else declared[name]


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
        :param broken: those sections.
        """
        sections: dict[str, Any] = {}
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
