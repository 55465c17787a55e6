"""The section ``propose`` of the campaign file: the sources of candidates and their shares."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from aiida_inversedesign.campaign.assembly import installed
from aiida_inversedesign.campaign.contracts import registry
from aiida_inversedesign.campaign.engine_settings import Options
from aiida_inversedesign.campaign.generator import EXTERNAL, Generator
from aiida_inversedesign.campaign.section import ContradictionError, Count, Fraction, Model, Positive

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
        0.85,
        description='least distance in sums of covalent radii; less for elements that are closer in known compounds',
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

    @property
    def shares(self) -> dict[str, float]:
        """The sources and their shares, which add up to 1, largest first."""
        equal = dict.fromkeys(self.sources or [str(self.method)], 1.0)
        given = self.sources if isinstance(self.sources, dict) else equal
        total = sum(given.values())
        return {name: round(share / total, 12) for name, share in sorted(given.items(), key=lambda item: -item[1])}

    @property
    def learns_shares(self) -> bool:
        """Whether the shares follow what the candidates of each source were worth."""
        return isinstance(self.sources, list) and len(self.sources) > 1

    @property
    def sources_in_words(self) -> str:
        """The name of the source, or the names of several with their shares, unless these are learned."""
        shares = self.shares
        if len(shares) == 1 or self.learns_shares:
            return ', '.join(shares) + (', shares learned' if self.learns_shares else '')
        return ', '.join(f'{key} {100 * x:.3g} %' for key, x in shares.items())

    @property
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

    @property
    def searches(self) -> bool:
        """Whether a generator searches, led by what was learned so far."""
        return set(self.generators) != {'enumeration'}

    @property
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
        elif self.sources is not None and not self.sources:
            yield ContradictionError('is empty: omit it, or write e.g. {cspml: 0.6, symmetric: 0.4}', ('sources',))
        elif isinstance(self.sources, list) and (
            twice := [name for name in self.shares if self.sources.count(name) > 1]
        ):
            yield ContradictionError(f'names {", ".join(twice)} more than once', ('sources',))
        if self.sources or self.method is not None:
            yield from self._of_sources()
            yield from self._of_formulas()

    def _of_sources(self) -> Iterator[ContradictionError]:
        """What the named sources lack, or cannot do."""
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
        # the source of the default is not imported here: it imports the campaign file, which makes the default
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

    def _of_formulas(self) -> Iterator[ContradictionError]:
        """What is wrong with the ways to find formulas."""
        if not self.generators:
            yield ContradictionError('is empty: omit it, or write {enumeration: 1}', ('generators',))
        for name, given in (('generators', self.generators and self.searches), ('renew', self.renew is not None)):
            if list(self.shares) == ['library'] and given:
                yield ContradictionError(
                    'does not apply: the source library proposes the structures of the library', (name,)
                )
