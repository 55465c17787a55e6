"""Node types: what goes in comes out, it can be queried, and nothing is pickled."""

from __future__ import annotations

import numpy as np
import pytest

from aiida_inversedesign.campaign.candidate import Candidate, Verdict
from aiida_inversedesign.campaign.goal import Goal
from aiida_inversedesign.campaign.row import EvaluationRow
from aiida_inversedesign.chemistry.crystal import Crystal

pytestmark = pytest.mark.usefixtures('aiida_profile_clean')

DIAMOND = Crystal(
    np.array([[0, 1.78, 1.78], [1.78, 0, 1.78], [1.78, 1.78, 0]]), ('C', 'C'), np.array([[0, 0, 0], [0.25, 0.25, 0.25]])
)
GOAL = Goal.model_validate({'objectives': [{'property': 'bulk_modulus', 'maximize': True, 'hit': 350}]})


def candidates() -> list[Candidate]:
    close = Verdict(False, 0.4, 'C and C are 0.4 of the sum of their radii apart')
    return [
        Candidate(
            'g001_c0001',
            'C',
            DIAMOND,
            'cspml',
            template='aflow:A_cF8',
            probability=0.9,
            rank=1,
            assignment={'Si': 'C'},
            volume_scale=0.3,
            verdicts={'distance': Verdict(True, 1.0)},
        ),
        Candidate('g001_c0002', 'C', DIAMOND, 'cspml', verdicts={'sites': Verdict(True), 'distance': close}),
        Candidate('g001_c0003', 'CN', None, 'cspml', verdicts={'charge': Verdict(False, None, 'not neutral')}),
    ]


def rows() -> list[EvaluationRow]:
    return [
        EvaluationRow(
            'g001_c0001',
            1,
            'initial',
            'C',
            'completed',
            DIAMOND,
            DIAMOND.scaled_to(11.4),
            {'bulk_modulus': 432.1},
            hit=True,
            predicted={'bulk_modulus': (400.0, 30.0)},
            dft_calculations=9,
            core_hours=0.02,
        ),
        EvaluationRow('g001_c0002', 1, 'control', 'C', 'failed', DIAMOND, reason='pw.x was killed', exit_status=310),
    ]


def test_a_pool_keeps_every_candidate_and_verdict() -> None:
    from aiida.orm import QueryBuilder, load_node

    from aiida_inversedesign.nodes.pool_data import PoolData

    node = PoolData.from_candidates(candidates()).store()
    read = load_node(node.uuid).get_candidates()
    assert [item.id for item in read] == ['g001_c0001', 'g001_c0002', 'g001_c0003']
    assert read[0].assignment == {'Si': 'C'}
    assert np.array_equal(read[0].content.frac_coords, DIAMOND.frac_coords)
    assert read[1].rejected_by == 'distance'
    assert read[2].content is None
    assert (node.count, node.accepted, node.rejected) == (3, 1, {'charge': 1, 'distance': 1})
    found = QueryBuilder().append(PoolData, filters={'attributes.accepted': 1}, project='attributes.keys').all()
    assert found == [[2]]


def test_a_table_keeps_its_rows_and_names_the_best() -> None:
    from aiida.orm import load_node

    from aiida_inversedesign.nodes.table_data import TableData

    node = load_node(TableData.from_rows(rows(), GOAL).store().uuid)
    read = node.get_rows()
    assert read[0].properties == {'bulk_modulus': 432.1}
    assert read[0].predicted == {'bulk_modulus': (400.0, 30.0)}
    assert read[0].relaxed.volume == pytest.approx(11.4)
    assert read[1].relaxed is None
    assert read[1].reason == 'pw.x was killed'
    assert node.counts == {'total': 2, 'completed': 1, 'failed': 1, 'hits': 1, 'distinct_hits': 1}
    assert node.best['candidate'] == 'g001_c0001'


def test_equal_content_has_an_equal_hash_and_empty_tables_can_be_stored() -> None:
    from aiida_inversedesign.nodes.table_data import TableData

    first, second = (TableData.from_rows(rows(), GOAL).store() for _ in range(2))
    assert first.content_hash == second.content_hash
    empty = TableData.from_rows([], GOAL).store()
    assert empty.get_rows() == []
    assert empty.best is None


