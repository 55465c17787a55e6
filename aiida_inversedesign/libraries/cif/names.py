"""Names of space groups as CIFs spell them, and the settings that each may mean."""

from __future__ import annotations

import re
from collections import defaultdict
from functools import cache
from typing import Any

#: what follows a name to tell the setting: origin choice 1 or 2, hexagonal or rhombohedral axes; S, Z and O1, O2 are
#: the origin choices of ICSD and of Bilbao's server
_CHOICES = {'1': '1', '2': '2', 's': '1', 'z': '2', 'o1': '1', 'o2': '2', 'h': 'H', 'r': 'R', 'hr': 'H'}
_WORDS = (
    (r'origin(?:choice|at)?[:=]?([12])', ''),
    (r'hexagonal(?:axes|setting)?', 'H'),
    (r'rhombohedral(?:axes|setting)?', 'R'),
    # no symbol ends in one of these letters
    (r'(hr|s|z|o1|o2|h|r)$', ''),
)
#: the point groups of cubic crystals as they were written before the bar was: F m 3 m
_OLD_CUBIC = re.compile(r'^([fip][a-z])3([a-z]?)$')


def settings_of_name(text: str) -> list[Any]:
    """gemmi's space groups that the Hermann–Mauguin symbol may mean; empty if it is not one.

    Blanks, underscores, case and the spelling of bars and screw axes do not matter: ``P2_1/c``, ``P 2(1)/c``,
    ``FM3M``, ``F d -3 m :2``, ``R -3 m R``, ``P 2/m 2/m 2/m``. A name without a choice of origin or axes means each.
    """
    plain = _plain(text)
    if found := _find(plain, ''):
        return found
    # the number behind the name: F m -3 m (225), Fm-3m #225
    name, _, choice = re.sub(r'(\((no\.?)?\d{2,3}\)|#\d+|no\.\d+)$', '', plain).partition(':')
    if not choice and (found := _find(name, '')):
        return found
    if not choice:
        name, choice = _choice_in_words(name)
    return _find(name, choice)


def settings_of_number(number: int) -> list[Any]:
    """gemmi's space groups of the standard setting of a number: one, or two where there are choices."""
    groups = all_settings(number)
    standard = {group.hm for group in groups if group.is_reference_setting()}
    return [group for group in groups if group.hm in standard]


def all_settings(number: int) -> list[Any]:
    """gemmi's space groups of a number in every setting."""
    import gemmi

    return [group for group in gemmi.spacegroup_table() if group.number == number]


def _plain(text: str) -> str:
    """The symbol in lower case, without blanks, brackets around screws, and marks of typesetting."""
    plain = text.strip().strip('\'"').replace('\u2212', '-').replace('\u2013', '-').replace('\u2010', '-')
    plain = re.sub('(\\d)[\u0304\u0305]', r'-\1', plain)
    plain = re.sub(r'\\bar\{?(\d)\}?|\\=(\d)', lambda found: f'-{found[1] or found[2]}', plain)
    plain = re.sub(r'(\d)[_~]?\{?\((\d)\)\}?', r'\1\2', plain)
    return re.sub(r'[\s_~$\\{}]', '', plain).lower()


def _choice_in_words(name: str) -> tuple[str, str]:
    """The name and the choice that stands behind it without a colon: ``(origin choice 2)``, ``S``, ``R``."""
    bare = re.sub(r'[(),]', '', name)
    for pattern, meaning in _WORDS:
        if found := re.search(pattern, bare):
            choice = meaning or next(group for group in found.groups() if group)
            return bare[: found.start()], choice
    return bare, ''


def _find(name: str, choice: str) -> list[Any]:
    table = _table()
    found = table.get(name) or table.get(_OLD_CUBIC.sub(r'\1-3\2', name)) or _double_glide(name)
    if not found:
        # the bar behind its axis: F m 3- m
        found = table.get(re.sub(r'(\d)-(?=[a-z]|$)', r'-\1', name), [])
    if not choice:
        return found
    wanted = _CHOICES.get(choice, choice)
    return [group for group in found if wanted in (group.ext, group.qualifier)] or (
        # a choice where there is none to make says nothing
        found if wanted in ('1', '2', 'H') and all(group.ext == '\0' for group in found) else []
    )


def _double_glide(name: str) -> list[Any]:
    """The settings of a symbol with e for two glide planes at once, as the International Tables write since 1992."""
    import gemmi

    found = gemmi.find_spacegroup_by_name(name.capitalize()) if 'e' in name else None
    return [] if found is None else _table()[found.hm.replace(' ', '').lower()]


@cache
def _table() -> dict[str, list[Any]]:
    """The settings by every spelling of their names without blanks, in lower case."""
    import gemmi
    import spglib

    table: dict[str, dict[str, Any]] = defaultdict(dict)
    by_hall = {group.hall: group for group in gemmi.spacegroup_table()}
    for group in gemmi.spacegroup_table():
        long = group.hm.replace(' ', '')
        short = ''.join(part for part in group.hm.split() if part != '1') if group.monoclinic_unique_axis() else long
        for name in (long, short, group.short_name()):
            table[name.lower()][group.xhm()] = group
    for number in range(1, 531):
        kind = spglib.get_spacegroup_type(number)
        full = re.sub(r'[\s_]', '', kind.international_full).lower()
        known = by_hall.get(kind.hall_symbol)
        if known is not None and full:
            table[full][known.xhm()] = known
    return {name: list(groups.values()) for name, groups in table.items()}
