"""What a reader of the folder needs to know: what is in it, how to audit and verify it, what to cite."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from aiida_inversedesign.paper import citations
from aiida_inversedesign.paper.facts import Facts
from aiida_inversedesign.paper.methods import goal_in_words

if TYPE_CHECKING:
    from aiida_inversedesign.audit.record import CampaignRecord
    from aiida_inversedesign.paper.folder import Options

_ARCHIVE = """\
## Audit it yourself

No AiiDA profile and no database is needed, only Python ≥ 3.11:

```console
python -m venv environment && . environment/bin/activate
pip install "aiida-inversedesign=={version}"   # or, from a copy of its source at that version: pip install .
aiida-inversedesign audit --archive campaign.aiida                  # every figure, from provenance alone
aiida-inversedesign audit --archive campaign.aiida --format json{structures}  # audit.json, but for its source line
aiida-inversedesign verify --archive campaign.aiida                 # re-runs every decision and compares
aiida-inversedesign report --archive campaign.aiida -o report.html  # one page of pictures
aiida-inversedesign paper --archive campaign.aiida -o again         # this folder again
```

In Python, as pandas DataFrames with units:

```python
from aiida_inversedesign.audit import frames

record = frames.read_record('campaign.aiida')
table = frames.evaluations(record)
print(table.attrs['units'])
```

With AiiDA the archive opens read-only, or becomes part of a profile of yours; the campaign is node
`{uuid}`:

```console
verdi profile setup core.sqlite_zip -n --profile-name paper --filepath campaign.aiida
verdi archive import campaign.aiida
```

The archive (SHA-256 `{sha256}`) has the whole provenance of the campaign: inputs, decisions, calculations with the
files that were retrieved from them, and results. Left out are the paths of folders on the computers that ran the
jobs, unless another job read from one. It was audited again after it was written, with the same figures as
`audit.json`. It names the AiiDA users and the computers (host names, working directories) that made it.
"""

_NO_ARCHIVE = """\
## No archive

This folder was written without the AiiDA archive of the campaign, so that its figures cannot be recomputed from it.
"""

_CRYSTALS = '{} CIFs of relaxed crystals: all hits and the best others, with their lineage'


def _days(record: CampaignRecord) -> str:
    first, last = f'{record.created:%Y-%m-%d}', f'{record.changed:%Y-%m-%d}'
    return f'on {first}' if first == last else f'from {first} to {last}'


def readme(facts: Facts, folder: Path, captions: Mapping[str, str], options: Options) -> str:
    """The folder's README in Markdown."""
    record, report = facts.record, facts.report
    counts = report['evaluations']
    dft = report['dft_calculations']['total']
    lines = [
        f'# {record.name}',
        '',
        f'A closed-loop search for {record.space.nouns} with '
        f'{goal_in_words(record.goal, facts.section.get("units"))}, run by '
        f'aiida-inversedesign {record.versions.get("aiida-inversedesign", "")} in AiiDA '
        f'{record.versions.get("aiida-core", "")} {_days(record)} (UTC): '
        f'{counts["total"]} evaluations, {counts["failed"]} of them failed, {counts["distinct_hits"]} distinct hits'
        f'{f", {dft} DFT calculations" if dft else ""}. Campaign `{record.uuid}`.',
        '',
        '## What is here',
        '',
        '| file | what |',
        '|---|---|',
        *[f'| `{name}` | {what} |' for name, what in contents(folder, options)],
        '',
        '### Figures',
        '',
        *[f'- `figures/{name}.pdf`, `.png`: {caption}' for name, caption in captions.items()],
        '',
    ]
    if options.archive:
        content = (folder / 'campaign.aiida').read_bytes()
        lines.append(
            _ARCHIVE.format(
                version=record.versions.get('aiida-inversedesign', ''),
                uuid=record.uuid,
                structures='' if options.structures == 'auto' else f' --structures {options.structures}',
                sha256=hashlib.sha256(content).hexdigest(),
            )
        )
    else:
        lines.append(_NO_ARCHIVE)
    lines += ['## Licence', '', _licence(facts, options)]
    return '\n'.join(lines) + '\n'


def contents(folder: Path, options: Options) -> list[tuple[str, str]]:
    """Each file or folder and what it is."""
    crystals, pictures = folder / 'crystals', folder / 'pictures'
    return [
        *([('campaign.aiida', 'the AiiDA archive of exactly this campaign')] if options.archive else []),
        ('audit.json', 'every figure of the audit, with intervals, n, and why one is not known'),
        ('campaign.yaml', 'the campaign file with all defaults: `aiida-inversedesign launch campaign.yaml` runs it'),
        ('explanation.json', 'what the model has learned, why candidates were chosen, rules that hits obey'),
        ('methods.md', 'the methods paragraph; citations refer to `references.bib`'),
        ('references.bib', 'BibTeX of the methods, codes and data that were used'),
        ('CITATION.md', 'the same in words'),
        ('tables/', 'each table as CSV (units in the headings) and LaTeX (booktabs); `tables.tex` shows all'),
        ('figures/', 'each figure as PDF and PNG, 86 mm wide; `overview` 178 mm'),
        *([('crystals/', _CRYSTALS.format(len(list(crystals.glob('*.cif')))))] if crystals.is_dir() else []),
        *(
            [('pictures/', 'pictures of the hits and the best others as SVG; names begin with the rank')]
            if pictures.is_dir()
            else []
        ),
        ('ro-crate-metadata.json', 'RO-Crate metadata of this folder'),
    ]


def citation(facts: Facts) -> str:
    """What to cite, in words."""
    lines = [
        '# What to cite',
        '',
        'The methods, codes and data that this campaign used; BibTeX in `references.bib`.',
        '',
        *[f'- {citations.sentence(key)} (`{key}`)' for key in citations.cited(facts)],
    ]
    record, library = facts.record, facts.record.library
    if library:
        what = 'Templates: the' if record.space.of_crystals else 'Data: the'
        lines += ['', f'{what} library {library.label!r}, {library.count} entries.', '']
        lines += [
            f'- {name}: {item.get("templates", "?")} templates, licence {item.get("license") or "not recorded"}'
            for name, item in library.sources.items()
        ]
    if facts.pseudopotentials:
        lines += ['', 'Pseudopotentials (MD5):', '']
        lines += [f'- {item["element"]}: {item["file"]} ({item["md5"]})' for item in facts.pseudopotentials]
    return '\n'.join(lines) + '\n'


def _licence(facts: Facts, options: Options) -> str:
    library = facts.record.library
    sources = (
        {str(item.get('license')) for item in library.sources.values() if item.get('license')} if library else set()
    )
    own = f'This folder: {options.license}.' if options.license else 'The authors have not said under which licence.'
    return own + (f' The templates came under: {"; ".join(sorted(sources))}.' if sources else '')
