"""What limits of contacts refuse: ``python tests/benchmark/contact_limits.py [LIBRARY.parquet] [COMPOUNDS] [SEED]``.

Draws stable compounds and fits limits to the other formulas near the hull. Printed is which share of the compounds
themselves each rule refuses, and of their crystals in the templates of nearest elements, at element volumes and of
either kind: with the true prototype or another. Such a crystal is refused if widening its cell does not help. Brackets
are 95 % Wilson intervals. Without a library it takes the Materials Project structures of the shared data
(``INVERSEDESIGN_SHARED``, or the folder ``shared`` beside the checkout). Takes about 5 min.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from aiida_inversedesign.audit.metrics.intervals import wilson
from aiida_inversedesign.chemistry.contacts import Pair, fit_limits, limit, shortest_contacts
from aiida_inversedesign.chemistry.formulas import parse_formula, ratio_label
from aiida_inversedesign.libraries.importers import read_jsonl
from aiida_inversedesign.libraries.library import Library
from aiida_inversedesign.libraries.prototype_labels import label_of, with_prototypes
from aiida_inversedesign.propose.build import WIDEST, build
from aiida_inversedesign.propose.rankers.baselines import ElementDissimilarityRanker
from aiida_inversedesign.propose.rankers.ranking import Templates
from aiida_inversedesign.propose.training.from_library import lowest_of_each_formula
from aiida_inversedesign.propose.volumes.volume import ElementVolumes

Contacts = Mapping[Pair, float]
Rule = Callable[[str, str], float]

#: eV/atom above the hull of the compounds that limits are fitted to
HULL = 0.1
#: templates of each compound
RANKS = 12


def main() -> None:
    """Measure and print."""
    library = _library(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
    number = int(sys.argv[2]) if len(sys.argv) > 2 else 1200
    near = lowest_of_each_formula(library, HULL)
    stable = sorted({item.crystal.formula for item in near if (item.e_above_hull or 0) <= 0})
    drawn = np.random.default_rng(int(sys.argv[3]) if len(sys.argv) > 3 else 0).permutation(stable)[:number]
    asked = frozenset(drawn.tolist())
    known = {
        key: value for key, (_, value) in fit_limits(t.crystal for t in near if t.crystal.formula not in asked).items()
    }
    truths = [item for item in near if item.crystal.formula in asked]
    own = [shortest_contacts(item.crystal) for item in truths]
    right, wrong = _built(near, truths, asked)
    print(f'{len(own)} compounds; {len(right)} crystals of the true prototype, {len(wrong)} of others')
    print(
        f'{"":24}{"compounds refused":>24}{"right refused":>22}{"widened":>10}{"wrong refused":>22}{"widened":>10}   %'
    )
    rules: dict[str, Rule] = {
        '0.85': lambda first, second: 0.85,
        '0.75': lambda first, second: 0.75,
        'known compounds, 0.85': lambda first, second: limit(first, second, 0.85, known),
    }
    for name, rule in rules.items():
        refused = _share([_needed(item, rule) > 1 for item in own])
        line, short = f'{name:24}{refused:>24}', []
        for crystals in (right, wrong):
            needed = np.array([_needed(item, rule) for item in crystals])
            line += f'{_share(needed > WIDEST):>22}{100 * np.mean((needed > 1) & (needed <= WIDEST)):>10.1f}'
            short.append(needed[needed > 1])
        print(line)
        for wide in (1.15, 1.3, 1.4):
            shares = ', '.join(f'{_share(needed <= wide)} of {len(needed)}' for needed in short)
            print(f'{"":24}too short, healed by {wide:.2f} times the volume: {shares}')


def _built(near: Library, truths: list, asked: frozenset[str]) -> tuple[list[Contacts], list[Contacts]]:
    """The shortest contacts of the compounds in templates, with the true prototype and with others."""
    templates, ranker = Templates(near, exclude_formulas=asked), ElementDissimilarityRanker()
    found: tuple[list[Contacts], list[Contacts]] = ([], [])
    for item in truths:
        counts = parse_formula(item.crystal.formula)
        group, truth = templates.group(ratio_label(counts)), label_of(item)
        if group is None:
            continue
        (ranked,) = ranker.rank([counts], group, RANKS)
        for one in build(counts, ranked.indices, group, ElementVolumes()):
            same = truth != '' and label_of(near[one.index]) == truth
            found[0 if same else 1].append(shortest_contacts(one.crystal))
    return found


def _needed(contacts: Contacts, rule: Rule) -> float:
    """By how much the volume must grow until every contact keeps its limit."""
    return max(((rule(*pair) / ratio) ** 3 for pair, ratio in contacts.items()), default=0.0)


def _share(refused) -> str:
    yes, number = int(np.sum(refused)), len(refused)
    low, high = wilson(yes, number)
    return f'{100 * yes / number:.1f} [{100 * low:.1f}, {100 * high:.1f}]'


def _library(path: Path | None) -> Library:
    if path:
        return Library.from_bytes(path.read_bytes())
    shared = Path(os.environ.get('INVERSEDESIGN_SHARED', Path(__file__).resolve().parents[3] / 'shared')) / 'data'
    return with_prototypes(read_jsonl(shared / 'mp_structures.jsonl.gz', primitive=False)[0])


if __name__ == '__main__':
    main()
