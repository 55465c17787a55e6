"""The section ``screen`` of the campaign file: cheap verdicts, and a potential that relaxes candidates before DFT."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, Literal, get_args

from pydantic import Field, ValidationError, WithJsonSchema, model_validator

from aiida_inversedesign.campaign.assembly import installed
from aiida_inversedesign.campaign.contracts import registry
from aiida_inversedesign.campaign.engine_settings import Options
from aiida_inversedesign.campaign.section import (
    ContradictionError,
    Count,
    Finite,
    Model,
    Positive,
    refuse,
    without_repeats,
)

#: What only the stage with a potential needs: without one, none of it may be set.
_OF_POTENTIAL = ('code', 'keep', 'hull', 'properties', 'vibrations', 'estimate_cost')

#: What follows from an elastic tensor (:func:`aiida_inversedesign.chemistry.elasticity.moduli`).
OF_TENSOR = (
    *('elastic_bulk_modulus', 'shear_modulus', 'young_modulus', 'poisson_ratio', 'elastic_anisotropy', 'hardness'),
    'elastic_stability',
)
#: What a potential can compute of a relaxed candidate, beside its energy.
PotentialProperty = Literal[
    'bulk_modulus',
    'elastic_bulk_modulus',
    'shear_modulus',
    'young_modulus',
    'poisson_ratio',
    'elastic_anisotropy',
    'hardness',
    'elastic_stability',
]

#: Further screens by name, with the settings of each.
Further = Annotated[
    dict[str, dict[str, Any]],
    Field(description='further screens by name, with their settings; in the file they stand beside the other keys'),
    WithJsonSchema({'type': 'object', 'additionalProperties': {'type': 'object'}}),
]


class Screening(Model):
    """How candidates are judged before anything expensive is computed."""

    potential: Annotated[str, installed('potentials')] | None = Field(
        None, description='interatomic potential that relaxes every candidate before one is chosen'
    )
    code: str | None = Field(
        None, description='label of a Python code with ASE and the potential; the package itself is not needed there'
    )
    relax: bool = Field(True, description='whether candidates are relaxed; else only their energies are computed')
    # a soft crystal of one atom is within 0.5 % of its volume then, at 0.05 eV/Å within 1.3 %
    fmax: Positive = Field(0.02, description='largest force after the relaxation, eV/Å')
    steps: Count = Field(100, description='most relaxation steps; what they reach is taken')
    seconds: Count = Field(300, description='longest relaxation of one candidate')
    window: Positive = Field(
        0.1, description='candidates this far above the lowest of their formula are dropped, eV/atom'
    )
    hull: Positive | None = Field(
        None,
        description="candidates this far above the potential's own hull of their elements are dropped, eV/atom; "
        'competing phases come from the library',
    )
    # chosen on 177 held-out compounds with their first five templates each: 0.08 and 0.15 eV put the right crystal
    # first for 141 and 140, the order of the proposal for 136, 0.005 eV for 131
    softness: Annotated[Finite, Field(gt=0, le=10)] = Field(
        0.1, description='kT in the order log p - E/kT of the candidates of a formula, eV/atom'
    )
    keep: Count | None = Field(None, description='most candidates of a formula that are kept')
    vibrations: bool = Field(
        False, description='whether candidates with an imaginary frequency in their own cell (at Γ) are dropped'
    )
    properties: list[PotentialProperty] | None = Field(
        None, description='what else the potential computes; default: those of the goal that it can'
    )
    estimate_cost: Annotated[Finite, Field(gt=0, lt=1)] | None = Field(
        None,
        description='cost of computing the properties of a candidate, in evaluations, e.g. 0.01: only those that are '
        'worth more for it than an evaluation are computed; default: all are',
    )
    bundle: Count = Field(50, description='most candidates of one job')
    at_once: Count = Field(2, description='jobs that run at a time')
    options: Options = Field(Options(), description='scheduler options of the jobs of the screening')
    further: Further = Field({})

    @model_validator(mode='before')
    @classmethod
    def _screens_beside_keys(cls, data: Any) -> Any:
        """Screens by name stand beside the other keys, or are a list of names."""
        given = dict.fromkeys(data, None) if isinstance(data, list) else data
        if not isinstance(given, Mapping):
            raise ContradictionError('expected a potential or screens with their settings, e.g. {distance: {}}')
        own = {name: value for name, value in given.items() if name in cls.model_fields}
        others = {name: value for name, value in given.items() if name not in cls.model_fields}
        further = _read(others | dict(own.pop('further', {}) or {}))
        return {**own, 'further': further} if further else own

    def estimated(self, goal: Iterable[str]) -> list[str]:
        """Properties of which the potential gives estimates; of :meth:`computed` what a user asks for."""
        able = get_args(PotentialProperty)
        return [name for name in goal if name in able] if self.properties is None else list(self.properties)

    def computed(self, goal: Iterable[str]) -> list[str]:
        """What the program computes: ``bulk_modulus``, ``elastic_tensor``, ``lowest_frequency``."""
        names = self.estimated(goal)
        wanted = ['elastic_tensor' if name in OF_TENSOR else name for name in names]
        return [*without_repeats(wanted), *(['lowest_frequency'] if self.vibrations else [])]

    def contradictions(self) -> Iterator[ContradictionError]:
        """What does not go together in this section."""
        if self.potential is None:
            for name in _OF_POTENTIAL:
                if getattr(self, name):
                    yield ContradictionError('has no effect without screen.potential: name one', (name,))
        elif self.code is None:
            yield ContradictionError(
                'needs screen.code: the label of a Python code with ASE and the potential, e.g. python@localhost',
                ('potential',),
            )
        if self.properties and without_repeats(self.properties) != self.properties:
            yield ContradictionError('names a property twice', ('properties',))


def _read(given: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of each screen, read by its own section."""
    found: dict[str, Any] = {}
    wrong: list[ContradictionError] = []
    for name, settings in given.items():
        if name not in registry.names('screens'):
            words = (*registry.names('screens'), *Screening.model_fields)
            wrong.append(ContradictionError(registry.not_installed('screens', str(name), hint=False), (name,), words))
            continue
        section = registry.part('screens', name).section
        if section is None:
            if settings:
                wrong.append(ContradictionError('has no settings: write {}', (name,)))
            found[name] = {}
            continue
        try:
            found[name] = section.model_validate(settings or {}).model_dump(mode='json')
        except ValidationError as error:
            wrong += [ContradictionError(item['msg'], (name, *item['loc'])) for item in error.errors()]
    refuse('screen', wrong)
    return found
