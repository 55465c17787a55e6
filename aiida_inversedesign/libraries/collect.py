"""Gathers entries into a library: filters, finds duplicates, and lists what was not taken by kind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypedDict

from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.chemistry.elements import unknown_elements
from aiida_inversedesign.libraries import entries
from aiida_inversedesign.libraries.entries import Notes, Raw, RefusedError, number_of
from aiida_inversedesign.libraries.library import Library, LibraryError, Skipped, Template
from aiida_inversedesign.libraries.primitive import primitive_cell
from aiida_inversedesign.libraries.values import Columns, curves_of

#: called with the number of entries read and the fraction done, None where that is not known
Progress = Callable[[int, float | None], None]

#: names under which data sets keep the two energies of a template
HULL_NAMES = ('e_above_hull', 'energy_above_hull', 'e_hull', 'hull_distance')
FORMATION_NAMES = ('formation_energy', 'formation_energy_per_atom')
#: keys of a record that are not properties, though numeric
STRUCTURE_KEYS = frozenset(
    {'id', 'material_id', 'lattice', 'species', 'frac_coords', 'nsites', 'spacegroup', 'cif', 'structure'}
)
#: most names of properties: each is a column of the library's file
MOST_PROPERTIES = 256
#: so many entries that are not crystals, and ten for each that is one, are not an accident: the file is of another kind
MOST_UNREADABLE = 100_000


class FilterOptions(TypedDict, total=False):
    """What may be asked of an import: see :class:`Filter`."""

    exclude_formulas: Iterable[str]
    max_sites: int | None
    max_e_above_hull: float | None
    primitive: bool
    largest_cell: int | None
    accept: Iterable[str]


@dataclass(frozen=True)
class Filter:
    """Which of the readable structures are taken.

    :param exclude_formulas: reduced formulas that are left out.
    :param max_sites: most sites of the primitive cell.
    :param max_e_above_hull: most energy above the hull, eV/atom; a structure without one is left out.
    :param primitive: whether cells are reduced to primitive ones.
    :param largest_cell: most sites of a cell as read, before it is reduced.
    :param accept: kinds of contradictions (:data:`~aiida_inversedesign.libraries.entries.ACCEPTABLE`) that are taken
        nevertheless, with a remark.
    """

    exclude_formulas: Iterable[str] = frozenset()
    max_sites: int | None = None
    max_e_above_hull: float | None = None
    primitive: bool = True
    largest_cell: int | None = entries.LARGEST_CELL
    accept: Iterable[str] = frozenset()

    def __post_init__(self) -> None:
        object.__setattr__(self, 'exclude_formulas', frozenset(self.exclude_formulas))
        object.__setattr__(self, 'accept', frozenset(self.accept))

    def notes(self) -> Notes:
        """For the remarks on one entry."""
        return Notes(frozenset(self.accept))

    def check(self, template: Template) -> None:
        """Refuse the template with the reason, or do nothing.

        :raises RefusedError: if it is not wanted.
        """
        crystal = template.crystal
        if crystal.formula in self.exclude_formulas:
            raise RefusedError(entries.FORMULA, f'the formula {crystal.formula} is excluded')
        if self.max_sites is not None and crystal.nsites > self.max_sites:
            raise RefusedError(entries.SITES, f'{crystal.nsites} sites are more than {self.max_sites}')
        if self.max_e_above_hull is not None:
            if template.e_above_hull is None:
                raise RefusedError(entries.HULL, 'no energy above the hull is given')
            if template.e_above_hull > self.max_e_above_hull:
                raise RefusedError(
                    entries.HULL,
                    f'{template.e_above_hull:.3f} eV/atom above the hull are more than {self.max_e_above_hull}',
                )


def collect(
    records: Iterator[Raw], wanted: Filter, source: str, license: str = '', date: str = ''
) -> tuple[Library, list[Skipped]]:
    """The library of the entries that are wanted, why each other one is not in it, and values that are not read.

    :param source: where the entries come from, kept with each.
    :param license: licence of the entries that name none of their own.
    :param date: ISO date on which the entries were retrieved.
    :raises LibraryError: if the entries have too many different properties, or 100 000 are not crystals.
    """
    templates: dict[str, Template] = {}
    structures: dict[str, str] = {}
    names: set[str] = set()
    skipped: list[Skipped] = []
    unreadable, columns = 0, Columns()
    for raw in records:
        try:
            template = _template(raw, wanted, source, license, date, columns)
            wanted.check(template)
            if raw.name in templates:
                raise RefusedError(entries.SAME_ID, f'the id {raw.name!r} was used before')
            digest = template.crystal.content_hash
            if digest in structures:
                raise RefusedError(entries.SAME_STRUCTURE, f'the same structure as {structures[digest]!r}')
        # parsers of foreign files raise nearly anything; one bad structure must not end the import
        except Exception as error:
            kind = getattr(error, 'kind', entries.UNREADABLE)
            skipped.append(Skipped(raw.where[:500], (str(error) or type(error).__name__)[:500], kind))
            unreadable += kind in (entries.UNREADABLE, entries.TOO_LARGE, entries.LATTICE)
            if unreadable > max(MOST_UNREADABLE, 10 * len(templates)):
                raise LibraryError(
                    f'{raw.where}: {unreadable} entries are not crystals (the last: {skipped[-1].reason}): '
                    'is this the right kind of file?'
                ) from error
            continue
        templates[raw.name] = template
        structures[digest] = raw.name
        names.update(template.properties)
        if len(names) > MOST_PROPERTIES:
            raise LibraryError(
                f'{raw.where}: the entries have more than {MOST_PROPERTIES} different numeric fields; '
                'leave those out that no property is'
            )
    return Library(templates.values()), skipped + columns.remarks()


def count_remarks(library: Iterable[Template]) -> dict[str, int]:
    """Number of templates with a remark of each kind, the most frequent first."""
    kinds = (kind for item in library for kind in {remark.partition(':')[0] for remark in item.remarks})
    return dict(Counter(kinds).most_common())


def count_kinds(skipped: Iterable[Skipped]) -> dict[str, int]:
    """Number of skipped entries of each kind, the most frequent first."""
    return dict(Counter(item.kind or entries.UNREADABLE for item in skipped).most_common())


def _template(raw: Raw, wanted: Filter, source: str, license: str, date: str, columns: Columns) -> Template:
    if len(raw.name) > entries.LONGEST_NAME:
        raise RefusedError(
            entries.UNREADABLE, f'the id has {len(raw.name)} characters, more than {entries.LONGEST_NAME}'
        )
    crystal = _sound(raw.build(), wanted)
    numbers = columns.numbers(raw.where, raw.fields, STRUCTURE_KEYS)
    spacegroup = number_of(raw.fields.get('spacegroup')) or 0
    return Template(
        id=raw.name,
        crystal=crystal,
        source=source,
        license=raw.license or license,
        prototype=str(raw.fields.get('prototype') or '')[:200],
        spacegroup=int(spacegroup) if 1 <= spacegroup <= 230 else 0,
        e_above_hull=next((numbers[name] for name in HULL_NAMES if name in numbers), None),
        formation_energy=next((numbers[name] for name in FORMATION_NAMES if name in numbers), None),
        properties=numbers,
        curves=curves_of(raw.fields, STRUCTURE_KEYS),
        date=date,
        remarks=tuple(raw.notes.remarks),
    )


def _sound(crystal: Crystal, wanted: Filter) -> Crystal:
    """The crystal, reduced if so wanted, once nothing speaks against working with it."""
    if unknown := unknown_elements(crystal.counts):
        named = ', '.join(sorted(symbol[:20] for symbol in unknown)[:5])
        raise RefusedError(entries.NO_ELEMENT, f'no element data for {named}')
    entries.check_sites(crystal.nsites, wanted.largest_cell)
    entries.check_cell(crystal.lattice, crystal.nsites)
    return primitive_cell(crystal) if wanted.primitive else crystal
