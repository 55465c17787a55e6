"""The arms by name: every acquisition on every surrogate of ours, random search, and the peers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from aiida_inversedesign.arrays import Array, Integers
from aiida_inversedesign.benchmarks.search.earlier import FROM, SHUFFLED
from aiida_inversedesign.benchmarks.search.fidelity import FIDELITY
from aiida_inversedesign.benchmarks.search.formulas import FormulaArm, is_formula_arm
from aiida_inversedesign.benchmarks.search.loop import Arm, Question, Step
from aiida_inversedesign.benchmarks.search.ours import OurArm, acquisitions, surrogates
from aiida_inversedesign.errors import InverseDesignError
from aiida_inversedesign.propose.generators.mix import GENERATORS

#: Random search is not run: its distribution is known exactly.
RANDOM = 'random'


class ArmError(InverseDesignError):
    """An arm that does not exist or cannot run, with what to do."""


@dataclass(frozen=True)
class RandomArm:
    """Draws at random: only to compare the loop with the exact figures."""

    name: str = 'random_drawn'

    def begin(self, question: Question) -> RandomSearcher:
        """Start a search."""
        return RandomSearcher(question)


@dataclass(frozen=True)
class RandomSearcher:
    """See :class:`RandomArm`."""

    question: Question

    def choose(self, observed: Integers, values: dict[str, Array], size: int, generation: int) -> Step:
        """Draw from the remainder."""
        left = np.setdiff1d(np.arange(len(self.question.features)), observed)
        rng = np.random.default_rng([self.question.seed, generation])
        return Step([int(index) for index in rng.permutation(left)[:size]])


def our_names() -> list[str]:
    """``auto``, and every surrogate with every acquisition."""
    pairs = (f'{kind}:{name}' for kind in surrogates() for name in acquisitions() if name != 'random')
    names = ['auto', *(name for name in pairs if name != 'auto:auto')]
    return [*names, *(f'{start}:{name}' for start in (FROM, SHUFFLED, FIDELITY) for name in names)]


def starting_from_earlier(names: Sequence[str]) -> list[str]:
    """The arms that start from an earlier search.

    :raises ArmError: if none does.
    """
    found = [name for name in names if informed_by(name)[0] in (FROM, SHUFFLED)]
    if not found:
        raise ArmError('--from is for arms that start from an earlier search: add for example from:auto to --arms')
    return found


def informed_by(name: str) -> tuple[str, str]:
    """What an arm knows before it begins (empty if nothing), and the arm without that."""
    kind, _, base = name.partition(':')
    return (kind, base) if kind in (FROM, SHUFFLED, FIDELITY) else ('', name)


def parse_arms(text: str) -> list[str]:
    """Full names of the arms of ``--arms``.

    ``forest`` stands for ``forest:log_ei``, ``log_ei`` for ``gp:log_ei``, ``ours`` and ``peers`` for all of a kind but
    ``curves``, which not every pool has. A generator of formulas may be named instead of an acquisition.

    :raises ArmError: if a name is not known.
    """
    from aiida_inversedesign.benchmarks.search.peers import GROUP, PEERS

    found: list[str] = []
    for part in (item.strip() for item in text.split(',')):
        if part == 'ours':
            found += [name for name in our_names() if not (name.startswith('curves:') or informed_by(name)[0])]
        elif part == 'peers':
            found += list(GROUP)
        elif part in (RANDOM, RandomArm().name, 'auto', *PEERS, *our_names()):
            found.append(part)
        elif part in surrogates():
            found.append(f'{part}:log_ei')
        elif part in acquisitions() or part in GENERATORS:
            found.append(f'gp:{part}')
        elif is_formula_arm(part) and part.partition(':')[0] in surrogates():
            found.append(part)
        elif part:
            raise ArmError(_unknown(part, [RANDOM, *our_names(), *PEERS]))
    if not found:
        raise ArmError('--arms names nothing: write for example random,auto,gp:log_ei,forest,peers')
    return list(dict.fromkeys(found))


def make_arm(name: str) -> Arm:
    """The arm of a full name.

    :raises ArmError: if it is a peer whose packages are not installed.
    """
    from aiida_inversedesign.benchmarks.search.peers import PEERS

    if name == RandomArm().name:
        return RandomArm()
    if name in PEERS:
        reason = PEERS[name].missing()
        if reason:
            raise ArmError(reason)
        return PEERS[name]
    if is_formula_arm(name):
        return FormulaArm(name)
    before, base = informed_by(name)
    kind, _, acquisition = base.partition(':')
    return OurArm(name, kind, acquisition or 'auto', before=before)


def describe_arm(name: str) -> dict[str, Any]:
    """What an arm is, in words, and the versions of the packages it uses."""
    from aiida_inversedesign.benchmarks.search.peers import PEERS

    if name in PEERS:
        return {'what': PEERS[name].what, 'versions': PEERS[name].versions()}
    if name == RANDOM:
        return {'what': 'random search without repeats, exact (hypergeometric distribution)', 'versions': {}}
    if name == RandomArm().name:
        return {'what': 'random search, drawn', 'versions': {}}
    before, base = informed_by(name)
    if before:
        words = {
            FROM: 'started from the earlier search',
            SHUFFLED: 'started from an earlier search among answers in a random order',
            FIDELITY: 'which may ask the cheaper method first',
        }
        return {'what': f'{describe_arm(base)["what"]}, {words[before]}', 'versions': {}}
    kind, _, acquisition = name.partition(':')
    if is_formula_arm(name):
        return {'what': f'generator {acquisition} of formulas, led by {kind} on compositions', 'versions': {}}
    return {'what': f'surrogate {kind}, acquisition {acquisition or "auto"}', 'versions': {}}


def _unknown(name: str, names: Sequence[str]) -> str:
    import difflib

    near = difflib.get_close_matches(name, names, n=1)
    hint = f' Did you mean {near[0]!r}?' if near else ''
    peers = [item for item in names if item not in our_names()]
    return (
        f'--arms: {name!r} is not an arm.{hint} Write random, auto, SURROGATE:ACQUISITION with '
        f'{", ".join(surrogates())} and {", ".join(acquisitions())} or, by formula, {", ".join(GENERATORS)}, '
        f'or a peer: {", ".join(peers)}'
    )
