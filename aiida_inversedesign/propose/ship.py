"""Makes the data that come with the package: ``python -m aiida_inversedesign.propose.ship STRUCTURES FINGERPRINTS``.

Writes ``chemistry/element_volumes.csv``, ``propose/models/aflow.parquet`` and, from the Materials Project structures
(jsonl.gz) and their fingerprints (npz), the CSPML model ``propose/models/shipped.npz`` with its card ``shipped.json``.
"""

from __future__ import annotations

import csv
import gzip
import json
import sys
from pathlib import Path

from aiida_inversedesign.chemistry.elements import element_table
from aiida_inversedesign.propose.aflow import read_aflow
from aiida_inversedesign.propose.importers import read_jsonl
from aiida_inversedesign.propose.library import Library
from aiida_inversedesign.propose.train import Progress
from aiida_inversedesign.propose.training import train_on
from aiida_inversedesign.propose.volume import fit_volumes

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


def main(structures: Path, fingerprints: Path) -> None:
    """Make and write everything."""
    import torch

    torch.set_num_threads(1)
    package = Path(__file__).parents[1]
    models = package / 'propose' / 'models'
    models.mkdir(exist_ok=True)
    (models / 'aflow.parquet').write_bytes(read_aflow()[0].to_bytes())
    library, skipped = read_jsonl(structures, source=SOURCE, license=LICENSE, primitive=False)
    for item in skipped:
        print(f'skipped {item.source}: {item.reason}')
    write_volumes(library, package / 'chemistry' / 'element_volumes.csv')
    # the data set marks the formulas of the CSPML test crystals; they are kept out of the training
    with gzip.open(structures, 'rt', encoding='utf-8') as handle:
        marked = {record['id'] for record in map(json.loads, handle) if record['formula_in_cspml90']}
    tested = frozenset(item.crystal.formula for item in library if item.id in marked)
    report: Progress = lambda step, done: print(f'{step}: {done:.0%}', flush=True)  # noqa: E731
    model = train_on(library, seed=SEED, cache=fingerprints, exclude_formulas=tested, progress=report)
    (models / 'shipped.npz').write_bytes(model.to_bytes())
    (models / 'shipped.json').write_text(json.dumps(model.record, indent=2, ensure_ascii=False) + '\n')


if __name__ == '__main__':
    main(Path(sys.argv[1]), Path(sys.argv[2]))
