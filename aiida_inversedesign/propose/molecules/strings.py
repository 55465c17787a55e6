"""SMILES as sequences of tokens in which rings and branches are said relative to where they are.

Molecules are written in Kekulé form, without stereo marks, so that a string is right if its bonds are. A ring is opened
by ``&`` and closed by ``@0`` (the ring opened last among those open), ``@1`` and so on, so that no label has to be
remembered (Ikebata et al., J. Comput. Aided Mol. Des. 31, 379 (2017)).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

#: What ends a string, opens and closes a branch, and opens a ring.
END, BRANCH, CLOSED, RING = '$', '(', ')', '&'
BONDS = {'-': 1, '=': 2, '#': 3}
_TOKEN = re.compile(r'\[[^\]]+\]|Br|Cl|Si|[BCNOPSFI]|[()=#-]|%\d\d|\d')
_LABEL = re.compile(r'%?\d+')


def is_atom(token: str) -> bool:
    """Whether a token stands for an atom."""
    return token[0] == '[' or token[0].isalpha()


def tokens_of(mol: Any, root: int = -1) -> list[str] | None:
    """The tokens of an RDKit molecule; None if it cannot be written in them (bonds without an order).

    :param root: index of the atom that the string begins with; -1: RDKit's own choice.
    """
    from rdkit import Chem

    kekule = Chem.Mol(mol)
    Chem.Kekulize(kekule, clearAromaticFlags=True)
    text = Chem.MolToSmiles(kekule, kekuleSmiles=True, isomericSmiles=False, rootedAtAtom=root)
    parts = _TOKEN.findall(text)
    if ''.join(parts) != text:
        return None
    found, opened = list[str](), list[str]()
    for part in parts:
        if not _LABEL.fullmatch(part):
            found.append(part)
        elif part in opened:
            position = opened.index(part)
            found.append(f'@{len(opened) - 1 - position}')
            opened.pop(position)
        else:
            opened.append(part)
            found.append(RING)
    return found


def text_of(tokens: Sequence[str]) -> str:
    """The SMILES of tokens."""
    found, opened, free = [], list[int](), list(range(99, 0, -1))
    for token in tokens:
        if token == RING:
            opened.append(free.pop())
            found.append(_label(opened[-1]))
        elif token[0] == '@':
            label = opened.pop(len(opened) - 1 - int(token[1:]))
            found.append(_label(label))
            free.append(label)
            free.sort(reverse=True)
        else:
            found.append(token)
    return ''.join(found)


def _label(number: int) -> str:
    return str(number) if number < 10 else f'%{number}'


@dataclass
class Writing:
    """A string that is being written: what may come next, and what the language model sees of it.

    :param most_bonds: largest sum of bond orders of each atom token, as it was seen in the training strings.
    :param context: the tokens so far, each closed branch contracted to what it begins with.
    """

    most_bonds: Mapping[str, int]
    tokens: list[str] = field(default_factory=list)
    context: list[str] = field(default_factory=list)
    atoms: list[tuple[str, int]] = field(default_factory=list)
    pairs: set[tuple[int, int]] = field(default_factory=set)
    rings: list[tuple[int, int]] = field(default_factory=list)
    branches: list[tuple[int, int]] = field(default_factory=list)
    here: int = -1
    order: int = 0

    @property
    def state(self) -> tuple[int, bool]:
        """Open rings, up to three, and whether a branch is open: what a string still owes."""
        return min(len(self.rings), 3), bool(self.branches)

    def _free(self, atom: int) -> int:
        symbol, used = self.atoms[atom]
        return self.most_bonds.get(symbol, 0) - used

    def allows(self, token: str) -> bool:
        """Whether a token keeps grammar and valences."""
        last = self.tokens[-1] if self.tokens else ''
        if self.here < 0:
            return is_atom(token)
        free, order = self._free(self.here), self.order or 1
        if token == END:
            return not (self.rings or self.branches or self.order) and last != BRANCH
        if token in BONDS:
            return not self.order and free >= BONDS[token]
        if token == BRANCH:
            return not self.order and free >= 1 and last != BRANCH
        if token == CLOSED:
            return bool(self.branches) and not self.order and last != BRANCH
        if token == RING:
            # a ring needs two further bonds of this atom at least, unless it is the first
            return free >= order and last != BRANCH and len(self.rings) < 99
        if token[0] == '@':
            position = len(self.rings) - 1 - int(token[1:])
            if position < 0 or last == BRANCH:
                return False
            atom, opened = self.rings[position]
            needed = max(order, opened)
            near = atom == self.here or (min(atom, self.here), max(atom, self.here)) in self.pairs
            # the bond of the ring was counted at its opening
            return not near and free >= needed and self._free(atom) >= needed - opened
        return free >= order and self.most_bonds.get(token, 0) >= order

    def add(self, token: str) -> None:
        """Append a token, which must be allowed."""
        self.tokens.append(token)
        order = self.order or 1
        if token in BONDS:
            self.order = BONDS[token]
            self.context.append(token)
            return
        if token == BRANCH:
            self.branches.append((self.here, len(self.context)))
        elif token == CLOSED:
            self.here, mark = self.branches.pop()
            first = self.context[mark + 1 : mark + 3]
            self.context[mark:] = [f'({"".join(first if first[0] in BONDS else first[:1])})']
            self.order = 0
            return
        elif token == RING:
            self.rings.append((self.here, order))
            self._use(self.here, order)
        elif token[0] == '@':
            atom, opened = self.rings.pop(len(self.rings) - 1 - int(token[1:]))
            needed = max(order, opened)
            self._use(self.here, needed)
            self._use(atom, needed - opened)
            self.pairs.add((min(atom, self.here), max(atom, self.here)))
        else:
            self.atoms.append((token, 0))
            if self.here >= 0:
                self._use(self.here, order)
                self._use(len(self.atoms) - 1, order)
                self.pairs.add((self.here, len(self.atoms) - 1))
            self.here = len(self.atoms) - 1
        if token != BRANCH:
            self.order = 0
        self.context.append(token)

    def _use(self, atom: int, order: int) -> None:
        symbol, used = self.atoms[atom]
        self.atoms[atom] = symbol, used + order


def bonds_seen(strings: Sequence[Sequence[str]]) -> dict[str, int]:
    """Largest sum of bond orders of each atom token in strings."""
    most: dict[str, int] = {}
    for tokens in strings:
        writing = Writing({})
        for token in tokens:
            writing.add(token)
        for symbol, used in writing.atoms:
            most[symbol] = max(most.get(symbol, 0), used)
    return most
