"""What is read of a program that generates crystals: usable ones, and a reason for each that is not."""

from __future__ import annotations

import io
import json
import random
import resource
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hostile_outputs import hostile_outputs
from pydantic import ValidationError

from aiida_inversedesign.campaign.consistency import contradictions_between
from aiida_inversedesign.campaign.generator import Generator
from aiida_inversedesign.campaign.proposing import Propose
from aiida_inversedesign.campaign.screening import Screening
from aiida_inversedesign.campaign.spec import Select
from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.propose import generated
from aiida_inversedesign.propose.generated import read_generated, request_of
from aiida_inversedesign.propose.next_candidates import ProposalError, propose_next, settings_of_a_proposal

FCC = np.array([[0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
NACL = Crystal(5.64 * FCC, ('Na', 'Cl'), [[0, 0, 0], [0.5, 0.5, 0.5]])
BLENDE = Crystal(6.5 * FCC, ('Na', 'Cl'), [[0, 0, 0], [0.25, 0.25, 0.25]])
REQUEST = request_of(Generator(code='gen@there'), [{'Na': 1, 'Cl': 1}], ['Na', 'Cl'], 8, 3)


def cif(crystal: Crystal) -> str:
    return str(crystal.to_pymatgen().to(fmt='cif'))


def xyz(crystal: Crystal, **info: Any) -> str:
    from ase import Atoms
    from ase.io import write

    atoms = Atoms(list(crystal.species), scaled_positions=crystal.frac_coords, cell=crystal.lattice, pbc=True)
    atoms.info |= info
    text = io.StringIO()
    write(text, atoms, format='extxyz')
    return text.getvalue()


def line(crystal: Crystal, **fields: Any) -> str:
    return json.dumps({**crystal.to_dict(), **fields}) + '\n'


def read(tmp_path: Path, **files: str | bytes) -> dict[str, Any]:
    for name, content in files.items():
        path = tmp_path / name.replace('__', '.')
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_generated(tmp_path, REQUEST)


def zipped(**members: str | bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, 'w', zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name.replace('__', '.'), content)
    return buffer.getvalue()


def test_what_is_asked() -> None:
    given = Generator.model_validate(
        {
            'code': 'gen@there',
            'crystals': 3,
            'conditions': {'band_gap': {'value': 1.5, 'guidance': 2}},
            'weights': {'path': '/weights', 'sha256': 'a' * 64},
            'space_groups': [225],
        }
    )
    request = request_of(given, [{'Na': 1, 'Cl': 1}], ['Na', 'Cl'], 8, 3)
    assert request['formulas'] == ['NaCl']
    assert (request['crystals_per_formula'], request['max_sites'], request['seed']) == (3, 8, 3)
    assert request['conditions'] == {'band_gap': {'value': 1.5, 'guidance': 2.0}}
    assert request['weights'] == {'path': '/weights', 'sha256': 'a' * 64}
    assert json.loads(json.dumps(request)) == request


@pytest.mark.parametrize(
    'wrong',
    [
        {},
        {'code': 'g@c', 'crystals': 0},
        {'code': 'g@c', 'space_groups': [231]},
        {'code': 'g@c', 'weights': {'path': '', 'sha256': 'a' * 64}},
        {'code': 'g@c', 'weights': {'path': '/w', 'sha256': 'x'}},
        {'code': 'g@c', 'conditions': {'band_gap': {'value': float('nan')}}},
        {'code': 'g@c', 'speed': 3},
    ],
)
def test_sections_that_cannot_be(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Generator.model_validate(wrong)


def test_every_format_is_read(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        a__jsonl=line(NACL, id='one', score=0.5, parent='mp-1'),
        b__extxyz=xyz(BLENDE, id='two', score=2.0),
        status__json=json.dumps({'version': '1.2', 'deterministic': False, 'other': 3}),
    )
    assert [(item['id'], item['score'], item['parent']) for item in found['records']] == [
        ('one', 0.5, 'mp-1'),
        ('two', 2.0, None),
    ]
    assert (found['found'], found['refused']) == (2, {})
    assert found['status'] == {'version': '1.2', 'deterministic': False}
    assert all(item['formula'] == 'NaCl' for item in found['records'])


@pytest.mark.parametrize('kind', ['cif', 'jsonl', 'extxyz'])
@pytest.mark.parametrize('packed', [False, True])
def test_files_and_zips(tmp_path: Path, kind: str, packed: bool) -> None:
    content = {'cif': cif, 'jsonl': line, 'extxyz': xyz}[kind](NACL)
    files = {'all__zip': zipped(**{f'in/a__{kind}': content})} if packed else {f'a__{kind}': content}
    (record,) = read(tmp_path, **files)['records']
    assert Crystal.from_dict(record).formula == 'NaCl'
    assert len(record['species']) == 2


@pytest.mark.parametrize(
    ('name', 'content', 'kind'),
    [
        ('a__cif', '', 'unreadable'),
        ('a__cif', 'data_x\n_cell_length_a 5\n', 'unreadable'),
        ('a__cif', b'\x00\xff' * 500, 'unreadable'),
        ('a__jsonl', '{"lattice": [[1', 'unreadable'),
        ('a__jsonl', '[1, 2]\n', 'unreadable'),
        ('a__jsonl', '[' * 100_000, 'unreadable'),
        ('a__jsonl', line(NACL).replace('0.5', 'NaN', 1), 'not finite'),
        ('a__jsonl', line(NACL).replace('"Na"', '"Xx"'), 'no element data'),
        ('a__jsonl', line(Crystal(5.6 * FCC, ('K', 'Cl'), [[0, 0, 0], [0.5, 0.5, 0.5]])), 'formula'),
        ('a__extxyz', 'not a number\n', 'unreadable'),
        ('a__extxyz', '1000000000000\nLattice="1 0 0 0 1 0 0 0 1"\nNa 0 0 0\n', 'unreadable'),
        ('a__extxyz', '-3\n\n', 'unreadable'),
        ('a__extxyz', '2\nno lattice here\nNa 0 0 0\nCl 2 2 2\n', 'no lattice'),
        ('a__zip', b'PK\x03\x04 no zip', 'unreadable'),
        ('a__zip', zipped(a__cif='data_x')[:-10], 'unreadable'),
        ('a__pkl', b'\x80\x04K\x01.', 'unknown file'),
    ],
)
def test_what_is_wrong_is_a_counted_reason(tmp_path: Path, name: str, content: str | bytes, kind: str) -> None:
    found = read(tmp_path, **{name: content, 'z__jsonl': line(NACL)})
    assert len(found['records']) == 1
    assert sum(found['refused'].values()) >= 1
    assert kind in found['refused'], found
    assert found['examples'][0].startswith(next(iter(found['refused'])))


def test_atoms_on_top_of_each_other_and_copies(tmp_path: Path) -> None:
    close = Crystal(5.64 * FCC, ('Na', 'Cl'), [[0, 0, 0], [0.001, 0, 0]])
    large = Crystal(40 * np.eye(3), ('Na', 'Cl') * 5, np.random.default_rng(1).random((10, 3)))
    found = read(tmp_path, a__jsonl=line(NACL) + line(NACL) + line(close) + line(large))
    assert len(found['records']) == 1
    assert (found['refused']['sites'], found['refused']['atoms_too_close']) == (1, 1)
    assert sum(found['refused'].values()) == 3


def test_nothing_there(tmp_path: Path) -> None:
    assert read_generated(tmp_path / 'missing', REQUEST)['found'] == 0
    assert read_generated(tmp_path, REQUEST)['records'] == []


def test_ten_thousand_crystals_and_bombs_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generated, 'MOST_BYTES', 2**23)
    begun = time.process_time()
    crowd = ''.join(line(NACL.scaled_to(40 + n / 1000), id=f'n{n}') for n in range(10_000))
    found = read(tmp_path, a__jsonl=crowd)
    assert found['refused']['too many'] == 1
    assert len(found['records']) + found['refused']['duplicate structure'] == generated.AT_LEAST
    (tmp_path / 'a.jsonl').unlink()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with (
        zipfile.ZipFile(tmp_path / 'bomb.zip', 'w', zipfile.ZIP_DEFLATED) as archive,
        archive.open('a.cif', 'w') as member,
    ):
        for _ in range(2**8):
            member.write(b'0' * 2**20)
    found = read_generated(tmp_path, REQUEST)
    assert 'decompression bomb' in found['examples'][0]
    # kilobytes; the member has 256 MiB
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2**17
    assert time.process_time() - begun < 60


@pytest.mark.parametrize('seed', range(200))
def test_hostile_output_is_read_in_bounded_time(tmp_path: Path, seed: int) -> None:
    """Good files of every kind, damaged at random."""
    rng = random.Random(seed)
    texts = {
        'jsonl': line(NACL, id='a', score=1) + line(BLENDE, id='b'),
        'extxyz': xyz(NACL, id='c') + xyz(BLENDE),
        'cif': cif(NACL),
        'zip': zipped(a__cif=cif(NACL), b__jsonl=line(BLENDE)),
    }
    suffix = rng.choice(list(texts))
    text = texts[suffix]
    content = bytearray(text if isinstance(text, bytes) else text.encode())
    words = [
        b'NaN',
        b'inf',
        b'-1',
        b'1e308',
        b'999999999999',
        b'"',
        b'{',
        b'\x00',
        b'\xff',
        b'\n',
        b'Xx',
        b'0 0 0',
        b'',
    ]
    for _ in range(rng.randint(1, 6)):
        start = rng.randrange(len(content))
        content[start : start + rng.choice([0, 1, 3, 30])] = rng.choice(words) * rng.choice([1, 1, 1, 50])
    begun = time.process_time()
    found = read(tmp_path, **{f'x__{suffix}': bytes(content), 'status__json': bytes(content[:200])})
    assert time.process_time() - begun < 20
    assert len(found['records']) + sum(found['refused'].values()) >= 1
    for record in found['records']:
        crystal = Crystal.from_dict(record)
        assert crystal.formula == 'NaCl'
        assert np.isfinite(crystal.lattice).all()
    json.dumps(found, allow_nan=False)


def test_malicious_output_of_every_kind(tmp_path: Path) -> None:
    """200 outputs: bombs, crowds, lying archives, odd numbers, deep nesting."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for name, files in hostile_outputs(200, seed=4):
        folder = tmp_path / name
        folder.mkdir()
        for file, content in files.items():
            (folder / file).write_bytes(content)
        begun = time.process_time()
        found = read_generated(folder, REQUEST)
        assert time.process_time() - begun < 30, name
        json.dumps(found, allow_nan=False)
        assert len(json.dumps(found)) < 2**20, name
        for record in found['records']:
            assert Crystal.from_dict(record).formula == 'NaCl'
    # kilobytes
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2**20


def proposed(given: dict[str, Any] | None, **propose: Any) -> list[Any]:
    space = {'formulas': ['NaCl', 'KBr'], 'charge_neutral': 'off', 'max_sites': 8}
    section = {'external': {'code': 'gen@there'}, **propose}
    return propose_next(settings_of_a_proposal(space, section), None, None, 1, generated=given)


def test_the_source_takes_the_best_scores_and_says_what_is_missing(tmp_path: Path) -> None:
    given = read(tmp_path, a__jsonl=line(NACL, id='a', score=0.1) + line(BLENDE, id='b', score=0.9) + '{')
    pool = proposed(given, method='external', top_k=1)
    (crystal,) = [item for item in pool if item.content is not None]
    assert (crystal.key, crystal.proposer, crystal.content.volume) == (
        'NaCl',
        'external',
        pytest.approx(BLENDE.volume),
    )
    (reason,) = [item.verdicts['generator'].reason for item in pool if item.content is None]
    assert reason == 'no crystal: 3 entries; unreadable (1)'
    both = [item for item in proposed(given, method='external', top_k=2) if item.content is not None]
    assert len(both) == 2
    assert sum(item.probability for item in both) == pytest.approx(0.1)


def test_without_results_the_other_sources_go_on() -> None:
    from aiida_inversedesign.libraries.library import aflow_library

    with pytest.raises(ProposalError, match='left no results'):
        proposed(None, method='external')
    space = {'formulas': ['NaCl'], 'charge_neutral': 'off', 'max_sites': 8}
    spec = settings_of_a_proposal(
        space, {'external': {'code': 'g@c'}, 'sources': {'external': 3, 'dissimilarity': 1}, 'top_k': 4}
    )
    pool = propose_next(spec, aflow_library(), None, 1)
    assert {item.proposer for item in pool if item.accepted} == {'dissimilarity'}
    assert [item.rejected_by for item in pool if item.content is None] == ['template']


@pytest.mark.parametrize(
    ('propose', 'says'),
    [
        ({'method': 'external'}, 'needs the section propose.external'),
        ({'sources': {'external': 1, 'cspml': 1}}, 'needs the section propose.external'),
        ({'external': {'code': 'g@c'}}, 'is a section for the source external'),
    ],
)
def test_section_and_source_belong_together(propose: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        settings_of_a_proposal({'formulas': ['NaCl']}, propose)


@pytest.mark.parametrize(
    ('section', 'place'),
    [
        ({'propose': {'method': 'external', 'external': {'code': 'g@c'}}}, ('propose', 'external')),
        ({'screen': {'potential': 'emt', 'code': 'g@c'}}, ('screen', 'potential')),
    ],
)
def test_jobs_of_generations_are_refused_with_a_stream(section: dict[str, Any], place: tuple[str, ...]) -> None:
    sections = {'propose': Propose, 'screen': Screening, 'select': Select}
    given = {**section, 'select': {'schedule': 'asynchronous'}}
    found = contradictions_between({name: kind.model_validate(given.get(name, {})) for name, kind in sections.items()})
    assert [item.location for item in found if 'only with select.schedule generations' in str(item)] == [place]
