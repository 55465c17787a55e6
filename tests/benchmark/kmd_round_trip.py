"""Error of the inverse of kernel mean descriptors: ``python tests/benchmark/kmd_round_trip.py --formulas 1000``.

Describes known formulas (``INVERSEDESIGN_SHARED``, or the folder ``shared`` beside the checkout), inverts the
descriptors, and prints the largest error of an atomic fraction, the largest residual, how many formulas come back
exactly after rounding, and the time. Then the same for a campaign's elements, and the refusal of a descriptor of few
features.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import time
from pathlib import Path

import numpy as np

from aiida_inversedesign.chemistry.formulas import parse_formula
from aiida_inversedesign.chemistry.kmd.decoding import nearest_formulas
from aiida_inversedesign.chemistry.kmd.inverse import Inverse
from aiida_inversedesign.chemistry.kmd.kernel import KmdError, atomic_fractions, kernel_mean

#: descriptors: kind and grid points
DESCRIPTORS = (('1d', 2), ('1d', 5), ('1d', 10), ('1d', 30), ('md', 10))
#: elements of a campaign, for the restricted inverse
FEW = ('Li', 'Na', 'K', 'Mg', 'Ca', 'Al', 'Si', 'Ti', 'O', 'S', 'F', 'Cl')


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--formulas', type=int, default=1000, help='how many are drawn')
    parser.add_argument('--seed', type=int, default=0)
    options = parser.parse_args()
    shared = Path(os.environ.get('INVERSEDESIGN_SHARED', Path(__file__).resolve().parents[3] / 'shared')) / 'data'
    with gzip.open(shared / 'mp_structures.jsonl.gz', 'rt') as file:
        known = sorted({json.loads(line)['formula'] for line in file})
    chosen = [known[row] for row in np.random.default_rng(options.seed).permutation(len(known))[: options.formulas]]
    few = [formula for formula in known if set(parse_formula(formula)) <= set(FEW)]
    heads = ('columns', 'condition', 'max |Δw|', 'max residual', 'exact', 'ms each')
    print(f'{"":22}' + ''.join(f'{head:>14}' for head in heads))
    for kind, grid in DESCRIPTORS:
        _report(f'{kind}, {"-" if kind == "md" else grid}, all elements', kind, grid, chosen, None)
    _report(f'1d, 10, {len(FEW)} elements', '1d', 10, few, FEW)
    print(f'n = {len(chosen)} formulas of all elements, {len(few)} of {len(FEW)}')
    try:
        Inverse(kernel_mean('1d', 10, ['en_pauling', 'covalent_radius_cordero']))
    except KmdError as error:
        print(f'refused: {error}')


def _report(name: str, kind: str, grid: int, formulas: list[str], elements: tuple[str, ...] | None) -> None:
    descriptor = kernel_mean('md' if kind == 'md' else '1d', grid)
    inverse = Inverse(descriptor, elements)
    points, wanted = descriptor.describe(formulas), atomic_fractions(formulas)
    started = time.process_time()
    found = inverse.weights(points)
    spent = 1000 * (time.process_time() - started) / len(formulas)
    # formulas of more elements or atoms than these cannot come back by rounding
    counts = [parse_formula(formula) for formula in formulas]
    exact = sum(
        nearest_formulas(inverse, point, most=len(item), largest=sum(item.values()))[0].counts == item
        for point, item in zip(points, counts, strict=True)
    )
    figures = (
        f'{descriptor.kernel.shape[1]:>14}',
        f'{np.linalg.cond(descriptor.kernel):>14.1f}',
        f'{np.abs(found - wanted).max():>14.1e}',
        f'{inverse.residuals(found, points).max():>14.1e}',
        f'{exact:>8}/{len(formulas):<5}',
        f'{spent:>14.2f}',
    )
    print(f'{name:22}' + ''.join(figures), flush=True)


if __name__ == '__main__':
    main()
