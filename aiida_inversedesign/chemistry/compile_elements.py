"""Compiles the element table that ships with the package: ``python -m aiida_inversedesign.chemistry.compile_elements``.

Needs the extra ``elements`` (mendeleev and matminer) and writes three files beside itself: ``elements.csv`` (96
elements × 58 features, complete), ``elements_columns.csv`` (unit, source and meaning of each feature) and
``elements_imputed.csv`` (every value that no source had and that was filled in). Volumes and radii are taken from
the sources unchanged. Missing values are the distance-weighted mean of the five nearest elements that have one,
in the z-scored space of the features both have (Troyanskaya et al., Bioinformatics 17, 520 (2001)).
"""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiida_inversedesign.chemistry.symbols import SYMBOLS

#: Elements H to Cm: the last ones for which Cordero covalent radii exist.
LAST = 96
#: Nearest elements that a gap is filled from: the default of scikit-learn's imputer.
NEIGHBOURS = 5
#: decimals are cut to this many significant digits, which is more than any source has
DIGITS = 8

#: name, source, the source's own name, unit, meaning
COLUMNS: tuple[tuple[str, str, str, str, str], ...] = (
    ('atomic_number', 'mendeleev', 'atomic_number', '', 'number of protons'),
    ('period', 'mendeleev', 'period', '', 'period of the periodic table'),
    ('group', 'pymatgen', 'group', '', 'group of the periodic table, f elements as group 3'),
    ('mendeleev_number', 'mendeleev', 'mendeleev_number', '', 'Mendeleev number'),
    ('pettifor_number', 'mendeleev', 'pettifor_number', '', 'Pettifor chemical scale, as a rank'),
    ('atomic_weight', 'mendeleev', 'atomic_weight', 'u', 'standard atomic weight'),
    ('atomic_radius', 'mendeleev', 'atomic_radius', 'pm', 'empirical atomic radius (Slater)'),
    ('atomic_radius_rahm', 'mendeleev', 'atomic_radius_rahm', 'pm', 'radius at an electron density of 0.001 e/bohr^3'),
    ('covalent_radius_cordero', 'mendeleev', 'covalent_radius_cordero', 'pm', 'covalent radius, Cordero 2008'),
    ('covalent_radius_pyykko', 'mendeleev', 'covalent_radius_pyykko', 'pm', 'single-bond radius, Pyykko 2009'),
    ('covalent_radius_pyykko_double', 'mendeleev', 'covalent_radius_pyykko_double', 'pm', 'double-bond radius'),
    ('covalent_radius_pyykko_triple', 'mendeleev', 'covalent_radius_pyykko_triple', 'pm', 'triple-bond radius'),
    ('miracle_radius', 'magpie', 'MiracleRadius', 'pm', 'radius of efficient packing in metallic glasses'),
    ('vdw_radius', 'mendeleev', 'vdw_radius', 'pm', 'van der Waals radius, CRC handbook'),
    ('vdw_radius_alvarez', 'mendeleev', 'vdw_radius_alvarez', 'pm', 'van der Waals radius, Alvarez 2013'),
    ('vdw_radius_uff', 'mendeleev', 'vdw_radius_uff', 'pm', 'van der Waals radius of the universal force field'),
    ('vdw_radius_mm3', 'mendeleev', 'vdw_radius_mm3', 'pm', 'van der Waals radius of the MM3 force field'),
    ('orbital_radius', 'magpie', 'ZungerPP-r_sigma', 'bohr', 'sum of the s and p pseudopotential radii, Zunger'),
    ('gs_volume', 'magpie', 'GSvolume_pa', 'Å^3/atom', 'volume of the T = 0 ground state (OQMD)'),
    ('icsd_volume', 'magpie', 'ICSDVolume', 'Å^3/atom', 'volume of the element in the ICSD'),
    ('gs_bcc_lattice', 'magpie', 'GSestBCClatcnt', 'Å', 'bcc lattice constant estimated from the ground state'),
    ('gs_fcc_lattice', 'magpie', 'GSestFCClatcnt', 'Å', 'fcc lattice constant estimated from the ground state'),
    ('molar_volume', 'magpie', 'MolarVolume', 'cm^3/mol', 'molar volume'),
    ('lattice_constant', 'mendeleev', 'lattice_constant', 'Å', 'lattice constant of the element'),
    ('density', 'mendeleev', 'density', 'g/cm^3', 'density at 295 K'),
    ('dipole_polarizability', 'mendeleev', 'dipole_polarizability', 'bohr^3', 'static dipole polarisability'),
    ('c6', 'mendeleev', 'c6_gb', 'hartree bohr^6', 'C6 dispersion coefficient, Gould and Bucko 2016'),
    ('en_pauling', 'mendeleev', 'en_pauling', '', 'Pauling electronegativity'),
    ('en_allen', 'mendeleev', 'en_allen', 'eV', 'Allen configuration energy'),
    ('en_ghosh', 'mendeleev', 'en_ghosh', '', 'Ghosh electronegativity'),
    ('electron_affinity', 'mendeleev', 'electron_affinity', 'eV', 'electron affinity'),
    ('ionization_energy_1', 'mendeleev', 'ionenergies.1', 'eV', 'first ionisation energy'),
    ('ionization_energy_2', 'mendeleev', 'ionenergies.2', 'eV', 'second ionisation energy'),
    ('ionization_energy_3', 'mendeleev', 'ionenergies.3', 'eV', 'third ionisation energy'),
    ('gs_energy', 'magpie', 'GSenergy_pa', 'eV/atom', 'DFT energy of the ground state (OQMD)'),
    ('gs_band_gap', 'magpie', 'GSbandgap', 'eV', 'DFT band gap of the ground state (OQMD)'),
    ('gs_magnetic_moment', 'magpie', 'GSmagmom', 'μB/atom', 'DFT magnetic moment of the ground state (OQMD)'),
    ('melting_point', 'magpie', 'MeltingT', 'K', 'melting temperature'),
    ('boiling_point', 'magpie', 'BoilingT', 'K', 'boiling temperature'),
    ('fusion_heat', 'magpie', 'FusionEnthalpy', 'kJ/mol', 'heat of fusion'),
    ('evaporation_heat', 'magpie', 'HeatVaporization', 'kJ/mol', 'heat of vaporisation'),
    ('heat_of_formation', 'mendeleev', 'heat_of_formation', 'kJ/mol', 'heat of formation of the gaseous atom'),
    ('heat_capacity', 'mendeleev', 'molar_heat_capacity', 'J/(mol K)', 'molar heat capacity'),
    ('thermal_conductivity', 'magpie', 'ThermalConductivity', 'W/(m K)', 'thermal conductivity'),
    ('bulk_modulus', 'magpie', 'BulkModulus', 'GPa', 'bulk modulus'),
    ('sound_velocity', 'pymatgen', 'velocity_of_sound', 'm/s', 'velocity of sound'),
    ('valence_electrons', 'magpie', 'NValence', '', 'number of valence electrons'),
    ('s_valence', 'magpie', 'NsValence', '', 'occupied valence s states'),
    ('p_valence', 'magpie', 'NpValence', '', 'occupied valence p states'),
    ('d_valence', 'magpie', 'NdValence', '', 'occupied valence d states'),
    ('f_valence', 'magpie', 'NfValence', '', 'occupied valence f states'),
    ('unfilled', 'magpie', 'NUnfilled', '', 'unfilled valence states'),
    ('s_unfilled', 'magpie', 'NsUnfilled', '', 'unfilled valence s states'),
    ('p_unfilled', 'magpie', 'NpUnfilled', '', 'unfilled valence p states'),
    ('d_unfilled', 'magpie', 'NdUnfilled', '', 'unfilled valence d states'),
    ('f_unfilled', 'magpie', 'NfUnfilled', '', 'unfilled valence f states'),
    ('hhi_production', 'magpie', 'HHIp', '', 'Herfindahl-Hirschman index of the production'),
    ('hhi_reserves', 'magpie', 'HHIr', '', 'Herfindahl-Hirschman index of the reserves'),
)


