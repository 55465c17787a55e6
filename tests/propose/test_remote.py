"""Imports over the network: from OPTIMADE's own server, and from bad servers."""

from __future__ import annotations

import gzip
import json
import time
from pathlib import Path

import numpy as np
import pytest
from servers import answering_server, optimade_python, optimade_server

from aiida_inversedesign.libraries import optimade
from aiida_inversedesign.libraries.collect import count_kinds
from aiida_inversedesign.libraries.optimade import read_optimade
from aiida_inversedesign.libraries.remote import Client, RemoteError


@pytest.fixture(scope='module')
def provider(tmp_path_factory):
    with optimade_server(tmp_path_factory.mktemp('optimade'), page_limit_max=20) as address:
        yield address


@pytest.fixture(scope='module')
def documents():
    """The test structures of the package ``optimade``, by id."""
    import subprocess

    asked = 'import optimade.server.data as d; print(d.__file__)'
    found = subprocess.run([optimade_python(), '-W', 'ignore', '-c', asked], capture_output=True, text=True, check=True)
    data = json.loads((Path(found.stdout.strip()).parent / 'test_structures.json').read_text())
    return {item['task_id']: item for item in data}


def quick():
    return Client(backoff=0.01, timeout=2, deadline=2)


class TestOptimade:
    """Against the OPTIMADE project's own server."""

    def test_everything_is_read_and_what_is_absurd_is_listed(self, provider, documents):
        library, skipped = read_optimade(provider, date='2026-11-21')
        assert len(library) + len(skipped) == len(documents) == 17
        assert count_kinds(skipped) == {'absurd cell': 3}
        assert all('Å³ per atom' in item.reason for item in skipped)
        for template in library:
            document = documents[template.id]
            np.testing.assert_allclose(template.crystal.lattice, document['lattice_vectors'])
            cartesian = template.crystal.frac_coords @ template.crystal.lattice
            np.testing.assert_allclose(cartesian, document['cartesian_site_positions'], atol=1e-9)
            symbols = {species['name']: species['chemical_symbols'][0] for species in document['species']}
            assert list(template.crystal.species) == [symbols[name] for name in document['species_at_sites']]
        assert library[0].source == f'Example provider ({provider}/v1)'
        assert library[0].date == '2026-11-21'

    def test_pages_are_followed_to_the_last(self, provider, monkeypatch):
        monkeypatch.setattr(optimade, 'PAGE', 4)
        seen = []
        library, skipped = read_optimade(provider, progress=lambda number, fraction: seen.append((number, fraction)))
        assert len(library) + len(skipped) == 17
        assert [number for number, _ in seen] == [4, 8, 12, 16, 17]
        assert seen[-1][1] == 1.0

    def test_a_server_with_smaller_pages_is_read_at_its_own(self, provider):
        # the server allows 20 entries a page and answers 403 to the 100 that are asked for
        assert len(read_optimade(f'{provider}/v1/structures')[0]) == 14

    def test_filters_reach_the_server(self, provider):
        assert {template.crystal.formula for template in read_optimade(provider, chemsys='Ac-O')[0]} == {'Ac2O3'}
        both = read_optimade(provider, filter='nelements<=5', elements=['Ag', 'Ac'])[0]
        assert {template.id for template in both} == {'mpf_2', 'mpf_3'}
        assert len(read_optimade(provider, limit=5)[0]) == 5

    def test_a_wrong_filter_is_answered_with_the_servers_words(self, provider):
        with pytest.raises(RemoteError, match='Unable to parse filter') as failure:
            read_optimade(provider, filter='nelements==2')
        assert failure.value.status == 400

    def test_an_address_without_provider(self, provider):
        with pytest.raises(RemoteError, match='no OPTIMADE provider'):
            read_optimade(f'{provider}/nowhere')


def structure(name='s1', **changes):
    """Rock salt as an OPTIMADE entry."""
    attributes = {
        'lattice_vectors': [[0, 2.82, 2.82], [2.82, 0, 2.82], [2.82, 2.82, 0]],
        'cartesian_site_positions': [[0, 0, 0], [2.82, 2.82, 2.82]],
        'species': [
            {'name': 'sodium', 'chemical_symbols': ['Na'], 'concentration': [1.0]},
            {'name': 'Cl', 'chemical_symbols': ['Cl'], 'concentration': [1.0]},
        ],
        'species_at_sites': ['sodium', 'Cl'],
        'dimension_types': [1, 1, 1],
        'structure_features': [],
    }
    return {'id': name, 'type': 'structures', 'attributes': {**attributes, **changes}}


