"""How the plane-wave cutoffs of the demo's pseudopotentials were chosen: volume and bulk modulus against cutoff.

Runs pw.x directly through ASE, without AiiDA, for diamond, cubic BN, silicon and cubic SiC::

    python examples/convergence.py --pseudo-dir /usr/share/espresso/pseudo --output convergence.json

Each material gets one equation of state (seven volumes) for each pair of cutoffs; the densest is the reference.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from ase.build import bulk
from ase.calculators.espresso import Espresso, EspressoProfile

from aiida_inversedesign.cli.setup_local import PSEUDOPOTENTIALS
from aiida_inversedesign.engines.common.eos import EosError, fit_birch_murnaghan

#: name → (ASE prototype, lattice constant in Å near the PBE minimum)
MATERIALS = {
    'C': ('diamond', 3.572),
    'BN': ('zincblende', 3.626),
    'Si': ('diamond', 5.469),
    'SiC': ('zincblende', 4.379),
}
#: pairs of wave-function cutoff (Ry) and ratio of density to wave-function cutoff; the first is the reference
CUTOFFS = [(80, 8), (30, 8), (35, 8), (40, 8), (45, 8), (50, 8), (35, 6), (40, 6), (45, 6), (35, 4), (40, 4), (45, 4)]
STRAINS = np.linspace(-0.06, 0.06, 7)


def single_point(name: str, strain: float, wfc: float, dual: float, arguments: argparse.Namespace) -> dict[str, float]:
    """Energy (eV/atom), volume (Å³/atom) and pressure (GPa) of one crystal at one volume."""
    prototype, constant = MATERIALS[name]
    atoms = bulk(name, prototype, constant * (1 + strain) ** (1 / 3))
    with tempfile.TemporaryDirectory() as folder:
        atoms.calc = Espresso(
            profile=EspressoProfile(command=arguments.pw, pseudo_dir=arguments.pseudo_dir),
            directory=folder,
            pseudopotentials={symbol: arguments.pseudos[symbol] for symbol in set(atoms.symbols)},
            input_data={
                'control': {'tstress': True},
                'system': {'ecutwfc': wfc, 'ecutrho': wfc * dual, 'occupations': 'fixed'},
                'electrons': {'conv_thr': 1e-9},
            },
            kpts=(arguments.mesh,) * 3,
        )
        start = time.perf_counter()
        energy = atoms.get_potential_energy() / len(atoms)
        seconds = time.perf_counter() - start
        pressure = -float(np.trace(atoms.get_stress(voigt=False))) / 3 * 160.21766
    return {'energy': energy, 'volume': atoms.get_volume() / len(atoms), 'pressure': pressure, 'seconds': seconds}


def main() -> None:
    """Run every material at every pair of cutoffs and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--pw', default='pw.x', help='command of pw.x')
    parser.add_argument('--pseudo-dir', default='/usr/share/espresso/pseudo')
    parser.add_argument('--pseudos', nargs='+', default=[], help='other files than the demo uses: B=B.upf N=N.upf')
    parser.add_argument('--cutoffs', nargs='+', help='wave-function cutoff in Ry and ratio of the density: 90:4')
    parser.add_argument('--mesh', type=int, default=4, help='k-points along each axis')
    parser.add_argument('--materials', nargs='+', default=list(MATERIALS))
    parser.add_argument('--jobs', type=int, default=1, help='pw.x at once')
    parser.add_argument('--output', type=Path, default=Path('convergence.json'))
    arguments = parser.parse_args()
    files = {symbol: pseudo.filename for symbol, pseudo in PSEUDOPOTENTIALS.items()}
    arguments.pseudos = files | dict(pair.split('=') for pair in arguments.pseudos)
    cutoffs = CUTOFFS
    if arguments.cutoffs:
        cutoffs = [(int(wfc), int(dual)) for wfc, dual in (pair.split(':') for pair in arguments.cutoffs)]
    os.environ.setdefault('OMP_NUM_THREADS', '1')

    rows = []
    print('material  wfc/Ry  rho/Ry   V/Å³/atom    ΔV/%    B/GPa    ΔB/%  ΔE/meV/atom   ΔP/GPa  s/point', flush=True)
    with ThreadPoolExecutor(arguments.jobs) as pool:
        for name in arguments.materials:
            reference = None
            for wfc, dual in cutoffs:
                points = list(pool.map(lambda x: single_point(name, x, wfc, dual, arguments), STRAINS))  # noqa: B023
                try:
                    fit = fit_birch_murnaghan([p['volume'] for p in points], [p['energy'] for p in points])
                except EosError as error:
                    print(f'{name:8s} {wfc:7d} {wfc * dual:7d} {error}', flush=True)
                    continue
                row = {
                    'material': name,
                    'cutoff_wfc': wfc,
                    'cutoff_rho': wfc * dual,
                    'volume': fit.volume,
                    'bulk_modulus': fit.bulk_modulus,
                    'energy': fit.energy,
                    'pressure': points[3]['pressure'],
                    'seconds': float(np.mean([p['seconds'] for p in points])),
                }
                reference = reference or row
                row['volume_error'] = 100 * (fit.volume / reference['volume'] - 1)
                row['bulk_modulus_error'] = 100 * (fit.bulk_modulus / reference['bulk_modulus'] - 1)
                rows.append(row)
                print(
                    f'{name:8s} {wfc:7d} {wfc * dual:7d} {fit.volume:11.4f} {row["volume_error"]:7.2f} '
                    f'{fit.bulk_modulus:8.1f} {row["bulk_modulus_error"]:7.2f} '
                    f'{1000 * (fit.energy - reference["energy"]):12.1f} {row["pressure"] - reference["pressure"]:8.2f} '
                    f'{row["seconds"]:8.2f}',
                    flush=True,
                )
    arguments.output.write_text(json.dumps(rows, indent=1))


if __name__ == '__main__':
    main()
