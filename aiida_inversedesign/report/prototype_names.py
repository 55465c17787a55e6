"""Common names of a few anonymous prototypes (Strukturbericht and minerals), by their label in this package."""

from __future__ import annotations

NAMES = {
    'A_cF4_225_a': 'face-centred cubic (A1)',
    'A_cI2_229_a': 'body-centred cubic (A2)',
    'A_hP2_194_c': 'hexagonal close packed (A3)',
    'A_cF8_227_a': 'diamond (A4)',
    'A_cP1_221_a': 'simple cubic',
    'AB_cF8_225_a_b': 'rock salt (B1)',
    'AB_cP2_221_a_b': 'caesium chloride (B2)',
    'AB_cF8_216_a_c': 'zincblende (B3)',
    'AB_hP4_186_b_b': 'wurtzite (B4)',
    'AB_hP2_187_a_d': 'tungsten carbide (Bₕ)',
    'AB_hP4_194_a_c': 'nickel arsenide (B8)',
    'AB2_cF12_225_a_c': 'fluorite (C1)',
    'AB2_tP6_136_a_f': 'rutile (C4)',
    'ABC3_cP5_221_a_b_c': 'cubic perovskite (E2)',
    'AB3_hP8_194_c_h': 'Ni₃Sn (D0₁₉)',
    'AB3_cP4_221_a_c': 'Cu₃Au (L1₂)',
}


def prototype_text(label: str) -> str:
    """A label with its common name where it has one."""
    return f'{label} – {NAMES[label]}' if label in NAMES else label
