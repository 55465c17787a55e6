"""The campaign file as checked data (see ``aiida-inversedesign schema``)."""

from __future__ import annotations

import builtins
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from aiida_inversedesign.campaign.engine_settings import Evaluate, Options, QuantumEspresso, Table
from aiida_inversedesign.campaign.goal import Goal
from aiida_inversedesign.campaign.model import Count, Fraction, Model, Name, Positive
from aiida_inversedesign.campaign.properties import PROPERTIES
from aiida_inversedesign.chemistry.formulas import SYMBOLS, parse_ratio


class Space(Model):
    """Which formulas are considered."""

    elements: list[str] = Field([], description='chemical symbols the formulas are built from')
    ratios: list[str] = Field([], description='ratio labels such as "1", "1:1" or "2:1:1"')
    formulas: list[str] = Field([], description='formulas named one by one, besides elements × ratios')
    charge_neutral: Literal['off', 'prefer', 'require'] = Field(
        'prefer', description='whether common oxidation states must be able to balance'
    )
    max_sites: Count = Field(20, description='most atoms in the primitive cell')
    max_formulas: Count = Field(1000, description='most formulas of one proposal; drawn at random if there are more')

    @field_validator('elements')
    @classmethod
    def _elements(cls, value: list[str]) -> list[str]:
        for symbol in value:
            if symbol not in SYMBOLS:
                raise ValueError(f'{symbol!r} is no chemical symbol')
        return list(dict.fromkeys(value))

    @field_validator('ratios', mode='before')
    @classmethod
    def _number_as_ratio(cls, value: object) -> object:
        # the ratio of a pure element is naturally written as the number 1
        return [str(item) if type(item) is int else item for item in value] if isinstance(value, list) else value

    @field_validator('ratios')
    @classmethod
    def _ratios(cls, value: list[str]) -> list[str]:
        return list(dict.fromkeys(':'.join(map(str, parse_ratio(label))) for label in value))

    @field_validator('formulas')
    @classmethod
    def _formulas(cls, value: list[str]) -> list[str]:
        from aiida_inversedesign.chemistry.formulas import parse_formula, reduced_formula

        return list(dict.fromkeys(reduced_formula(parse_formula(formula)) for formula in value))

    @model_validator(mode='after')
    def _possible(self) -> Space:
        if bool(self.elements) != bool(self.ratios):
            raise ValueError('elements and ratios belong together: give both')
        for label in self.ratios:
            if label.count(':') + 1 > len(self.elements):
                raise ValueError(
                    f'ratio {label!r} needs {label.count(":") + 1} different elements, '
                    f'but only {len(self.elements)} are named'
                )
        return self


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

    @model_validator(mode='after')
    def _generators_need_formulas(self) -> Propose:
        if not self.generators:
            raise ValueError('generators names none: leave it out, or write {enumeration: 1}')
        if self.method == 'library' and (self.searches or self.renew is not None):
            raise ValueError('method library proposes the structures of the library: generators and renew do not apply')
        return self


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

    @model_validator(mode='after')
    def _transfer_needs_a_source(self) -> Learn:
        if self.surrogate == 'transfer' and not self.source:
            raise ValueError('surrogate: transfer needs source: properties of the library to start from')
        return self


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
    """A campaign file without its budget: what a resumed campaign shares with the first."""

    name: Name
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    goal: Goal
    space: Space = Space()
    propose: Propose = Propose()
    select: Select = Select()
    learn: Learn = Learn()
    evaluate: Evaluate

    @model_validator(mode='after')
    def _consistent(self) -> CampaignSettings:
        engine = self.evaluate
        # a data set may bring properties of its own, but none without a unit
        known = [*PROPERTIES, *(engine.units if isinstance(engine, Table) else ())]
        for name in self.goal.properties:
            if name not in known:
                raise PropertyError(name, sorted(known), declarable=isinstance(engine, Table))
        self._acquisition_fits()
        self._source_is_no_answer()
        if self.learn.surrogate == 'multitask' and len(self.goal.properties) == 1:
            raise ValueError(
                'learn.surrogate multitask learns several properties together, and the goal names '
                f'{self.goal.properties[0]} alone: write gp'
            )
        self._elements_left()
        self._giving_up_needs_a_bound()
        if self.propose.method != 'library' and not (self.space.elements or self.space.formulas):
            raise ValueError('space names no formulas: give elements and ratios, or formulas')
        return self

    def _acquisition_fits(self) -> None:
        name, several = self.select.acquisition, len(self.goal.objectives) > 1
        if several and name in ('qlog_ei', 'knowledge_gradient', 'ego'):
            raise ValueError(f'select.acquisition {name} is for one objective: write auto, log_nehvi, log_ehvi or pi')
        if not several and name in ('log_ehvi', 'log_nehvi'):
            raise ValueError(f'select.acquisition {name} is for several objectives: write auto or log_ei')
        if name == 'spacier' and not self.goal.defines_hits:
            raise ValueError(
                'select.acquisition spacier needs a region to move towards: give every objective a target, a window '
                'or a hit threshold'
            )

    def _source_is_no_answer(self) -> None:
        if not isinstance(self.evaluate, Table) or self.propose.library != self.evaluate.data:
            return
        answers = [name for name in self.learn.source if name in self.goal.properties]
        if answers:
            raise ValueError(
                f'learn.source {answers[0]} is what is searched for, and {self.evaluate.data!r} holds its answers: the '
                'surrogate would know them before anything is evaluated; name another property, or another library'
            )

    def _elements_left(self) -> None:
        forbidden = {symbol for rule in self.goal.composition for symbol in rule.forbidden or []}
        left = [symbol for symbol in self.space.elements if symbol not in forbidden]
        if self.space.elements and not left and not self.space.formulas:
            raise ValueError('goal.composition forbids every element of space.elements: nothing is left to propose')

    def _giving_up_needs_a_bound(self) -> None:
        slices = self.evaluate.slices if isinstance(self.evaluate, QuantumEspresso) else None
        if slices is not None and slices.give_up and self.goal.energy_limit is None:
            raise ValueError(
                'evaluate.slices.give_up: true needs a goal that bounds formation_energy or e_above_hull from above, '
                'such as a constraint with max: nothing else tells which relaxation is hopeless'
            )

    def unit(self, name: str) -> str:
        """The unit of one of the campaign's properties."""
        declared = self.evaluate.units if isinstance(self.evaluate, Table) else {}
        return PROPERTIES[name].unit if name in PROPERTIES else declared[name]


class CampaignSpec(CampaignSettings):
    """A campaign file."""

    budget: Budget

    @model_validator(mode='after')
    def _schedule_has_no_generations(self) -> CampaignSpec:
        if self.select.schedule == 'asynchronous' and self.budget.generations is not None:
            raise ValueError(
                'budget.generations counts nothing with select.schedule asynchronous: limit evaluations instead'
            )
        return self

    @model_validator(mode='after')
    def _hits_defined(self) -> CampaignSpec:
        if self.budget.hits is not None and not self.goal.defines_hits:
            raise ValueError('budget.hits needs a threshold: add hit to each objective that is maximised or minimised')
        return self

    def settings(self) -> dict[str, Any]:
        """Everything but the budget as plain JSON data."""
        return self.model_dump(mode='json', exclude={'budget'})


class PropertyError(ValueError):
    """A property without a known meaning and unit."""

    def __init__(self, name: str, allowed: list[str], declarable: bool) -> None:
        remedy = f'; if the data set has it, declare its unit: evaluate.units: {{{name}: …}}' if declarable else ''
        super().__init__(f'unknown property; expected one of {", ".join(allowed)}{remedy}')
        self.name, self.allowed = name, allowed
