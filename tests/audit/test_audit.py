"""The audit against slow, obvious counting on a campaign made by hand."""

from __future__ import annotations

import json

import pytest
from made_record import counts

from aiida_inversedesign.audit.audit import audit
from aiida_inversedesign.audit.metrics import hit_rate


def walk(node):
    """Every calculation job below a node, one by one, with the labels on the way."""
    from aiida.common.links import LinkType
    from aiida.orm import CalcJobNode

    links = node.base.links.get_outgoing(link_type=(LinkType.CALL_WORK, LinkType.CALL_CALC)).all()
    for link in links:
        if isinstance(link.node, CalcJobNode):
            yield (link.link_label,), link.node
        else:
            for path, job in walk(link.node):
                yield (link.link_label, *path), job


def test_against_a_walk(resumed):
    _, first, second = resumed
    report = audit(second.pk)
    jobs = [*walk(first), *walk(second)]
    real = [(path, job) for path, job in jobs if '_aiida_cached_from' not in job.base.extras.all]
    dft = report['dft_calculations']
    assert dft['total'] == len(real)
    assert dft['cached'] == len(jobs) - len(real) == 2
    assert dft['failed'] == sum(job.exit_status != 0 for _, job in real) == 3
    assert dft['references'] == sum(path[1].startswith('reference_') for path, _ in real) == 2
    assert dft['restarts'] == sum(path[-1] in ('iteration_02', 'iteration_03') for path, _ in real) == 3
    assert sum(dft['by_kind'].values()) == dft['total']
    assert dft['by_kind']['equation_of_state'] == sum(path[2].startswith('eos_') for path, _ in real) == 21
    assert dft['by_kind']['reference'] == 2
    hours = [
        job.outputs.output_parameters['wall_time_seconds'] * 2 / 3600
        for _, job in real
        if 'output_parameters' in job.outputs
    ]
    assert report['core_hours'] == pytest.approx(sum(hours))
    assert report['core_hours_not_recorded'] == {'jobs': len(real) - len(hours), 'of': len(real)}


def test_evaluations_and_hits(resumed):
    _, _, second = resumed
    report = audit(second)
    assert report['evaluations'] == counts(total=5, completed=4, failed=1, hits=2, distinct_hits=2)
    assert report['hit_rate'] == {**hit_rate(2, 5), 'definition': 'hit_rate/2'}
    # 2 jobs of references and 10 of its own
    assert report['first_hit']['evaluation'] == 1
    assert report['first_hit']['dft_calculations'] == 12
    assert report['first_hit']['core_hours'] == pytest.approx(12 * 0.2)
    assert report['dft_per_hit'] == report['dft_calculations']['total'] / 2
    # the killed launch of the fourth candidate is charged to its second
    assert [step['dft_calculations'] for step in report['progress']] == [12, 13, 22, 30, 33]
    assert report['progress'][-1]['dft_calculations'] == report['dft_calculations']['total']
    assert [step['best'] for step in report['progress']] == [372, 372, 372, 433, 433]
    assert [entry['generation'] for entry in report['by_generation']] == [1, 2]
    assert sum(entry['dft_calculations'] for entry in report['by_generation']) == report['dft_calculations']['total']
    assert report['best'][0]['candidate'] == 'g001_c0004'
    assert report['stop_reason'] == 'target reached'
    assert report['enrichment']['value'] == 0
    assert report['calibration']['bulk_modulus']['n'] == 1
    assert report['calibration']['bulk_modulus']['mae'] == pytest.approx(10.0)
    assert report['validity']['value'] == 0.5
    assert report['campaign']['units'] == {'bulk_modulus': 'GPa'}


def test_json_has_the_documented_keys_and_reasons(resumed):
    report = json.loads(json.dumps(audit(resumed[2]), allow_nan=False))
    assert report['schema'] == 'inversedesign/2'
    documented = (
        'evaluations dft_calculations core_hours hit_rate first_hit dft_per_hit enrichment validity uniqueness '
        'novelty diversity calibration reproducibility by_generation stop_reason best'
    )
    assert set(documented.split()) <= set(report)

    def check(value):
        if isinstance(value, dict):
            assert value.get('value', 0) is not None or value['reason'], value
            for item in value.values():
                check(item)

    check(report)


def test_the_first_of_the_chain_knows_nothing_of_the_second(resumed):
    from aiida_inversedesign.audit.status import describe
    from aiida_inversedesign.graph.campaigns import chain_of

    _, first, second = resumed
    assert chain_of(first.pk) == [first.pk]
    assert chain_of(second.pk) == [first.pk, second.pk]
    report = audit(first)
    assert report['evaluations'] == counts(total=4, completed=2, failed=1, stopped=1, hits=1, distinct_hits=1)
    status = describe(first)
    assert (status['completed'], status['failed'], status['stopped']) == (2, 1, 1)
    assert report['dft_calculations']['total'] == len(list(walk(first)))
    assert report['stop_reason'] is None
    assert 'killed' in report['stop_reason_reason']


def test_another_campaign_of_equal_settings_is_not_counted(resumed):
    from aiida.orm import Dict

    graph, _, second = resumed
    before = audit(second)
    graph.settings = Dict(graph.settings.get_dict()).store()
    other = graph.campaign()
    graph.evaluation(graph.generation(other, 1), 'g001_c0001', [[{}]], value=1.0, harvested=False)
    assert audit(second) == before


def test_cost_of_a_running_campaign_includes_its_predecessors(resumed):
    from aiida_inversedesign.graph.campaigns import campaign_cost

    _, first, second = resumed
    report = {
        node.pk: sum('_aiida_cached_from' not in job.base.extras.all for _, job in walk(node))
        for node in (first, second)
    }
    assert campaign_cost(first).dft_calculations == report[first.pk]
    cost = campaign_cost(second)
    assert cost.dft_calculations == report[first.pk] + report[second.pk]
    # jobs without a record are charged with an upper bound, but not reported
    assert cost.charged_core_hours >= cost.core_hours


def test_costs_of_one_generation(resumed):
    from aiida.orm import load_node

    from aiida_inversedesign.graph.campaigns import evaluation_costs, generation_ids

    _, first, _ = resumed
    costs = evaluation_costs(load_node(generation_ids([first.pk])[0]))
    assert {label: cost.dft_calculations for label, cost in costs.items()} == {
        'reference_B': 1,
        'reference_N': 1,
        'g001_c0001': 10,
        'g001_c0002': 1,
    }
    assert costs['g001_c0002'].core_hours is None


def test_the_audit_changes_nothing(resumed):
    from aiida.orm import Node, QueryBuilder

    before = sorted(QueryBuilder().append(Node, project=['id', 'mtime']).all())
    audit(resumed[2])
    assert sorted(QueryBuilder().append(Node, project=['id', 'mtime']).all()) == before


def test_the_picture(resumed, tmp_path):
    from aiida_inversedesign.audit.plot import plot_best_so_far

    path = plot_best_so_far(audit(resumed[2]), tmp_path / 'best.png')
    assert path.read_bytes().startswith(b'\x89PNG')
    svg = plot_best_so_far(audit(resumed[2]), tmp_path / 'best.svg').read_text()
    assert len(svg) > 1000
