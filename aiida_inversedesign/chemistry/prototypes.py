"""Anonymous prototypes: one label for the crystals of one structure type, whatever their elements.

The label is written as AFLOW does (Mehl et al., Comput. Mater. Sci. 136, S1 (2017)): anonymous formula, Pearson symbol,
space group, Wyckoff letters of each element, e.g. ``ABC3_cP5_221_a_b_c`` for perovskite. Equivalent settings of a space
group name its positions differently; of all of them (pymatgen's table, after aviary: Goodall et al., Sci. Adv. 8,
eabn4117 (2022)) the alphabetically first label is taken, and elements of equal count are sorted by their letters.
Two crystals of one label need not be alike: free coordinates and axes are not part of it.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections import Counter, defaultdict
from string import ascii_letters, ascii_uppercase

from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.chemistry.symmetry import symmetry_dataset

#: letters of the Pearson symbol: last space group of each crystal family
FAMILIES = ((2, 'a'), (15, 'm'), (74, 'o'), (142, 't'), (194, 'h'), (230, 'c'))


def prototype_label(crystal: Crystal) -> str:
    """The label of a crystal's anonymous prototype; empty if its symmetry cannot be determined."""
    found = symmetry_dataset(crystal)
    if found is None:
        return ''
    orbits: dict[str, Counter[str]] = defaultdict(Counter)
    seen = set()
    for symbol, letter, orbit in zip(
        crystal.species, found.wyckoffs, found.crystallographic_orbits.tolist(), strict=True
    ):
        if orbit not in seen:
            seen.add(orbit)
            orbits[symbol][letter] += 1
    atoms = len(found.std_types)
    centring = found.international[0]
    if centring == 'R':
        atoms //= 3
    family = next(letter for last, letter in FAMILIES if found.number <= last)
    pearson = f'{family}{"C" if centring in "AB" else centring}{atoms}'
    divisor = math.gcd(*crystal.counts.values())
    blocks = min(
        sorted((crystal.counts[symbol] // divisor, _letters(letters, table)) for symbol, letters in orbits.items())
        for table in relabellings(found.number)
    )
    names = itertools.cycle(ascii_uppercase)
    formula = ''.join(f'{name}{count if count > 1 else ""}' for name, (count, _) in zip(names, blocks, strict=False))
    return '_'.join([formula, pearson, str(found.number), *(letters for _, letters in blocks)])


@functools.lru_cache(maxsize=256)
def relabellings(number: int) -> tuple[dict[str, str], ...]:
    """Ways to rename the Wyckoff positions of a space group, from one equivalent setting to another."""
    tables = _relabelling_tables()[str(number)]
    return tuple({chr(int(code)): letter for code, letter in table.items()} for table in tables)


@functools.cache
def _relabelling_tables() -> dict[str, list[dict[str, str]]]:
    """pymatgen's table of every space group; its module would read all AFLOW prototypes too, which takes seconds."""
    import gzip
    import json
    from importlib.resources import files

    packed = files('pymatgen.analysis').joinpath('prototypes/wyckoff-position-relabelings.json.gz').read_bytes()
    tables: dict[str, list[dict[str, str]]] = json.loads(gzip.decompress(packed))
    return tables


def _letters(letters: Counter[str], table: dict[str, str]) -> str:
    """Wyckoff letters with their numbers, e.g. ``a2c``, renamed by ``table``."""
    renamed: Counter[str] = Counter()
    for letter, number in letters.items():
        renamed[table.get(letter, letter)] += number
    ordered = sorted(renamed.items(), key=lambda item: ascii_letters.index(item[0]))
    return ''.join(f'{number if number > 1 else ""}{letter}' for letter, number in ordered)