def provider_of(*entries, prefix='exmpl', **info):
    """What a provider with these entries on one page answers."""
    meta = {'provider': {'prefix': prefix, 'name': 'Mine'}}

    def answer(path, query):
        if path == '/v1/info':
            return {'data': {'attributes': info}, 'meta': meta}
        if path == '/v1/structures':
            return {'data': list(entries), 'meta': {**meta, 'data_returned': len(entries)}, 'links': {'next': None}}
        return 404, {}, b'{"errors": [{"title": "Not Found"}]}'

    return answer


def test_entries_become_crystals_or_reasons(rocksalt):
    mixed = [{'name': 'sodium', 'chemical_symbols': ['Na', 'K'], 'concentration': [0.5, 0.5]}]
    vacancy = [{'name': 'sodium', 'chemical_symbols': ['Na', 'vacancy'], 'concentration': [0.9, 0.1]}]
    entries = [
        structure('good'),
        structure('again'),
        structure('molecule', dimension_types=[0, 0, 0]),
        structure('flat', lattice_vectors=[[1, 0, 0], [0, 1, 0], [None, None, None]]),
        structure('mixed', species=mixed),
        structure('vacant', species=vacancy),
        structure('marked', structure_features=['disorder']),
        structure('bare', species=None),
        structure('unknown', species_at_sites=['Na', 'Cl']),
        structure('huge', cartesian_site_positions=[[0, 0, 0]] * 501),
        structure('text', cartesian_site_positions=[['a', 0, 0], [1, 1, 1]]),
        'nothing',
    ]
    with answering_server(provider_of(*entries, available_licenses=['CC-BY-4.0'])) as address:
        library, skipped = read_optimade(address)
    assert [template.id for template in library] == ['good']
    assert library[0].license == 'CC-BY-4.0'
    np.testing.assert_allclose(library[0].crystal.frac_coords, rocksalt.frac_coords, atol=1e-12)
    assert count_kinds(skipped) == {
        'partial occupancy': 3,
        'no lattice': 2,
        'unreadable': 4,
        'duplicate structure': 1,
        'absurd cell': 1,
    }


@pytest.mark.parametrize(
    ('prefix', 'field', 'value', 'option'),
    [
        ('oqmd', '_oqmd_stability', 0.03, ''),
        ('mp', '_mp_stability', {'gga_gga+u': {'energy_above_hull': 0.03}}, ''),
        ('exmpl', '_exmpl_hull', 0.03, '_exmpl_hull'),
    ],
)
def test_energies_above_the_hull_are_taken_from_the_providers_field(prefix, field, value, option):
    queries = []

    def answer(path, query):
        queries.append(query)
        return provider_of(structure('low', **{field: value}), prefix=prefix)(path, query)

    with answering_server(answer) as address:
        library, _ = read_optimade(address, hull_field=option, max_e_above_hull=0.1)
        assert library[0].e_above_hull == 0.03
        assert len(read_optimade(address, hull_field=option, max_e_above_hull=0.01)[0]) == 0
    assert field in queries[1]['response_fields']
    assert (f'{field}<=0.1' in queries[1].get('filter', '')) == (prefix != 'mp')


