"""Formulas in library files: real ones with brackets are read, what is none is refused."""

from __future__ import annotations

import io

import numpy as np
import pytest

from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.libraries.library import Library, LibraryError, Template


def content() -> bytes:
    """A library of Al(CoSi)2 and Ca(NO3)2 in cells made up."""
    species = (('Al', 'Co', 'Co', 'Si', 'Si'), ('Ca', 'N', 'N', *'OOOOOO'))
    crystals = [Crystal(np.eye(3) * 6, own, np.linspace(0, 0.9, 3 * len(own)).reshape(-1, 3)) for own in species]
    assert [crystal.formula for crystal in crystals] == ['Al(CoSi)2', 'Ca(NO3)2']
    return Library(
        Template(f'made-{place}', crystal, 'made up', 'CC0') for place, crystal in enumerate(crystals)
    ).to_bytes()


def test_brackets() -> None:
    assert [template.crystal.formula for template in Library.from_bytes(content())] == ['Al(CoSi)2', 'Ca(NO3)2']


@pytest.mark.parametrize('formula', ['', '<b>Al</b>', 'Al; rm', '../Al', 'Al\nCo'])
def test_what_is_no_formula(formula: str) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pq.ParquetFile(io.BytesIO(content())).read()
    place = table.column_names.index('formula')
    table = table.set_column(place, 'formula', pa.array([formula, 'Ca(NO3)2'], table.schema.field('formula').type))
    stream = io.BytesIO()
    pq.write_table(table, stream)
    with pytest.raises(LibraryError, match='column formula'):
        Library.from_bytes(stream.getvalue())
