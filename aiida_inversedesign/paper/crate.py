"""RO-Crate metadata of the paper folder (Soiland-Reyes et al., Data Science 5, 97 (2022)), by the ``rocrate`` library.

The campaign is a ``CreateAction`` whose instruments are the codes, as the profile Process Run Crate has it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiida_inversedesign.paper import citations
from aiida_inversedesign.paper.facts import Facts
from aiida_inversedesign.paper.methods import goal_in_words
from aiida_inversedesign.paper.readme import contents

if TYPE_CHECKING:
    from aiida_inversedesign.paper.folder import Options

_FORMATS = {
    '.aiida': 'application/zip',
    '.bib': 'application/x-bibtex',
    '.cif': 'chemical/x-cif',
    '.csv': 'text/csv',
    '.json': 'application/json',
    '.md': 'text/markdown',
    '.pdf': 'application/pdf',
    '.png': 'image/png',
    '.svg': 'image/svg+xml',
    '.tex': 'application/x-tex',
    '.yaml': 'application/yaml',
}
_URLS = {
    'aiida-core': 'https://www.aiida.net',
    'pw.x': 'https://www.quantum-espresso.org',
}


def write_crate(facts: Facts, folder: Path, captions: Mapping[str, str], options: Options) -> None:
    """Describe every file of the folder in ``ro-crate-metadata.json``."""
    from rocrate.model.contextentity import ContextEntity
    from rocrate.rocrate import ROCrate

    record, nouns = facts.record, facts.record.space.nouns
    crate = ROCrate()
    crate.name = f'Inverse design campaign: {record.name}'
    crate.description = (
        f'Closed-loop search for {nouns} with {goal_in_words(record.goal, facts.section.get("units"))}: tables, '
        f'figures, {"crystals, " if record.space.of_crystals else ""}and the provenance of every decision and '
        'calculation.'
    )
    prediction = ['crystal structure prediction'] if record.space.of_crystals else []
    crate.keywords = ['inverse design', *prediction, 'Bayesian optimisation', 'AiiDA']
    if options.license:
        url = f'https://spdx.org/licenses/{options.license}'
        crate.license = crate.add(
            ContextEntity(crate, url, properties={'@type': 'CreativeWork', 'name': options.license})
        )
    people = [_person(crate, author) for author in options.authors]
    if people:
        crate.root_dataset['author'] = people
    files = _add_files(crate, folder, dict(contents(folder, options)), captions)
    crate.root_dataset['citation'] = _add_citations(crate, facts)
    _add_action(crate, facts, files, people)
    crate.metadata.write(folder)


def _person(crate: Any, author: str) -> Any:
    """A person; an ORCID in the text becomes their identifier."""
    from rocrate.model.person import Person

    found = re.search(r'(?:https://orcid\.org/)?(\d{4}-\d{4}-\d{4}-\d{3}[\dX])', author)
    name = re.sub(r'[<(\[]?(?:https://orcid\.org/)?\d{4}-\d{4}-\d{4}-\d{3}[\dX][>)\]]?', '', author).strip(' ,')
    identifier = f'https://orcid.org/{found.group(1)}' if found else f'#{re.sub(r"[^A-Za-z0-9]+", "-", name)}'
    return crate.add(Person(crate, identifier, properties={'name': name}))


def _add_files(crate: Any, folder: Path, described: Mapping[str, str], captions: Mapping[str, str]) -> dict[str, Any]:
    found = {}
    for path in sorted(folder.rglob('*')):
        name = path.relative_to(folder).as_posix()
        if not path.is_file() or name == 'ro-crate-metadata.json':
            continue
        properties: dict[str, Any] = {'name': path.name, 'contentSize': str(path.stat().st_size)}
        if path.suffix in _FORMATS:
            properties['encodingFormat'] = _FORMATS[path.suffix]
        text = captions.get(path.stem) if path.parent.name == 'figures' else described.get(name)
        if text:
            properties['description'] = text
        found[name] = crate.add_file(path, name, properties=properties)
    return found


def _add_citations(crate: Any, facts: Facts) -> list[Any]:
    from rocrate.model.contextentity import ContextEntity

    entities = []
    for key in citations.cited(facts):
        doi = citations.field_of(key, 'doi')
        if doi:
            properties = {'@type': 'ScholarlyArticle', 'name': citations.field_of(key, 'title')}
            entities.append(crate.add(ContextEntity(crate, f'https://doi.org/{doi}', properties=properties)))
    return entities


def _add_action(crate: Any, facts: Facts, files: Mapping[str, Any], people: list[Any]) -> None:
    """The campaign itself: what it took, what ran it, what came of it."""
    from rocrate.model.contextentity import ContextEntity

    record = facts.record
    software = [(name, version) for name, version in record.versions.items()]
    software += [(str(code['label']), ', '.join(code.get('versions', ()))) for code in record.codes]
    instruments = []
    for name, version in software:
        properties = {'@type': 'SoftwareApplication', 'name': name}
        if version:
            properties['softwareVersion'] = version
        url = _URLS.get(name, _URLS['pw.x'] if facts.used_dft and name not in record.versions else '')
        if url:
            properties['url'] = url
        instruments.append(crate.add(ContextEntity(crate, f'#{name}', properties=properties)))
    properties = {
        '@type': 'CreateAction',
        'name': f'campaign {record.name}',
        'startTime': record.created.isoformat(),
        'endTime': record.changed.isoformat(),
        'actionStatus': 'http://schema.org/' + _status(facts),
        'description': record.stop_reason or record.exit_message or record.state,
    }
    action = crate.add(ContextEntity(crate, f'urn:uuid:{record.uuid}', properties=properties))
    action['instrument'] = instruments
    action['object'] = [files['campaign.yaml']]
    action['result'] = [files[name] for name in ('campaign.aiida', 'audit.json') if name in files]
    if people:
        action['agent'] = people
    crate.root_dataset['mentions'] = [action]


def _status(facts: Facts) -> str:
    if not facts.record.has_ended:
        return 'ActiveActionStatus'
    return 'CompletedActionStatus' if facts.record.exit_status == 0 else 'FailedActionStatus'
