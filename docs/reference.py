"""Sphinx extension: fills ``<!-- generated: NAME -->`` in a page from the code, so that no reference can go stale."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

#: Groups of processes whose exit codes are listed: entry point (or ``module:class``) → heading.
PROCESSES = {
    'aiida.workflows:inversedesign.campaign': 'The campaign',
    'aiida.workflows:inversedesign.generation': 'A generation',
    'aiida.workflows:inversedesign.evaluate.quantumespresso': 'Every evaluation',
    'aiida.workflows:inversedesign.evaluate.ase': 'An evaluation with ASE',
    'aiida.workflows:inversedesign.evaluate.external': 'An evaluation by a laboratory or another program',
    'aiida.workflows:inversedesign.evaluate.table': 'An evaluation from a data set',
    'aiida.calculations:inversedesign.ase': 'The job of ASE',
    'aiida.calculations:inversedesign.table': 'The job of the data set',
    'aiida.calculations:inversedesign.potential': 'The job of the screening',
    'aiida.calculations:inversedesign.generate': 'The job of a generator',
    'aiida.calculations:inversedesign.propose_job': 'The job of the proposal',
    'aiida.calculations:inversedesign.fit_job': 'The job of the surrogate',
}

_AGAIN = 'Look at the reason; `verdi process report PK` has more. Fix the cause, then `resume` the campaign.'
_ROW = 'The campaign continues; nothing needs to be done.'
_RETRIED = 'It is tried again twice. If the campaign ends with it: read the reason, free the resource, `resume`.'

#: What to do, by the name of the exit code; a code without an entry is an error of the build.
WHAT_TO_DO = {
    'NOTHING_EVALUATED': 'Most often a code or a screen that refuses everything. Fix it and launch again.',
    'GENERATION_FAILED': 'The table is kept. Fix the cause that is named, then `resume`.',
    'SPACE_EXHAUSTED': 'Everything was evaluated. Widen `space`, take a larger library, or raise `top_k`.',
    'DECISION_FAILED': _AGAIN,
    'ERROR_UNKNOWN_PROPERTY': 'Choose another engine; `check` says so before the launch.',
    'ERROR_MISSING_REFERENCES': 'An elemental reference failed: see why, or aim at another property.',
    'ERROR_INVALID_SETTINGS': 'Correct what is named in `evaluate`.',
    'ERROR_LIMIT_REACHED': f'{_ROW} If it happens often, raise `budget` or `evaluate.options.max_wallclock_seconds`.',
    'ERROR_PRERELAXATION_FAILED': f'{_ROW} If all fail, check `evaluate.prerelax.calculator`.',
    'ERROR_NO_CONFORMER': f'{_ROW} If most fail, narrow the space: elements, ring sizes, `screen.accessibility`.',
    'ERROR_RELAXATION_FAILED': f'{_ROW} If most fail, look at one output file: `verdi calcjob outputcat`.',
    'ERROR_JOB_FAILED': _ROW,
    'ERROR_NO_ENTRY': f'{_ROW} The data set lacks this candidate or this property.',
    'ERROR_GIVEN_UP': f'{_ROW} The relaxation could not reach the goal (`evaluate.slices`).',
    'ERROR_EQUATION_OF_STATE': f'{_ROW} What the relaxation found is kept.',
    'ERROR_MISSING_PROPERTY': f'{_ROW} What the relaxation found is kept.',
    'ERROR_ON_PURPOSE': 'Asked for by `evaluate.fail_fraction`, for rehearsals.',
    'ERROR_MEASUREMENT_FAILED': f'{_ROW} The laboratory said so (`tell --failed`).',
    'ERROR_NO_ANSWER': f'{_ROW} A late answer still counts; raise `evaluate.deadline_days` for more time.',
    'ERROR_NO_RESULTS': _RETRIED,
    'ERROR_UNREADABLE_RESULTS': _RETRIED,
    'ERROR_OTHER_VERSION': 'Install the same version of this package for the code, then `resume`.',
    'ERROR_PROGRAM': _AGAIN,
    'NOTHING_TO_PROPOSE': 'Widen `space` or loosen `screen`: every candidate is known or was refused.',
    'NO_SURROGATE': 'Too few rows to fit yet: the next batch is chosen without a model.',
    'ERROR_CALCULATOR_MISSING': 'Install the calculator for the code, or set it up: `calculators add`.',
    'ERROR_CRASH': f'{_ROW} If all crash, try the calculator by hand on one crystal.',
    'ERROR_NOT_CONVERGED': f'{_ROW} If it happens often, raise `evaluate.steps` or `evaluate.fmax`.',
    'ERROR_POTENTIAL_MISSING': 'Install the extra `potentials` for the code of `screen.code`.',
    'ERROR_INCOMPLETE': 'The next job continues with the rest; give it more wall time if it happens often.',
    'ERROR_NOTHING_GENERATED': 'Run the command of `propose.external` by hand and look at what it prints.',
    'ERROR_NOTHING_USABLE': 'The reason names what was wrong with the crystals; see the page on generators.',
    'ERROR_OTHER_WEIGHTS': 'The file of weights changed during the campaign: restore it.',
    'ERROR_PARTLY': 'What was generated is used; give the job more wall time for the rest.',
}  # fmt: skip


def exit_codes() -> Iterator[str]:
    """Each process with its own exit codes; those that AiiDA gives to every process are left out."""
    from aiida.engine import CalcJob, WorkChain
    from aiida.plugins import CalculationFactory, WorkflowFactory

    seen: set[tuple[int, str]] = set()
    for name, heading in PROCESSES.items():
        group, _, entry = name.partition(':')
        process = (WorkflowFactory if group == 'aiida.workflows' else CalculationFactory)(entry)
        base = CalcJob if group == 'aiida.calculations' else WorkChain
        common = {code.status for code in base.spec().exit_codes.values()}
        own = sorted(
            (code.status, label, code.message)
            for label, code in process.spec().exit_codes.items()
            if (code.status not in common or label in WHAT_TO_DO) and (code.status, label) not in seen
        )
        if not own:
            continue
        if group == 'aiida.workflows':
            seen |= {(status, label) for status, label, _ in own}
        yield from (
            '',
            f'## {heading}',
            '',
            f'`{entry}`',
            '',
            '| code | name | message | what to do |',
            '|---|---|---|---|',
        )
        for status, label, message in own:
            if label not in WHAT_TO_DO:
                raise ExtensionError(f'docs/reference.py says nothing of the exit code {label} of {name}')
            words = re.sub(r'\{(\w+)[^}]*\}', lambda found: found[1].upper(), message).replace('|', '\\|')
            yield f'| {status} | `{label}` | {words} | {WHAT_TO_DO[label]} |'


def _kind(item: dict[str, Any]) -> str:
    """The type of a key, in words."""
    if '$ref' in item:
        name = item['$ref'].rpartition('/')[2]
        return f'[section {name}](#{name.lower()})'
    if 'const' in item:
        return f'`{item["const"]}`'
    if 'enum' in item:
        return ', '.join(f'`{word}`' for word in item['enum'])
    if 'discriminator' in item or 'oneOf' in item:
        return 'one of: ' + '; '.join(_kind(part) for part in item.get('oneOf', ()))
    if 'anyOf' in item:
        return ' or '.join(dict.fromkeys(_kind(part) for part in item['anyOf'] if part.get('type') != 'null'))
    if 'allOf' in item:
        return _kind(item['allOf'][0])
    if item.get('type') == 'array':
        return f'list of {_kind(item["items"])}' if item.get('items') else 'list'
    if item.get('type') == 'object':
        more = item.get('additionalProperties')
        return f'names with {_kind(more)} each' if isinstance(more, dict) and more else 'names with values'
    words = {'minimum': '≥', 'exclusiveMinimum': '>', 'maximum': '≤', 'exclusiveMaximum': '<'}
    bounds = ' '.join(f'{sign} {item[key]:g}' for key, sign in words.items() if key in item)
    name = {'string': 'text', 'boolean': 'true or false', 'integer': 'whole number'}.get(
        item.get('type', ''), item.get('type', 'value')
    )
    return f'{name} {bounds}'.strip()


def _default(item: dict[str, Any], name: str, required: list[str]) -> str:
    """What stands instead of a key that is left out."""
    if name in required:
        return '**required**'
    value = item.get('default')
    if isinstance(value, dict):
        return ''
    return '' if value is None else f'`{str(value).lower() if isinstance(value, bool) else value}`'


def _of_sections(item: dict[str, Any], sections: dict[str, Any]) -> str:
    """The first words on each section that a key may hold."""
    parts = (item, *item.get('allOf', ()), *item.get('oneOf', ()))
    names = [part['$ref'].rpartition('/')[2] for part in parts if '$ref' in part]
    found = [re.split(r'[.:] |[.]$', ' '.join(sections[name].get('description', '').split()))[0] for name in names]
    if not all(found):
        raise ExtensionError(f'a key of the campaign file has no meaning: {item}')
    return '; '.join(found)


def campaign_file() -> Iterator[str]:
    """Every section of the campaign file with its keys, from the JSON schema that ``schema`` prints."""
    from aiida_inversedesign.campaign.spec import CampaignSpec

    schema = CampaignSpec.model_json_schema()
    sections = {'The whole file': schema, **dict(sorted(schema['$defs'].items()))}
    for title, section in sections.items():
        if not section.get('properties'):
            continue
        about = ' '.join(section.get('description', '').split()) if title != 'The whole file' else ''
        yield from ('', f'## {title}', '', about, '', '| key | value | default | meaning |', '|---|---|---|---|')
        for name, item in section['properties'].items():
            cells = (
                f'`{name}`',
                _kind(item),
                _default(item, name, section.get('required', [])),
                item.get('description') or _of_sections(item, schema['$defs']),
            )
            yield (
                '| '
                + ' | '.join(' '.join(cell.split()).replace('|', '\\|').replace('<', '&lt;') for cell in cells)
                + ' |'
            )


def fill(app: Sphinx, page: str, source: list[str]) -> None:
    """Replace the marks of a page."""
    for mark, make in (('exit codes', exit_codes), ('campaign file', campaign_file)):
        if (comment := f'<!-- generated: {mark} -->') in source[0]:
            source[0] = source[0].replace(comment, '\n'.join(make()))


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the extension."""
    app.connect('source-read', fill)
    return {'parallel_read_safe': True}
