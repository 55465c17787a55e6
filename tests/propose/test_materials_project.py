"""Imports through the client of the Materials Project: what its entries become, and what is said where it fails."""

from __future__ import annotations

import importlib.util
import json

import pytest
from servers import answering_server

from aiida_inversedesign.libraries import materials_project
from aiida_inversedesign.libraries.materials_project import read_materials_project
from aiida_inversedesign.libraries.remote import RemoteError

mp_api = pytest.mark.skipif(importlib.util.find_spec('mp_api') is None, reason='mp-api is not installed (extra "mp")')


@pytest.fixture(scope='module')
def summaries():
    """Summary documents as the models of emmet-core, which the service is built with, write them."""
    from emmet.core.summary import SummaryDoc
    from emmet.core.symmetry import SymmetryData
    from pymatgen.core import Lattice, Structure

    documents = []
    for number, (metal, hull) in enumerate((('Li', 0.0), ('Na', 0.02), ('K', 0.3))):
        salt = Structure.from_spacegroup('Fm-3m', Lattice.cubic(4.5 + number), [metal, 'Cl'], [[0, 0, 0], [0.5] * 3])
        primitive = salt.get_primitive_structure()
        document = SummaryDoc(
            structure=primitive,
            symmetry=SymmetryData.from_structure(primitive),
            material_id=f'mp-{number + 1}',
            deprecated=False,
            energy_above_hull=hull,
            formation_energy_per_atom=-1.5 - hull,
            band_gap=5.0,
            origins=[],
        )
        document.builder_meta.license = 'BY-NC' if metal == 'K' else 'BY-C'
        documents.append(json.loads(document.model_dump_json()))
    return documents


@mp_api
class TestMaterialsProject:
    """The Materials Project's own client against a local server that answers in the service's format."""

    @pytest.fixture
    def service(self, summaries, monkeypatch):
        monkeypatch.setenv('MP_API_KEY', 'k' * 32)
        self.queries = []

        def answer(path, query):
            if path == '/heartbeat':
                versions = {'version': '0.86.4', 'db_version': '2026.04.13', 'access_controlled_batch_ids': []}
                return {'status': 'OK', 'time': '2026-11-21T00:00:00', **versions}
            if path != '/materials/summary/':
                return 404, {}, b'{"detail": "Not Found"}'
            self.queries.append(query)
            start, size = (int(query['_page']) - 1) * int(query['_per_page']), int(query['_per_page'])
            most = float(query.get('energy_above_hull_max', 9))
            found = [item for item in summaries if item['energy_above_hull'] <= most]
            chosen = [{key: item.get(key) for key in query['_fields'].split(',')} for item in found[start:][:size]]
            return {'data': chosen, 'meta': {'total_doc': len(found), 'api_version': '0.86.4'}}

        with answering_server(answer) as address:
            yield address

    def test_documents_become_templates(self, service):
        library, skipped = read_materials_project(endpoint=service, date='2026-11-21')
        assert not skipped
        assert [template.id for template in library] == ['mp-1', 'mp-2', 'mp-3']
        sodium = library[1]
        assert (sodium.crystal.formula, sodium.crystal.nsites, sodium.spacegroup) == ('NaCl', 2, 225)
        assert (sodium.e_above_hull, sodium.formation_energy) == (0.02, -1.52)
        assert sodium.properties['band_gap'] == 5.0
        assert sodium.source == 'Materials Project 2026.04.13'
        assert [template.license for template in library] == ['CC BY 4.0', 'CC BY 4.0', 'CC BY-NC 4.0']

    def test_limits_are_asked_of_the_service_and_pages_followed(self, service, monkeypatch):
        monkeypatch.setattr(materials_project, 'PAGE', 1)
        library, _ = read_materials_project(elements=['Cl'], max_e_above_hull=0.1, max_sites=4, endpoint=service)
        assert len(library) == 2
        query = self.queries[0]
        assert (query['elements'], query['energy_above_hull_max'], query['nsites_max']) == ('Cl', '0.1', '4')
        assert query['deprecated'] == 'False'
        assert [item['_page'] for item in self.queries] == ['1', '2', '3']
        assert len(read_materials_project(chemsys='K-Cl', limit=1, endpoint=service)[0]) == 1
        assert self.queries[-1]['chemsys'] == 'K-Cl'

    def test_without_a_key(self, monkeypatch):
        monkeypatch.delenv('MP_API_KEY', raising=False)
        with pytest.raises(RemoteError, match='MP_API_KEY'):
            read_materials_project()

    def test_a_service_that_is_not_there(self, monkeypatch):
        monkeypatch.setenv('MP_API_KEY', 'k' * 32)
        with pytest.raises(RemoteError, match='does not answer'):
            read_materials_project(endpoint='http://127.0.0.1:9/')
