"""The page itself: sections, data, styles and scripts in one file that asks the network for nothing.

A content security policy names every script by its hash and forbids every request, so that a browser would refuse what
slipped past the escaping of a formula or label.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

from aiida_inversedesign.audit.record import CampaignRecord
from aiida_inversedesign.errors import InverseDesignError
from aiida_inversedesign.report import (
    evaluations,
    explanation,
    failures,
    provenance,
    theme,
)
from aiida_inversedesign.report.answer import answer
from aiida_inversedesign.report.figures import (
    compare,
    coordinates,
    costs,
    curves,
    elements,
    funnel,
    pareto,
    progress,
    rates,
    surrogate,
    timeline,
)
from aiida_inversedesign.report.section import Plot
from aiida_inversedesign.report.words import formula_html, moment, number, sentence

#: A campaign's record and its audit.
Audited = tuple[CampaignRecord, dict[str, Any]]

#: The sections after the answer, in the order of the page.
BUILDERS = (
    progress.section,
    rates.section,
    costs.section,
    surrogate.section,
    curves.section,
    pareto.section,
    funnel.section,
    elements.section,
    coordinates.section,
    timeline.section,
    failures.section,
)


class ReportError(InverseDesignError):
    """A report that cannot be written."""


def render(
    record: CampaignRecord,
    figures: dict[str, Any],
    others: Sequence[Audited] = (),
    explained: dict[str, Any] | None = None,
) -> str:
    """The page of a campaign.

    :param figures: what :func:`aiida_inversedesign.audit.audit.audit` computes from the record.
    :param others: campaigns that it is compared with.
    :param explained: what :func:`aiida_inversedesign.audit.explanation.explanation_or_reason` says of it.
    """
    import jinja2
    from plotly.offline import get_plotlyjs

    from aiida_inversedesign import __version__

    sections = [made for build in BUILDERS if (made := build(record, figures)) is not None]
    if explained is not None:
        index = next(index for index, section in enumerate(sections) if section.id == 'surrogate')
        sections.insert(index + 1, explanation.section(explained))
    if others:
        sections.insert(0, compare.section([(record, figures), *others]))
    data = {
        'figures': [_plain(plot) for section in sections for plot in section.plots],
        'dark': theme.DARK,
        'table': evaluations.table_data(record, figures),
    }
    scripts = [get_plotlyjs(), _read('page.js')]
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    environment.filters |= {'formula': formula_html, 'moment': moment, 'sentence': sentence, 'number': number}
    return environment.from_string(_read('page.html.j2')).render(
        record=record,
        answer=answer(record, figures),
        sections=sections,
        provenance=provenance.section(record, figures),
        definitions=provenance.definitions(record),
        data=data,
        style=_read('page.css'),
        scripts=scripts,
        policy=_policy(scripts),
        version=__version__,
        written=datetime.now(UTC),
    )


def write_report(
    path: Path,
    record: CampaignRecord,
    figures: dict[str, Any],
    others: Sequence[Audited] = (),
    explained: dict[str, Any] | None = None,
) -> Path:
    """Write the page of a campaign; see :func:`render`.

    :raises ReportError: if the file cannot be written.
    """
    if path.is_dir():
        raise ReportError(f'{path} is a folder: name a file in it, e.g. {path / "report.html"}')
    if not path.parent.is_dir():
        raise ReportError(f'the folder {path.parent} does not exist: make it first, or name another file')
    page = render(record, figures, others, explained)
    try:
        path.write_text(page, encoding='utf-8')
    except OSError as error:
        raise ReportError(f'the report {path} cannot be written ({error.strerror}): name another file') from error
    return path


def _read(name: str) -> str:
    return files('aiida_inversedesign.report').joinpath(name).read_text(encoding='utf-8')


def _plain(plot: Plot) -> dict[str, Any]:
    """A plot as plotly.js reads it."""
    drawn = json.loads(plot.figure.to_json(validate=False, engine='json'))
    drawn['layout'].pop('template', None)
    return {'id': plot.id, 'data': drawn['data'], 'layout': drawn['layout']}


def _policy(scripts: Sequence[str]) -> str:
    """The content security policy: these scripts, inline styles, pictures of the page's own making, nothing else."""
    hashes = (base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts)
    allowed = ' '.join(f"'sha256-{digest}'" for digest in hashes)
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )
