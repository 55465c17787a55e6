"""Which publications a campaign has to cite: those of the methods and codes that it used, and no others."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import resources
from typing import Any

from aiida_inversedesign.campaign.contracts import registry
from aiida_inversedesign.campaign.contracts.engine import find, installed
from aiida_inversedesign.campaign.contracts.space import SpaceSection
from aiida_inversedesign.paper.facts import Facts

#: Publications behind the initial design, each generator and each source of data.
INITIAL = ('maximin1985',)
GENERATORS = {
    'inverse_kmd': ('kmd2023',),
    'evolution': ('substitution2011',),
    'tree_search': ('treesearch2017',),
    'gradient': ('kmd2023',),
}
_SOURCES = {
    'aflow': ('aflow2017',),
    'materials project': ('materialsproject2013',),
    'optimade': ('optimade2021',),
}
_ENTRY = re.compile(r'\s*@\w+\{([^,\s]+),')


def cited(facts: Facts) -> list[str]:
    """Keys of the publications, in the order in which the methods paragraph needs them."""
    record = facts.record
    keys = ['aiidainversedesign', 'aiida2020', 'aiidaengine2021']
    keys += of_sources(record.library.sources if record.library else ())
    keys += of_sources(model_sources(record.model))
    for name in facts.generators:
        keys += GENERATORS.get(name, ())
    for name in dict.fromkeys((*facts.proposers, *record.settings.propose.shares)):
        keys += of_source(name, record.space)[1]
    for name in facts.acquisitions:
        keys += INITIAL if name == 'spread' else of_part('acquisitions', name)
    for name in (*facts.models, *facts.competitors):
        keys += of_part('surrogates', name)
    if record.settings.screen.potential:
        keys += of_part('potentials', record.settings.screen.potential)
    keys += _of_engine(facts)
    keys += ['pymatgen2013', 'spglib2024'] if record.space.of_crystals else []
    keys.append('wilson1927')
    return list(dict.fromkeys(keys))


def words_of(station: registry.Station, name: str) -> str:
    """What a part is in words: its name where it is not installed."""
    return str(getattr(_installed(station, name), 'words', '') or name)


def of_part(station: registry.Station, name: str) -> list[str]:
    """Publications behind a part: none where it is not installed, and only those of which there is an entry."""
    return _with_entry(getattr(_installed(station, name), 'citations', ()))


def of_source(name: str, space: SpaceSection) -> tuple[str, list[str]]:
    """How a source proposes candidates of a space, in words, and the publications behind that."""
    source = _installed('sources', name)
    if source is None:
        return name, []
    words, keys = source.account(space)
    return words, _with_entry(keys)


def _with_entry(citations: Iterable[str]) -> list[str]:
    known = entries()
    return [key for item in citations if (key := _key(item)) in known]


def _installed(station: registry.Station, name: str) -> Any:
    try:
        return registry.part(station, name)
    except registry.PartError:
        return None


def _key(citation: str) -> str:
    """The key of a BibTeX entry that a part brings, or the key itself."""
    return match.group(1) if (match := _ENTRY.match(citation)) else citation


def of_sources(names: Iterable[str]) -> list[str]:
    """Publications behind the sources of a library."""
    text = ' '.join(names).lower()
    return [key for name, keys in _SOURCES.items() if name in text for key in keys]


def model_sources(model: Mapping[str, Any] | None) -> list[str]:
    """Names of the sources that a proposal model was trained on."""
    return list((((model or {}).get('record') or {}).get('library') or {}).get('sources') or ())


def _of_engine(facts: Facts) -> list[str]:
    engine = find(facts.record.engine)
    return list(registry.load(engine.citations)(facts)) if engine is not None and engine.citations else []


def entries() -> dict[str, str]:
    """Every BibTeX entry by its key: those that installed parts bring, and ``references.bib``."""
    stations: tuple[registry.Station, ...] = ('sources', 'surrogates', 'acquisitions')
    parts = [part for station in stations for part in registry.parts(station).values()]
    brought = [text for part in parts for text in getattr(part, 'citations', ())]
    brought += [text for engine in installed().values() if engine.bibtex for text in registry.load(engine.bibtex)()]
    return {**{_key(text): text.strip() for text in brought if _ENTRY.match(text)}, **_references()}


@cache
def _references() -> dict[str, str]:
    text = (resources.files(__package__) / 'references.bib').read_text(encoding='utf-8')
    found = re.split(r'^(?=@)', text, flags=re.MULTILINE)
    return {match.group(1): item.strip() for item in found if (match := _ENTRY.match(item))}


def bibliography(keys: list[str]) -> str:
    """A BibTeX file of these publications."""
    return '\n\n'.join(entries()[key] for key in keys) + '\n'


def field_of(key: str, name: str) -> str:
    """One field of an entry as plain text; empty if it has none."""
    match = re.search(rf'^\s*{name}\s*=\s*\{{(.*)\}},?\s*$', entries()[key], flags=re.MULTILINE)
    return _plain(match.group(1)) if match else ''


_ACCENTS = {'"': '\u0308', "'": '\u0301', '`': '\u0300', '~': '\u0303', 'v': '\u030c', 'c': '\u0327'}


def _plain(text: str) -> str:
    """LaTeX of a BibTeX field as plain text."""
    import unicodedata

    text = re.sub(r'\\url\{([^}]*)\}', r'\1', text).replace(r'\%', '%')
    text = re.sub(r'\{\\(["\'`~vc])\{?(\w)\}?\}', lambda found: found.group(2) + _ACCENTS[found.group(1)], text)
    text = (
        text.replace(r'{\o}', 'ø').replace(r'{\AA}', 'Å').replace(r'{\l}', 'ł').replace('---', '—').replace('--', '–')
    )
    return unicodedata.normalize('NFC', text.replace('{', '').replace('}', ''))


def sentence(key: str) -> str:
    """A publication as one line: authors, title, where, DOI."""
    people = [' '.join(reversed(name.split(', '))) for name in field_of(key, 'author').split(' and ')]
    shown = (
        f'{people[0]} et al.' if len(people) > 3 else ' and '.join(filter(None, (', '.join(people[:-1]), people[-1])))
    )
    index = field_of(key, 'journal') or field_of(key, 'booktitle') or field_of(key, 'howpublished')
    where = ' '.join(filter(None, (index, field_of(key, 'volume'))))
    pages, year, doi = (field_of(key, name) for name in ('pages', 'year', 'doi'))
    line = f'{shown}: {field_of(key, "title")}. {where}'
    line += f', {pages}' if pages else ''
    line += f' ({year})' if year else ''
    return line + (f'. https://doi.org/{doi}' if doi else '')
