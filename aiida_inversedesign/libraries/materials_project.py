"""Reads structures from the Materials Project through its own client (extra ``mp``).

A. Jain *et al.*, *APL Mater.* **1**, 011002 (2013); https://next-gen.materialsproject.org/about/terms.
"""

from __future__ import annotations

import importlib.util
import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Unpack

from aiida_inversedesign.libraries import entries
from aiida_inversedesign.libraries.collect import Filter, FilterOptions, Progress, collect
from aiida_inversedesign.libraries.documents import document_entry
from aiida_inversedesign.libraries.entries import Raw
from aiida_inversedesign.libraries.library import Library, Skipped
from aiida_inversedesign.libraries.remote import RemoteError

FIELDS = (
    'material_id', 'structure', 'energy_above_hull', 'formation_energy_per_atom', 'band_gap', 'symmetry', 'builder_meta'
)  # fmt: skip
#: entries of one request
PAGE = 500


def read_materials_project(
    elements: Sequence[str] = (),
    chemsys: str = '',
    limit: int | None = None,
    source: str = '',
    license: str = '',
    date: str = '',
    progress: Progress | None = None,
    endpoint: str | None = None,
    **options: Unpack[FilterOptions],
) -> tuple[Library, list[Skipped]]:
    """Read the summary documents that are not deprecated. The key is taken from the variable ``MP_API_KEY``.

    :param elements: elements that a structure must have, among others.
    :param chemsys: exactly these elements, joined by hyphens, e.g. ``Li-Fe-O``; ``*`` stands for any.
    :param limit: most entries that are read.
    :param source: default: the Materials Project with the version of its database.
    :param license: default: the licence that each entry carries.
    :param date: ISO date of the retrieval.
    :param endpoint: address of the service; default: the client's own.
    :param options: those of :class:`~aiida_inversedesign.libraries.collect.Filter`; the limits of the energy above the
        hull and of the number of sites are asked of the server.
    :raises RemoteError: if mp-api is not installed, there is no key, or the service does not answer.
    """
    wanted = Filter(**options)
    rester = _connect(endpoint)
    query: dict[str, Any] = {
        'deprecated': False,
        'all_fields': False,
        'fields': list(FIELDS),
        # pages of an unsorted query may overlap
        '_sort_fields': 'material_id',
    }
    if elements:
        query['elements'] = list(elements)
    if chemsys:
        query['chemsys'] = chemsys
    if wanted.max_e_above_hull is not None:
        query['energy_above_hull'] = (0.0, wanted.max_e_above_hull)
    if wanted.max_sites is not None:
        query['num_sites'] = (1, wanted.max_sites)
    with rester:
        default_source = f'Materials Project {rester.db_version}'.strip()
        records = _records(rester, query, limit, wanted, progress)
        return collect(records, wanted, source or default_source, license, date)


def _connect(endpoint: str | None) -> Any:
    # asked before it is imported, which takes seconds
    if importlib.util.find_spec('mp_api') is None:
        raise RemoteError('the Materials Project is read by mp-api: pip install "aiida-inversedesign[mp]"')
    key = os.environ.get('MP_API_KEY', '')
    if not key:
        raise RemoteError(
            'no key for the Materials Project: set MP_API_KEY to the key of your account at '
            'https://next-gen.materialsproject.org/api'
        )
    from mp_api.client import MPRester

    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        # the client raises its own errors, those of requests, and KeyError for answers of another form
        try:
            return MPRester(key, endpoint=endpoint, use_document_model=False, mute_progress_bars=True)
        except Exception as error:
            raise RemoteError(f'the Materials Project does not answer: {_short(error)}') from error


def _records(
    rester: Any, query: dict[str, Any], limit: int | None, wanted: Filter, progress: Progress | None
) -> Iterator[Raw]:
    page, number = 1, 0
    total: int | None = None
    while total is None or (number < total and number < (limit or total)):
        try:
            found = rester.materials.summary.search(num_chunks=1, chunk_size=PAGE, _page=page, **query)
        except Exception as error:
            raise RemoteError(f'the Materials Project does not answer: {_short(error)}') from error
        if not found:
            return
        for document in found:
            number += 1
            yield _raw(dict(document), number, wanted)
            if number == limit:
                return
        total = None if len(found) == PAGE else number
        page += 1
        if progress is not None:
            progress(number, None)


def _raw(document: Mapping[str, Any], number: int, wanted: Filter) -> Raw:
    if not document.get('material_id'):
        return entries.refused(f'entry {number}', entries.UNREADABLE, 'an entry without material_id')
    name = str(document['material_id'])
    # the id stands for the entry, and no other number is taken than those that were asked for
    wished = {key: document.get(key) for key in FIELDS if key != 'material_id'}
    found = document_entry({**wished, 'material_id': name}, name, name, wanted)
    return replace(found, where=found.name)


def _short(error: BaseException) -> str:
    return f'{type(error).__name__}: {error}'[:400]
