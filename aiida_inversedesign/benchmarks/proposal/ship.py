"""Makes the data that come with the package: ``python -m …propose.ship STRUCTURES FINGERPRINTS CSPML90``.

Writes ``chemistry/element_volumes.csv``, ``chemistry/shortest_contacts.csv``, ``libraries/aflow.parquet`` and, from
the Materials Project structures (jsonl.gz), the proposal model ``propose/models/shipped.npz`` with its card
``shipped.json``. Fingerprints that the npz file lacks are computed. Takes about 25 min on one core.
"""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

from aiida_inversedesign.benchmarks.proposal.queries import read_cspml90
from aiida_inversedesign.chemistry.contacts import fit_limits
from aiida_inversedesign.chemistry.elements import element_table
from aiida_inversedesign.libraries.aflow import read_aflow
from aiida_inversedesign.libraries.importers import read_jsonl
from aiida_inversedesign.libraries.library import Library
from aiida_inversedesign.libraries.prototype_labels import with_prototypes
from aiida_inversedesign.propose.training.ensemble import Progress
from aiida_inversedesign.propose.training.from_library import complete_fingerprints, lowest_of_each_formula, train_on
from aiida_inversedesign.propose.volumes.volume import fit_volumes

SOURCE, LICENSE = 'Materials Project (MP-20 and MPTS-52 subsets)', 'CC BY 4.0'
SEED = 1
#: eV/atom above the hull up to which crystals enter the fit of the element volumes
NEAR_HULL = 0.1


def write_volumes(library: Library, path: Path) -> None:
    """Fit the element volumes; elements without a compound take the volume of their own ground state."""
    table = element_table()
    near = [i for i, item in enumerate(library) if item.e_above_hull is not None and item.e_above_hull <= NEAR_HULL]
    fitted = fit_volumes(library.subset(near))
    ground = table.column('gs_volume')
    with path.open('w', newline='', encoding='utf-8') as handle:
        writer = csv.writer(handle, lineterminator='\n')
        writer.writerow(['symbol', 'volume', 'source'])
        for symbol in table.symbols:
            value = fitted.get(symbol, ground[symbol])
            source = f'fit to {len(near)} crystals' if symbol in fitted else 'ground state of the element (gs_volume)'
            writer.writerow([symbol, f'{value:.3f}', source])


def write_shortest_contacts(library: Library, tested: frozenset[str], path: Path) -> None:
    """The contacts that the compounds near the hull keep, the tested ones left out."""
    near = lowest_of_each_formula(library, NEAR_HULL, tested)
    with path.open('w', newline='', encoding='utf-8') as handle:
        writer = csv.writer(handle, lineterminator='\n')
        writer.writerow(['first', 'second', 'compounds', 'limit'])
        for (first, second), (number, least) in fit_limits(item.crystal for item in near).items():
            writer.writerow([first, second, number, f'{least:.3f}'])


def main(structures: Path, fingerprints: Path, test: Path) -> None:
    """Make and write everything."""
    import torch

    torch.set_num_threads(1)
    package = Path(__file__).parents[2]
    models = package / 'propose' / 'models'
    models.mkdir(exist_ok=True)
    (package / 'libraries' / 'aflow.parquet').write_bytes(
        with_prototypes(complete_fingerprints(read_aflow()[0])).to_bytes()
    )
    library, skipped = read_jsonl(structures, source=SOURCE, license=LICENSE, primitive=False)
    for item in skipped:
        print(f'skipped {item.source}: {item.reason}')
    write_volumes(library, package / 'chemistry' / 'element_volumes.csv')
    # the test crystals of the CSPML paper are kept out, so that the shipped model may be tested on them
    tested = frozenset(crystal.formula for _, crystal in read_cspml90(test)[0])
    write_shortest_contacts(library, tested, package / 'chemistry' / 'shortest_contacts.csv')
    report: Progress = lambda step, done: print(f'{step}: {done:.0%}', flush=True)  # noqa: E731
    model = train_on(library, seed=SEED, cache=fingerprints, exclude_formulas=tested, progress=report)
    (models / 'shipped.npz').write_bytes(model.to_bytes())
    (models / 'shipped.json').write_text(
        json.dumps(model.record, indent=2, ensure_ascii=False) + '\n', encoding='utf-8'
    )


if __name__ == '__main__':
    main(*map(Path, sys.argv[1:4]))
