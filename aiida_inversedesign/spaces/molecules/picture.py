"""Structural formulas of molecules as SVG, drawn by RDKit."""

from __future__ import annotations

import re
from typing import Any

from aiida_inversedesign.spaces.molecules.molecule import Molecule

#: Size of the drawing in pixels; a viewer scales it.
WIDTH, HEIGHT = 320, 220


def structural_formula(molecule: Molecule) -> str:
    """The SVG element of a molecule: paths, no text, no script and no style; the background is transparent."""
    from rdkit.Chem.Draw import rdMolDraw2D

    drawer = rdMolDraw2D.MolDraw2DSVG(WIDTH, HEIGHT)
    options: Any = drawer.drawOptions()
    options.clearBackground = False
    options.padding = 0.06
    rdMolDraw2D.PrepareAndDrawMolecule(drawer, molecule.mol)
    drawer.FinishDrawing()
    text = drawer.GetDrawingText()
    inner = text[text.index('>', text.index('<svg')) + 1 : text.rindex('</svg>')]
    # a page forbids inline styles: as attributes they draw the same
    inner = re.sub(r"style='([^']*)'", _attributes, re.sub(r'<!--.*?-->', '', inner, flags=re.S))
    inner = re.sub(r" class='[^']*'", '', inner)
    return (
        f'<svg class="molecule" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">'
        f'{inner.strip()}</svg>'
    )


def _attributes(match: re.Match[str]) -> str:
    """The properties of a style as attributes."""
    pairs = (item.partition(':') for item in match[1].split(';') if ':' in item)
    return ' '.join(f"{name.strip()}='{value.strip()}'" for name, _, value in pairs)
