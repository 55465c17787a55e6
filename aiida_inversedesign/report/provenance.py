"""Where everything on the page comes from: nodes, libraries, models, codes, versions, and what the figures mean."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from aiida_inversedesign.audit.record import CampaignRecord
from aiida_inversedesign.report.section import Section, html_table
from aiida_inversedesign.report.words import moment, number

#: What the figures mean (version 1 of their definitions).
DEFINITIONS = (
    ('evaluation', 'One candidate whose evaluation was launched, whatever became of it.'),
    (
        'DFT calculation',
        'One calculation job of a DFT code below the campaign. Restarts, failures and elemental references are '
        'included; copies from the cache cost nothing and are counted separately.',
    ),
    (
        'core-hours',
        'Processes × wall time, from the record of the code; never guessed. Jobs without one are counted separately.',
    ),
    ('hit', 'A completed evaluation that meets every window and constraint of the goal.'),
    (
        'hit rate',
        'Hits / ended evaluations; failed ones stay in the denominator. Intervals are Wilson 95 % intervals '
        '(J. Am. Stat. Assoc. 22, 209 (1927)).',
    ),
    (
        'enrichment',
        'Hit rate / base rate of a random choice. The base rate is exact where the answers of all candidates are '
        'known, else that of the random control arm, else not known.',
    ),
    ('validity', 'Share of the proposals that pass every filter.'),
    (
        'uniqueness, novelty',
        'Share of structures that match no earlier proposal, and no library entry: StructureMatcher (ltol 0.2, '
        'stol 0.3, angle 5°) and the space group (symprec 0.1 Å).',
    ),
    (
        'calibration',
        'Share of values inside the central predicted interval of the surrogate that made the choice, with normal '
        'errors.',
    ),
    (
        'prototype',
        'Anonymous formula, Pearson symbol, space group and Wyckoff letters, as AFLOW writes them '
        '(Comput. Mater. Sci. 136, S1 (2017)).',
    ),
    (
        'crystal pictures',
        'Conventional cell (spglib, symprec 0.1 Å) of the relaxed crystal in Jmol’s colours; bonds up to 1.15 sums of '
        'the covalent radii of Cordero et al. (Dalton Trans. 2008, 2832).',
    ),
)

#: Definitions of figures that only crystals have.
OF_CRYSTALS = ('uniqueness, novelty', 'prototype', 'crystal pictures')


def section(record: CampaignRecord, figures: dict[str, Any]) -> Section:
    """The nodes behind the page."""
    nodes = [_node('campaign', record.uuid, record.pk)]
    nodes += [_node('resumed campaign', uuid) for uuid in record.resumed]
    taught = record.settings.learn.earlier
    nodes += [_node('earlier campaign that was learned from', item.campaign) for item in taught]
    for item in record.generations:
        nodes.append(_node(f'generation {item.number}', item.uuid, item.pk))
        if item.surrogate is not None:
            models = ', '.join(f'{name}: {kind}' for name, kind in item.surrogate.models.items())
            nodes.append(_node(f'surrogate after generation {item.number} ({models})', item.surrogate.uuid))
    if record.library is not None:
        nodes.append(_node(f'library {record.library.label} ({number(record.library.count)})', record.library.uuid))
    table = html_table(('node', 'PK', 'UUID'), nodes, numbers=(1,), names=0)
    body = Markup('<details{}><summary>{} nodes</summary>{}</details>').format(
        Markup(' open') if len(nodes) <= 12 else '', number(len(nodes)), table
    )
    body += _facts(record)
    body += _settings(record)
    lead = (
        'Every figure on this page was computed from the provenance graph of this campaign, read only. PKs hold in the '
        f'profile that was read ({record.source or "not recorded"}); UUIDs hold everywhere.'
    )
    return Section('provenance', 'Provenance', lead, body=body)


def _node(name: str, uuid: str, pk: int | None = None) -> tuple[str, str, Markup]:
    return name, '–' if pk is None else str(pk), copyable(uuid)


def copyable(text: str) -> Markup:
    """A text with a button that copies it."""
    if not text:
        return Markup('–')
    return Markup('<code>{0}</code> <button type="button" class="copy" data-copy="{0}">copy</button>').format(text)


def _facts(record: CampaignRecord) -> Markup:
    """Sources and licences of the templates, the model, codes and versions."""
    rows: list[tuple[str, str]] = [
        ('made', moment(record.created)),
        ('last change', moment(record.changed)),
    ]
    if record.library is not None:
        what = 'templates' if record.space.of_crystals else 'rows'
        rows.append(('library', f'{record.library.label}, {number(record.library.count)} {what}'))
        rows.append(('content hash of the library', record.library.hash))
        rows += [(f'source: {name}', _plain(value)) for name, value in record.library.sources.items()]
    if record.model:
        rows += [(f'proposal model: {name}'.replace('_', ' '), _plain(value)) for name, value in record.model.items()]
    for code in record.codes:
        rows.append((f'code {code.get("label", "")}', _plain({k: v for k, v in code.items() if k != 'label' and v})))
    for symbol, energy in record.references.items():
        rows.append((f'reference energy of {symbol}', f'{number(energy, 8)} eV/atom'))
    rows += [(f'version of {name}', version) for name, version in record.versions.items()]
    return Markup('<h3>Sources, codes and versions</h3>') + _listed([(name, _folded(value)) for name, value in rows])


def _listed(rows: Sequence[tuple[str, str]]) -> Markup:
    cells = Markup().join(Markup('<dt>{}</dt><dd>{}</dd>').format(*row) for row in rows)
    return Markup('<dl class="facts">{}</dl>').format(cells)


#: A longer text is folded away behind its beginning.
_LONGEST = 400


def _folded(text: str) -> Markup | str:
    if len(text) <= _LONGEST:
        return text
    return Markup('<details><summary>{}…</summary>{}</details>').format(text[:80].rstrip(), text)


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return '; '.join(f'{name} {_plain(entry)}'.replace('_', ' ') for name, entry in value.items())
    if isinstance(value, list | tuple):
        return ', '.join(map(_plain, value))
    if isinstance(value, float):
        return number(value)
    return str(value)


def _settings(record: CampaignRecord) -> Markup:
    """The campaign file as it was recorded, with its defaults."""
    text = json.dumps(
        {**record.settings.model_dump(mode='json'), 'budget': record.budget}, indent=2, ensure_ascii=False
    )
    return Markup('<details><summary>Campaign file and budget, as recorded</summary><pre>{}</pre></details>').format(
        text
    )


def definitions(record: CampaignRecord) -> Section:
    """What the figures mean."""
    shown = [(name, text) for name, text in DEFINITIONS if record.space.of_crystals or name not in OF_CRYSTALS]
    return Section('definitions', 'Definitions', 'What the figures of this page mean (version 1).', body=_listed(shown))
