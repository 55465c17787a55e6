"""Which publications a campaign has to cite: those of the methods and codes that it used, and no others."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import resources
from typing import Any

from aiida_inversedesign.paper.facts import Facts

#: Publications behind each model of the surrogate, each acquisition, each generator and each source.
MODELS = {
    'gp': ('botorch2020',),
    'forest': ('scikitlearn2011', 'randomforest2001'),
    'bootstrap': ('scikitlearn2011', 'bootstrapego2016'),
    'transfer': ('scikitlearn2011', 'botorch2020'),
    'multitask': ('botorch2020', 'multitaskgp2007'),
    'hurdle': ('hurdle1971',),
    'mixture': ('botorch2020', 'scikitlearn2011', 'randomforest2001'),
}
ACQUISITIONS = {
    'spread': ('maximin1985',),
    'log_ei': ('logei2023', 'ego1998'),
    'qlog_ei': ('logei2023', 'ego1998'),
    'ucb': ('ucb2010',),
    'pi': ('spacier2025', 'activesearch2012'),
    'thompson': ('thompson1933',),
    'knowledge_gradient': ('knowledgegradient2009',),
    'spacier': ('spacier2025',),
    'ego': ('bootstrapego2016', 'ego1998'),
    'log_ehvi': ('ehvi2019',),
    'log_nehvi': ('ehvi2019', 'botorch2020'),
}
GENERATORS = {
    'inverse_kmd': ('kmd2023',),
    'evolution': ('substitution2011',),
    'tree_search': ('treesearch2017',),
}
PROPOSERS = {
    'cspml': ('cspml2022', 'shotguncsp2024', 'settransformer2019', 'fingerprints2020'),
}
_SOURCES = {
    'aflow': ('aflow2017',),
    'materials project': ('materialsproject2013',),
    'optimade': ('optimade2021',),
}
_FAMILIES = {
    'pseudodojo': ('pseudodojo2018', 'oncv2013', 'aiidapseudo'),
    'sssp': ('sssp2018', 'aiidapseudo'),
}
_SMEARINGS = ('cold', 'marzari-vanderbilt', 'm-v', 'mv')


def cited(facts: Facts) -> list[str]:
    """Keys of the publications, in the order in which the methods paragraph needs them."""
    record = facts.record
    keys = ['aiidainversedesign', 'aiida2020', 'aiidaengine2021']
    keys += of_sources(record.library.sources if record.library else ())
    keys += of_sources(model_sources(record.model))
    for table, names in (
        (GENERATORS, facts.generators),
        (PROPOSERS, facts.proposers),
        (ACQUISITIONS, facts.acquisitions),
        (MODELS, facts.models),
    ):
        for name in names:
            keys += table.get(name, ())
    if record.settings.learn.surrogate == 'auto' and facts.models:
        # with `auto` Gaussian processes and forests compete, whichever wins
        keys += (*MODELS['gp'], *MODELS['forest'])
    keys += _of_engine(facts)
    keys += ['pymatgen2013', 'spglib2024', 'wilson1927']
    return list(dict.fromkeys(keys))


def of_sources(names: Iterable[str]) -> list[str]:
    """Publications behind the sources of a library."""
    text = ' '.join(names).lower()
    return [key for name, keys in _SOURCES.items() if name in text for key in keys]


def model_sources(model: Mapping[str, Any] | None) -> list[str]:
    """Names of the sources that a proposal model was trained on."""
    return list((((model or {}).get('record') or {}).get('library') or {}).get('sources') or ())


def _of_engine(facts: Facts) -> list[str]:
    keys: list[str] = []
    if facts.used_dft:
        keys += ['qe2009', 'qe2017', 'qe2020', 'aiidaquantumespresso']
        keys += {'PBE': ['pbe1996'], 'PBEsol': ['pbesol2008']}.get(facts.functional, [])
        family = str(facts.section.get('pseudos', '')).lower()
        for name, entries in _FAMILIES.items():
            if name in family:
                keys += entries
        if any(str(item['smearing']).lower() in _SMEARINGS for item in facts.parameters):
            keys.append('coldsmearing1999')
    if facts.record.engine == 'ase' or facts.section.get('prerelax'):
        keys.append('ase2017')
    if any('bulk_modulus' in item.properties for item in facts.record.evaluations) and facts.record.engine != 'table':
        keys.append('birch1947')
    return keys


@cache
def entries() -> dict[str, str]:
    """Every BibTeX entry of ``references.bib`` by its key."""
    text = (resources.files(__package__) / 'references.bib').read_text(encoding='utf-8')
    found = re.split(r'^(?=@)', text, flags=re.MULTILINE)
    return {match.group(1): item.strip() for item in found if (match := re.match(r'@\w+\{([^,\s]+),', item))}


def bibliography(keys: list[str]) -> str:
    """A BibTeX file of these publications."""
    return '\n\n'.join(entries()[key] for key in keys) + '\n'


def field_of(key: str, name: str) -> str:
    """One field of an entry as plain text; empty if it has none."""
    match = re.search(rf'^\s*{name}\s*=\s*\{{(.*)\}},?\s*$', entries()[key], flags=re.MULTILINE)
    return _plain(match.group(1)) if match else ''


_ACCENTS = {'"': '\u0308', "'": '\u0301', '`': '\u0300', 'v': '\u030c'}


def _plain(text: str) -> str:
    """LaTeX of a BibTeX field as plain text."""
    import unicodedata

    text = re.sub(r'\\url\{([^}]*)\}', r'\1', text)
    text = re.sub(r'\{\\(["\'`v])\{?(\w)\}?\}', lambda found: found.group(2) + _ACCENTS[found.group(1)], text)
    text = text.replace(r'{\o}', 'ø').replace(r'{\l}', 'ł').replace('---', '—').replace('--', '–')
    return unicodedata.normalize('NFC', text.replace('{', '').replace('}', ''))


def sentence(key: str) -> str:
    """A publication as one line: authors, title, where, DOI."""
    people = [' '.join(reversed(name.split(', '))) for name in field_of(key, 'author').split(' and ')]
    shown = (
        f'{people[0]} et al.' if len(people) > 3 else ' and '.join(filter(None, (', '.join(people[:-1]), people[-1])))
    )
    place = field_of(key, 'journal') or field_of(key, 'booktitle') or field_of(key, 'howpublished')
    where = ' '.join(filter(None, (place, field_of(key, 'volume'))))
    pages, year, doi = (field_of(key, name) for name in ('pages', 'year', 'doi'))
    line = f'{shown}: {field_of(key, "title")}. {where}'
    line += f', {pages}' if pages else ''
    line += f' ({year})' if year else ''
    return line + (f'. https://doi.org/{doi}' if doi else '')