def test_a_node_without_its_bulk_cannot_be_stored() -> None:
    from aiida.common.exceptions import ValidationError

    from aiida_inversedesign.nodes.pool_data import PoolData

    with pytest.raises(ValidationError, match=r'pool\.parquet'):
        PoolData().store()


def test_a_growing_table_keeps_its_older_rows_in_the_same_files() -> None:
    from dataclasses import replace

    from aiida.orm import load_node

    from aiida_inversedesign.nodes import table_data as table
    from aiida_inversedesign.nodes.parquet import records_from_parquet

    first, failed = rows()
    many = [replace(first, candidate=f'g001_c{index:04d}') for index in range(2 * table.PART)] + [failed]
    node = table.TableData.from_rows(many, GOAL).store()
    assert [row.candidate for row in node.get_rows()] == [row.candidate for row in many]
    assert len(records_from_parquet(node.payload, ())) == len(many)
    # another interpreter: nothing is remembered, and what it writes is the same
    table._parts = table._Parts()
    read = load_node(node.uuid).get_rows()
    later = table.TableData.from_rows([*read, first], GOAL).store()
    files = [dict(item.base.repository.metadata['o']) for item in (node, later)]
    kept = [name for name in files[1] if files[0].get(name) == files[1][name]]
    assert kept == ['rows_00000.parquet', 'rows_00001.parquet']
    assert later.content_hash != node.content_hash
    # a row that changes is written, whatever is remembered of the others
    changed = [replace(read[0], hit=False), *read[1:]]
    assert table.TableData.from_rows(changed, GOAL).get_rows()[0].hit is False


def test_verify_reads_what_was_altered_in_the_storage_again() -> None:
    from aiida.orm import load_node

    from aiida_inversedesign.libraries.library import Library, aflow_library
    from aiida_inversedesign.nodes.library_data import LibraryData
    from aiida_inversedesign.nodes.payload import PayloadData
    from aiida_inversedesign.nodes.pool_data import PoolData
    from aiida_inversedesign.verify.work import prepare

    def alter(node: PayloadData, other: PayloadData) -> None:
        """Give a stored node the file of another one, its attributes left as they are."""
        model = node.backend_entity.model
        model.repository_metadata = other.store().base.repository.metadata
        model.save()

    def read() -> tuple[list[str], int]:
        return [item.id for item in load_node(pool.pk).get_candidates()], len(load_node(library.pk).get_library())

    pool = PoolData.from_candidates(candidates()).store()
    templates = list(aflow_library())
    library = LibraryData.from_library(Library(templates[:3])).store()
    before = read()
    assert before == (['g001_c0001', 'g001_c0002', 'g001_c0003'], 3)
    alter(pool, PoolData.from_candidates(candidates()[:1]))
    alter(library, LibraryData.from_library(Library(templates[:2])))
    assert read() == before, 'a campaign reads each node once'
    prepare()
    assert read() == (['g001_c0001'], 2)


def test_the_cache_keeps_what_was_asked_for_last() -> None:
    from aiida_inversedesign.nodes.payload import PayloadData, ReadCache

    nodes = [PayloadData(content) for content in (b'a', b'b', b'c')]
    read: list[bytes] = []
    cache: ReadCache[bytes] = ReadCache(2)

    def ask(node: PayloadData) -> bytes:
        def payload() -> bytes:
            read.append(node.payload)
            return node.payload

        return cache.get(node, payload)

    first, second, third = nodes
    assert [ask(node) for node in (first, second, first, third, first, second)] == [b'a', b'b', b'a', b'c', b'a', b'b']
    assert read == [b'a', b'b', b'c', b'b']


def test_crystals_and_structure_nodes() -> None:
    from aiida.orm import load_node

    from aiida_inversedesign.nodes.structures import crystal_of, structure_of

    node = structure_of(DIAMOND).store()
    assert crystal_of(load_node(node.pk)).content_hash == DIAMOND.content_hash
