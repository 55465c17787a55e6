"""Elements whose atoms may carry a magnetic moment in a crystal. Imports no aiida."""

from __future__ import annotations

from collections.abc import Iterable

#: 3d elements that the Materials Project starts with a large moment (pymatgen's ``MPRelaxSet`` and
#: ``default_magmoms.yaml``; Horton et al., npj Comput. Mater. 5, 64 (2019)), and the elements with an open 4f or 5f
#: shell, whose ions have the moments of Hund's rules (Jensen and Mackintosh, Rare Earth Magnetism (1991), table 1.4;
#: Moore and van der Laan, Rev. Mod. Phys. 81, 235 (2009)). 4d and 5d elements are left out: few of their crystals are
#: magnetic, and weakly.
MAGNETIC = (
    *('V', 'Cr', 'Mn', 'Fe', 'Co', 'Ni'),
    *('Ce', 'Pr', 'Nd', 'Pm', 'Sm', 'Eu', 'Gd', 'Tb', 'Dy', 'Ho', 'Er', 'Tm', 'Yb'),
    *('U', 'Np', 'Pu', 'Am', 'Cm', 'Bk', 'Cf'),
)


def magnetic_elements(elements: Iterable[str]) -> list[str]:
    """Those of some elements that may be magnetic, in the order of their atomic numbers."""
    given = set(elements)
    return [symbol for symbol in MAGNETIC if symbol in given]