def number(value: Any) -> float:
    """The value as a finite number, or NaN where the source has none."""
    try:
        result = float(value)
    except (TypeError, ValueError):
        return math.nan
    return result if math.isfinite(result) else math.nan


def read_sources() -> NDArray[np.float64]:
    """The features as the sources have them, shape (96, 58), NaN where there is no value."""
    import matminer
    from mendeleev.mendeleev import element
    from pymatgen.core import Element

    magpie = Path(matminer.__file__).parent / 'utils' / 'data_files' / 'magpie_elementdata'
    table = np.full((LAST, len(COLUMNS)), np.nan)
    values: Sequence[Any]
    elements = [element(z) for z in range(1, LAST + 1)]
    for column, (_, source, name, _, _) in enumerate(COLUMNS):
        if source == 'magpie':
            values = (magpie / f'{name}.table').read_text().splitlines()[:LAST]
        elif source == 'pymatgen':
            values = [getattr(Element.from_Z(z), name) for z in range(1, LAST + 1)]
        elif name.startswith('ionenergies.'):
            values = [item.ionenergies.get(int(name[-1])) for item in elements]
        else:
            values = [getattr(item, name) for item in elements]
        table[: len(values), column] = [number(value) for value in values]
    return table


def impute(table: NDArray[np.float64]) -> NDArray[np.float64]:
    """The table, shape (elements, columns), NaN where unknown, without gaps; known values are kept as they are."""
    from sklearn.impute import KNNImputer

    empty = [COLUMNS[index][0] for index in np.flatnonzero(np.isnan(table).all(axis=0))]
    if empty:
        raise ValueError(f'no source has a value for {", ".join(empty)}: correct the column list')
    mean, std = np.nanmean(table, axis=0), np.nanstd(table, axis=0)
    filled = KNNImputer(n_neighbors=NEIGHBOURS, weights='distance').fit_transform((table - mean) / std)
    return np.where(np.isnan(table), filled * std + mean, table)


def write(folder: Path) -> None:
    """Compile the table and write the three files to ``folder``."""
    import importlib.metadata

    raw = read_sources()
    table = impute(raw)
    names = [column[0] for column in COLUMNS]
    versions = {
        'mendeleev': f'mendeleev {importlib.metadata.version("mendeleev")}',
        'magpie': f'Magpie element data in matminer {importlib.metadata.version("matminer")}',
        'pymatgen': f'pymatgen {importlib.metadata.version("pymatgen")}',
    }

    def save(name: str, rows: Sequence[Sequence[object]]) -> None:
        with (folder / name).open('w', newline='', encoding='utf-8') as handle:
            csv.writer(handle, lineterminator='\n').writerows(rows)

    save(
        'elements.csv',
        [['symbol', *names]] + [[SYMBOLS[z], *(f'{value:.{DIGITS}g}' for value in row)] for z, row in enumerate(table)],
    )
    save(
        'elements_columns.csv',
        [['column', 'unit', 'source', 'source_column', 'imputed', 'description']]
        + [
            [name, unit, versions[source], column, int(np.isnan(raw[:, index]).sum()), meaning]
            for index, (name, source, column, unit, meaning) in enumerate(COLUMNS)
        ],
    )
    save(
        'elements_imputed.csv',
        [['symbol', 'column']] + [[SYMBOLS[z], names[index]] for z, index in np.argwhere(np.isnan(raw))],
    )


if __name__ == '__main__':
    write(Path(__file__).parent)
