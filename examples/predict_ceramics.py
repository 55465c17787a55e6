"""Predict ceramics from templates: CaCO3, LiFePO4, and the tritium breeders Li2BeSiO4 and Li2BeGeO4.

Writes the predicted crystals as CIF files, each with its lineage in comments, and a summary table (CSV and screen).
Needs no AiiDA profile::

    python examples/predict_ceramics.py --library mp.parquet --exclude-own --output ceramics/

A library file is Parquet (``Library.to_bytes``) or jsonl, one structure a line. Without one the AFLOW prototypes are
used, which have no template for some of the formulas. ``--exclude-own`` leaves the formulas' own
entries out of the templates: what the method would say if nobody had made them yet.
"""

import argparse
import csv
import json
from pathlib import Path

from aiida_inversedesign.campaign.candidate import Candidate
from aiida_inversedesign.chemistry.formulas import parse_formula, reduced_formula
from aiida_inversedesign.libraries.importers import read_jsonl
from aiida_inversedesign.libraries.library import Library, aflow_library
from aiida_inversedesign.propose.next_candidates import propose_next, settings_of_a_proposal
from aiida_inversedesign.propose.proposal_model import load_model

FORMULAS = ('CaCO3', 'LiFePO4', 'Li2BeSiO4', 'Li2BeGeO4')
COLUMNS = (
    'formula', 'rank', 'probability', 'template', 'template_formula', 'template_e_above_hull', 'spacegroup',
    'dissimilarity', 'volume', 'volume_error', 'accepted', 'reason', 'cif',
)  # fmt: skip


def read_library(path: Path | None) -> Library:
    """The library of a Parquet or jsonl file; without one, the AFLOW prototypes."""
    if path is None:
        return aflow_library()
    return Library.from_bytes(path.read_bytes()) if path.suffix == '.parquet' else read_jsonl(path)[0]


def lineage(candidate: Candidate) -> str:
    """How the candidate came about, as comments of a CIF: every number that the proposal recorded."""
    record = {name: value for name, value in candidate.to_dict().items() if name != 'content' and value is not None}
    return '\n'.join(f'# {name}: {json.dumps(value, ensure_ascii=True)}' for name, value in record.items())


def spacegroup(candidate: Candidate) -> str:
    """Symbol of the predicted crystal's space group (0.1 Å)."""
    return candidate.content.to_pymatgen().get_space_group_info(symprec=0.1)[0]


def summary(candidate: Candidate, folder: Path) -> dict[str, object]:
    """One row of the table; writes the CIF of an accepted candidate."""
    row = {name: getattr(candidate, name, '') for name in COLUMNS} | {'formula': candidate.key}
    rejected = candidate.rejected_by
    row['reason'] = candidate.verdicts[rejected].reason if rejected else ''
    if candidate.content is not None:
        row['spacegroup'] = spacegroup(candidate)
    if candidate.accepted:
        path = folder / f'{candidate.key}_{candidate.rank:02d}.cif'
        cif = candidate.content.to_pymatgen().to(fmt='cif')
        path.write_text(f'{lineage(candidate)}\n{cif}', encoding='utf-8')
        row['cif'] = path.name
    return row


def shown(value: object) -> str:
    """A cell of the table on the screen."""
    return '–' if value in (None, '') else f'{value:.3g}' if isinstance(value, float) else str(value)


def main() -> None:
    """Predict, write, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('formulas', nargs='*', default=FORMULAS, help='default: ' + ', '.join(FORMULAS))
    parser.add_argument('--library', type=Path, help='.parquet or .jsonl[.gz]; default: AFLOW prototypes')
    parser.add_argument('--model', type=Path, help='npz file of a trained model; default: the one of the package')
    parser.add_argument('--exclude-own', action='store_true', help="leave the formulas' own entries out")
    parser.add_argument('--top', type=int, default=5, help='templates of each formula')
    parser.add_argument('--output', type=Path, default=Path('ceramics'), help='folder for the files')
    options = parser.parse_args()

    formulas = [reduced_formula(parse_formula(formula)) for formula in options.formulas]
    candidates = propose_next(
        settings_of_a_proposal(
            {'formulas': formulas, 'charge_neutral': 'off', 'max_sites': 100, 'max_formulas': len(formulas)},
            {'top_k': options.top},
        ),
        read_library(options.library),
        load_model(options.model.read_bytes()) if options.model else None,
        generation=1,
        exclude=formulas if options.exclude_own else (),
    )
    options.output.mkdir(parents=True, exist_ok=True)
    rows = [summary(candidate, options.output) for candidate in candidates]
    with (options.output / 'summary.csv').open('w', newline='', encoding='utf-8') as handle:
        writer = csv.DictWriter(handle, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    columns = ('formula', 'rank', 'probability', 'template_formula', 'spacegroup', 'volume', 'reason')
    for row in ({name: name for name in columns}, *rows):
        print('  '.join(f'{shown(row[name]):<16}' for name in columns).rstrip())
    print(f'{sum(bool(row["cif"]) for row in rows)} CIF files and summary.csv in {options.output}')


if __name__ == '__main__':
    main()