class TestBadServers:
    """What a client must survive."""

    def test_what_passes_is_tried_again(self):
        answers = iter([503, 429, 200])

        def answer(path, query):
            if path != '/v1/info':
                return provider_of(structure())(path, query)
            status = next(answers, 200)
            return status, {'Retry-After': '0'}, b'{"data": {}}'

        with answering_server(answer) as address:
            assert len(read_optimade(address, client=quick())[0]) == 1

    def test_a_server_that_stays_down_is_given_up(self):
        calls = []

        def answer(path, query):
            calls.append(path)
            return 503, {'Retry-After': 'Wed, 21 Oct 2099 07:28:00 GMT'}, b'later'

        with answering_server(answer) as address, pytest.raises(RemoteError, match=r'503 \(4 tries\)'):
            read_optimade(address, client=quick())
        assert len(calls) == 4

    def test_nobody_answers(self):
        with pytest.raises(RemoteError, match='no answer'):
            read_optimade('http://127.0.0.1:9', client=quick())
        with pytest.raises(RemoteError, match='http://'):
            read_optimade('ftp://example.org')

    @pytest.mark.parametrize(
        ('body', 'headers', 'says'),
        [
            (b'<html>', {'Content-Type': 'text/html'}, 'expected JSON, got text/html'),
            (b'[' * 100_000, {}, 'expected JSON'),
            (b'{"a": ' + b'9' * 10_000 + b'}', {}, 'expected JSON'),
            (b'[1]', {}, 'JSON object'),
            (b'{"data": 3}', {}, 'no list "data"'),
            (gzip.compress(b' ' * 80 * 2**20), {'Content-Encoding': 'gzip'}, 'more than 64 MiB'),
            (b'nonsense', {'Content-Encoding': 'gzip'}, 'no answer'),
        ],
    )
    def test_answers_that_are_none(self, body, headers, says):
        def answer(path, query):
            return {'data': {}} if path == '/v1/info' else (200, headers, body)

        with answering_server(answer) as address, pytest.raises(RemoteError, match=says):
            read_optimade(address, client=Client(backoff=0.01))

    def test_a_server_that_drips_is_given_up(self):
        def drip():
            for _ in range(100):
                yield b' '
                time.sleep(0.05)

        started = time.monotonic()
        with (
            answering_server(lambda path, query: (200, {}, drip())) as address,
            pytest.raises(RemoteError, match=r'took more than 0\.3 s'),
        ):
            Client(deadline=0.3).get(f'{address}/v1/info')
        assert time.monotonic() - started < 3

    def test_a_server_that_is_silent_is_asked_again(self):
        def answer(path, query):
            time.sleep(0.3)
            return {}

        with answering_server(answer) as address, pytest.raises(RemoteError, match=r'no answer.*4 tries'):
            Client(backoff=0.01, timeout=0.1).get(f'{address}/v1/info')

    @pytest.mark.parametrize(
        ('link', 'says'),
        [('{address}/v1/structures', 'its own next'), ('http://elsewhere.example/v1/structures', 'another host')],
    )
    def test_links_that_lead_astray(self, link, says):
        def answer(path, query):
            page = provider_of(structure())(path, query)
            if path == '/v1/structures':
                page['links'] = {'next': {'href': link.format(address=address)}}
            return page

        with answering_server(answer) as address, pytest.raises(RemoteError, match=says):
            read_optimade(address, client=quick())


OXYGEN = {'name': 'Cl', 'chemical_symbols': ['O']}


@pytest.mark.parametrize(
    ('changes', 'kind'),
    [
        ({'structure_features': ['site_attachments']}, 'site_attachments'),
        ({'structure_features': ['implicit_atoms']}, 'implicit_atoms'),
        ({'structure_features': ['assemblies']}, 'assemblies'),
        ({'structure_features': ['disorder']}, 'partial occupancy'),
        ({'structure_features': ['superposition']}, 'unknown_feature'),
        ({'assemblies': [{'sites_in_groups': [[0], [1]], 'group_probabilities': [0.5, 0.5]}]}, 'assemblies'),
        ({'species': [{'name': 'sodium', 'chemical_symbols': ['Na']},
                      {'name': 'Cl', 'chemical_symbols': ['O'], 'attached': ['H'], 'nattached': [1]}]},
                      'site_attachments'),
        ({'species': [{'name': 'sodium', 'chemical_symbols': ['vacancy']}, OXYGEN]}, 'partial occupancy'),
        ({'nsites': 4}, 'sites_mismatch'),
        ({'nelements': 3}, 'formula_mismatch'),
        ({'chemical_formula_reduced': 'ClHNa'}, 'formula_mismatch'),
        ({'chemical_formula_reduced': 'Cl2Na'}, 'formula_mismatch'),
    ],
)  # fmt: skip
def test_what_an_entry_says_of_itself_is_compared(changes, kind):
    queries = []

    def answer(path, query):
        queries.append(query)
        return provider_of(structure('odd', **changes))(path, query)

    with answering_server(answer) as address:
        library, skipped = read_optimade(address)
        taken, _ = read_optimade(address, accept=[kind])
    assert len(library) == 0
    assert [item.kind for item in skipped] == [kind]
    assert {'assemblies', 'nelements', 'nsites', 'chemical_formula_reduced'} <= set(
        queries[1]['response_fields'].split(',')
    )
    assert all(item.remarks[0].startswith(f'{kind}: ') for item in taken)


@pytest.mark.parametrize(
    'changes',
    [
        {'nsites': 2, 'nelements': 2, 'chemical_formula_reduced': 'ClNa'}, {'structure_features': None, 'nsites': None},
        {'assemblies': None}, {'chemical_formula_reduced': 'x'},
        {'species': [{'name': 'sodium', 'chemical_symbols': ['Na'], 'mass': [22.99], 'attached': None},
                     {'name': 'Cl', 'chemical_symbols': ['Cl'], 'nattached': [0], 'attached': ['H']}]},
    ],
)  # fmt: skip
def test_entries_that_agree_are_taken(changes):
    with answering_server(provider_of(structure(**changes))) as address:
        library, skipped = read_optimade(address)
    assert skipped == []
    assert library[0].crystal.formula == 'NaCl'
