"""Reads structures from any provider of the OPTIMADE API (specification 1.0 to 1.2).

C. W. Andersen *et al.*, *Sci. Data* **8**, 217 (2021).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Unpack
from urllib.parse import urljoin, urlsplit

from aiida_inversedesign.libraries import entries
from aiida_inversedesign.libraries.collect import Filter, FilterOptions, Progress, collect
from aiida_inversedesign.libraries.entries import Raw
from aiida_inversedesign.libraries.library import Library, Skipped
from aiida_inversedesign.libraries.optimade_structures import crystal_of_attributes
from aiida_inversedesign.libraries.remote import Client, RemoteError

#: Structures of one request, by judgement: a page stays far below the limit on its bytes.
PAGE = 100
FIELDS = (
    'lattice_vectors', 'cartesian_site_positions', 'species', 'species_at_sites', 'nsites', 'dimension_types',
    'structure_features', 'immutable_id', 'assemblies', 'nelements', 'chemical_formula_reduced',
)  # fmt: skip
#: where providers, by their prefix, keep the energy above the hull in eV/atom; another field is named by ``hull_field``
HULL_FIELDS = {
    'oqmd': '_oqmd_stability',
    'alexandria': '_alexandria_hull_distance',
    'jarvis': '_jarvis_ehull',
    'gnome': '_gnome_hull_distance',
    'mp': '_mp_stability',
}
#: the Materials Project gives one by functional; the first that is there counts
FUNCTIONALS = ('gga_gga+u_r2scan', 'gga_gga+u', 'r2scan')


def read_optimade(
    url: str,
    filter: str = '',
    elements: Sequence[str] = (),
    chemsys: str = '',
    hull_field: str = '',
    limit: int | None = None,
    source: str = '',
    license: str = '',
    date: str = '',
    progress: Progress | None = None,
    client: Client | None = None,
    **options: Unpack[FilterOptions],
) -> tuple[Library, list[Skipped]]:
    """Read the structures of a provider, page by page.

    :param url: base address, with or without the version, e.g. ``https://example.org/optimade``.
    :param filter: in OPTIMADE's filter language, e.g. ``nelements=2 AND elements HAS "O"``.
    :param elements: elements that a structure must have, among others.
    :param chemsys: exactly these elements, joined by hyphens, e.g. ``Li-Fe-O``.
    :param hull_field: the provider's field with the energy above the hull in eV/atom, e.g. ``_oqmd_stability``.
    :param limit: most entries that are read.
    :param source: default: the provider's name and address.
    :param license: default: what the provider states.
    :param date: ISO date of the retrieval.
    :param options: those of :class:`~aiida_inversedesign.libraries.collect.Filter`.
    :raises RemoteError: if the server does not answer, or is not an OPTIMADE provider, or refuses the filter.
    """
    wanted = Filter(**options)
    with client or Client() as session:
        base, info = _find(session, url)
        prefix, name = _provider(info)
        field = hull_field or HULL_FIELDS.get(prefix, '')
        fields = [*FIELDS, *([field] if field else [])]
        params = {'response_fields': ','.join(fields), 'page_limit': str(min(PAGE, limit or PAGE))}
        # the Materials Project's is nested, and cannot be asked for in a filter
        asked = field if field and field != HULL_FIELDS['mp'] else ''
        if query := _filter(filter, elements, chemsys, asked, wanted.max_e_above_hull):
            params['filter'] = query
        records = _records(session, base, params, limit, wanted, field, progress)
        default_source = f'{name} ({base})' if name else base
        return collect(records, wanted, source or default_source, license or _license(info), date)


def _filter(text: str, elements: Sequence[str], chemsys: str, hull_field: str, most: float | None) -> str:
    parts = [f'({text})'] if text.strip() else []
    system = [symbol for symbol in chemsys.split('-') if symbol]
    for symbols in (list(elements), system):
        if symbols:
            parts.append('elements HAS ALL ' + ','.join(f'"{symbol}"' for symbol in symbols))
    if system:
        parts.append(f'nelements={len(set(system))}')
    if hull_field and most is not None:
        parts.append(f'{hull_field}<={most:g}')
    return ' AND '.join(parts)


def _find(session: Client, url: str) -> tuple[str, dict[str, Any]]:
    """The versioned base address and what it says of itself."""
    base = url.split('?')[0].rstrip('/').removesuffix('/structures').removesuffix('/info').rstrip('/')
    versioned = re.search(r'/v\d+(\.\d+){0,2}$', base) is not None
    failures = []
    for address in [base] if versioned else [f'{base}/v1', base]:
        try:
            return address, session.get(f'{address}/info')
        except RemoteError as error:
            # another address is tried only where this one does not exist: a server that is down is down for both
            if error.status not in (200, 400, 404, 410, 422, 553):
                raise
            failures.append(str(error))
    raise RemoteError(f'{url}: no OPTIMADE provider answers there. {failures[0]}', 404)


def _records(
    session: Client,
    base: str,
    params: dict[str, str],
    limit: int | None,
    wanted: Filter,
    hull_field: str,
    progress: Progress | None,
) -> Iterator[Raw]:
    address: str | None = f'{base}/structures'
    first: dict[str, str] | None = params
    seen: set[str] = set()
    number = 0
    while address is not None:
        if address in seen:
            raise RemoteError(f'{address}: the server gives this page as its own next one')
        seen.add(address)
        page = _page(session, address, first)
        if not isinstance(page.get('data'), list):
            raise RemoteError(f'{address}: no list "data" in the answer, so this is not a list of OPTIMADE structures')
        meta = page.get('meta')
        total: Any = meta.get('data_returned') if isinstance(meta, dict) else None
        for entry in page['data']:
            number += 1
            yield _raw(entry, base, number, wanted, hull_field)
            if number == limit:
                return
        if progress is not None:
            known = isinstance(total, int) and total > 0
            progress(number, min(number / min(int(total), limit or int(total)), 1.0) if known else None)
        # an empty page with a next one would be a way to keep a client forever
        address, first = (_next(page, address) if page['data'] else None), None


def _page(session: Client, address: str, params: dict[str, str] | None) -> dict[str, Any]:
    try:
        return session.get(address, params)
    except RemoteError as error:
        # what the specification has a server say to a page that is larger than its own
        if error.status != 403 or not params or 'page_limit' not in params:
            raise
        return session.get(address, {key: value for key, value in params.items() if key != 'page_limit'})


def _next(page: Mapping[str, Any], current: str) -> str | None:
    links = page.get('links')
    found = links.get('next') if isinstance(links, dict) else None
    if isinstance(found, dict):
        found = found.get('href')
    if not found:
        return None
    address = urljoin(current, str(found))
    there, here = (urlsplit(item).hostname or '' for item in (address, current))
    if there != here and not there.endswith(f'.{here}') and not here.endswith(f'.{there}'):
        raise RemoteError(f'{current}: the next page is on another host ({there}): not followed')
    return address


def _raw(entry: Any, base: str, number: int, wanted: Filter, hull_field: str) -> Raw:
    where = f'{base}/structures, entry {number}'
    attributes = entry.get('attributes') if isinstance(entry, dict) else None
    if not isinstance(attributes, dict):
        return entries.refused(where, entries.UNREADABLE, 'an entry without attributes')
    # an id is mandatory, but some servers are set up without
    name = str(entry.get('id') or attributes.get('immutable_id') or f'{urlsplit(base).hostname}:{number}')
    hull = attributes.get(hull_field) if hull_field else None
    if isinstance(hull, dict):
        by_functional = (hull.get(functional) for functional in FUNCTIONALS)
        hull = next((item.get('energy_above_hull') for item in by_functional if isinstance(item, dict)), None)
    notes = wanted.notes()
    return Raw(
        f'{base}/structures/{name}',
        name,
        partial(crystal_of_attributes, attributes, wanted.largest_cell, notes),
        {} if hull is None else {'e_above_hull': hull},
        notes=notes,
    )


def _provider(info: Mapping[str, Any]) -> tuple[str, str]:
    """Prefix and name of the provider, as far as it tells them."""
    meta = info.get('meta')
    provider = meta.get('provider') if isinstance(meta, dict) else None
    if not isinstance(provider, dict):
        return '', ''
    return str(provider.get('prefix') or ''), str(provider.get('name') or '')[:100]


def _license(info: Mapping[str, Any]) -> str:
    """What the provider states (since OPTIMADE 1.2): SPDX names, or a link."""
    data = info.get('data')
    stated = data.get('attributes') if isinstance(data, dict) else None
    if not isinstance(stated, dict):
        return ''
    names = stated.get('available_licenses') or stated.get('available_licenses_for_entries')
    if isinstance(names, list) and names:
        return ', '.join(str(name) for name in names)[:200]
    link = stated.get('license')
    return str(link.get('href', '') if isinstance(link, dict) else link or '')[:200]
