"""Which operations a CIF means: those it lists, or those of the names it gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiida_inversedesign.libraries import entries
from aiida_inversedesign.libraries.cif.blocks import Block, is_null
from aiida_inversedesign.libraries.cif.names import all_settings, settings_of_name, settings_of_number
from aiida_inversedesign.libraries.cif.operations import Operations, listed_operations, of_group, of_hall
from aiida_inversedesign.libraries.entries import Notes, RefusedError

_LISTED = ('_space_group_symop_operation_xyz', '_symmetry_equiv_pos_as_xyz')
_MAGNETIC, _CENTRING = '_space_group_symop_magn_operation_xyz', '_space_group_symop_magn_centering_xyz'
_HALL = ('_space_group_name_hall', '_symmetry_space_group_name_hall')
_NAMES = (
    '_space_group_name_h-m_alt', '_symmetry_space_group_name_h-m', '_space_group_name_h-m_full',
    '_space_group_name_h-m_ref', '_space_group_name_h-m', '_symmetry_space_group_name_h-m_alt',
)  # fmt: skip
_NUMBERS = ('_space_group_it_number', '_symmetry_int_tables_number')
_IDENTITY = ('x,y,z',)
_BY_NUMBER = 'the number'


@dataclass(frozen=True, eq=False)
class Setting:
    """Operations that a file may mean.

    :param remark: where they come from, if the file does not list them.
    :param differs: how they contradict the name of the group; empty if they do not.
    :param named: number of the group that is named, if they contradict it.
    :param evidence: whether they may be taken only if the stated content of the cell confirms them.
    """

    operations: Operations
    remark: str = ''
    differs: str = ''
    named: int = 0
    evidence: bool = False


@dataclass(frozen=True)
class _Named:
    """The settings that the names mean, and the names."""

    settings: list[Operations]
    label: str
    exact: bool


def listed_triplets(block: Block) -> tuple[str, ...]:
    """The operations that are listed; those of magnetic files without the reversal of time."""
    lists = [tuple(text.strip() for text in block.column(name) if not is_null(text)) for name in _LISTED]
    listed = lists[0] or lists[1]
    if listed or not block.column(_MAGNETIC):
        return listed
    operations = [text.rsplit(',', 1)[0] for text in block.column(_MAGNETIC)]
    centring = [text.rsplit(',', 1)[0] for text in block.column(_CENTRING)]
    if not centring:
        return tuple(operations)
    import gemmi

    try:
        return tuple((gemmi.Op(shift) * gemmi.Op(text)).wrap().triplet() for shift in centring for text in operations)
    except (RuntimeError, ValueError) as error:
        raise RefusedError(entries.UNREADABLE, f'{str(error)[:80]} in the magnetic operations') from error


def settings_of(block: Block, lattice: NDArray[np.float64], notes: Notes) -> list[Setting]:
    """The settings that the file may mean, the likeliest first.

    :param lattice: 3 × 3, vectors as rows, Å.
    :raises RefusedError: if there is none, or names and cell contradict each other.
    """
    listed, named = listed_triplets(block), _named(block, notes)
    if listed:
        older = tuple(text.strip() for text in block.column(_LISTED[1]) if not is_null(text))
        if older and set(older) != set(listed) and not _same(older, listed):
            notes.contradiction(entries.GROUP_MISMATCH, f'{_LISTED[0]} and {_LISTED[1]} list different operations')
        return _of_list(listed, named, lattice, notes)
    if named is None:
        given = block.text(*_HALL, *_NAMES, *_NUMBERS)
        what = f'the space group {given[:40]!r} is not known' if given else 'no space group is named'
        notes.contradiction(
            entries.NO_OPERATIONS, f'no symmetry operations are listed, and {what}: none could be derived'
        )
        return [Setting(listed_operations(_IDENTITY)[0])]
    fitting = [operations for operations in named.settings if operations.fits(lattice)]
    if not fitting:
        notes.contradiction(entries.GROUP_MISMATCH, f'the cell does not have the symmetry of {named.label}')
        fitting = named.settings[:1]
    fitting = _preferred(fitting)
    if named.label.startswith(_BY_NUMBER) and len(fitting) == 1 and len(all_settings(fitting[0].number)) > 1:
        return [Setting(fitting[0], f'of {fitting[0].name} from {named.label}: its standard setting')]
    return [Setting(item, f'of {item.name} from {named.label}' if len(fitting) > 1 else '') for item in fitting]


def _of_list(
    listed: tuple[str, ...], named: _Named | None, lattice: NDArray[np.float64], notes: Notes
) -> list[Setting]:
    operations, closed = listed_operations(listed)
    if named is None or (closed and operations.number in {item.number for item in named.settings}):
        if not closed:
            notes.contradiction(
                entries.GROUP_MISMATCH, f'the {len(operations)} listed operations are not a group: some are missing'
            )
        if not operations.fits(lattice):
            notes.contradiction(entries.GROUP_MISMATCH, f'the cell does not have the symmetry of {operations.name}')
        if named is not None and named.exact and operations.name not in {item.name for item in named.settings}:
            notes.say(entries.REMARK, f'the operations are those of {operations.name}, the name is {named.label}')
        return [Setting(operations)]
    number = named.settings[0].number
    described = operations.name if closed else f'{len(operations)} operations that are not a group'
    found = [
        Setting(operations, differs=f'the operations are {described}, the named group is {named.label}', named=number)
    ]
    if operations.is_identity or not closed:
        found += [
            Setting(item, f'of {item.name} from {named.label}, the file lists {len(operations)}', evidence=True)
            for item in _preferred([item for item in named.settings if item.fits(lattice)])
        ]
    return found


def _same(first: tuple[str, ...], second: tuple[str, ...]) -> bool:
    """Whether two lists have the same operations."""
    one, other = (listed_operations(triplets)[0] for triplets in (first, second))
    return (len(one), one.number, one.name) == (len(other), other.number, other.name)


def _named(block: Block, notes: Notes) -> _Named | None:
    """What Hall symbol, Hermann–Mauguin symbol and number say together; None if there is none that is known.

    :raises RefusedError: if they contradict each other.
    """
    found: list[tuple[str, list[Operations]]] = []
    hall = block.text(*_HALL)
    if hall and (operations := of_hall(hall)):
        found.append((f'the Hall symbol {hall[:40]!r}', [operations]))
    for tag in _NAMES:
        if (name := block.text(tag)) and (groups := settings_of_name(name)):
            found.append((f'the name {name[:40]!r}', _operations(groups)))
    text = block.text(*_NUMBERS)
    if text.isdigit() and 1 <= int(text) <= 230:
        found.append((f'{_BY_NUMBER} {text}', _operations(settings_of_number(int(text)))))
    if not found:
        return None
    label, settings = found[0]
    exact = len(settings) == 1
    numbers = {item.number for item in settings}
    for other, more in found[1:]:
        if not numbers & {item.number for item in more}:
            notes.contradiction(
                entries.GROUP_MISMATCH,
                f'{label} is group {min(numbers)}, {other} is group {min(item.number for item in more)}',
            )
        elif not exact and not other.startswith(_BY_NUMBER):
            common = [item for item in settings if item.name in {one.name for one in more}]
            settings = common or settings
            exact = len(settings) == 1
    return _Named(settings, label, exact)


def _operations(groups: list[Any]) -> list[Operations]:
    return [of_group(group) for group in groups]


def _preferred(settings: list[Operations]) -> list[Operations]:
    """The settings without monoclinic axes that nobody meant: a short symbol such as ``P 2/m`` is that of axis b."""
    along_b = [item for item in settings if len(item.name.split()) == 4 and item.name.split()[1] == '1'
               and item.name.split()[3] == '1']  # fmt: skip
    return along_b if 3 <= settings[0].number <= 15 and along_b else settings
