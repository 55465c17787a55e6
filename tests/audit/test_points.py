"""Audit, tables and page of campaigns whose candidates are points, from records made without a profile."""

from __future__ import annotations

from dataclasses import replace

import pytest
from made_points import made_points
from made_record import made_record
from test_report import page_of

from aiida_inversedesign.audit import frames
from aiida_inversedesign.audit.audit import audit
from aiida_inversedesign.paper import citations
from aiida_inversedesign.report import theme
from aiida_inversedesign.report.figures import coordinates
from aiida_inversedesign.spaces.parameters.space import ParameterSpace

RECORD = made_points()


@pytest.fixture(scope='module')
def page():
    return page_of(RECORD)


def test_figures_of_crystals_are_not_known_with_the_reason():
    figures = audit(RECORD)
    for name in ('uniqueness', 'novelty', 'diversity', 'stability'):
        assert figures[name]['value'] is None
        assert figures[name]['reason'] == 'it is a figure of crystals, and the candidates are points'
    assert figures['campaign']['space'] == {'kind': 'parameters', 'key_name': 'point', 'nouns': 'points'}
    assert audit(made_record(4))['campaign']['space']['key_name'] == 'formula'


def test_a_table_has_variables_errors_and_units():
    table = frames.evaluations(RECORD)
    assert list(table.columns[:7]) == ['candidate', 'point', 'x1', 'rate', 'variable_status', 'shape', 'generation']
    assert {'template', 'prototype'}.isdisjoint(table.columns)
    assert table.attrs['units']['x1'] == 'mm^2'
    assert table.attrs['units']['toughness_error'] == 'J'
    for place, item in enumerate(RECORD.evaluations):
        assert table['x1'][place] == item.proposed.values['x1']
        assert table['variable_status'][place] == item.proposed.values['status']
        assert table['status'][place] == item.status
        assert table['toughness_error'][place] == 0.731 or not item.properties
    # the rows of another table are other evaluations
    assert list(frames.hits(RECORD)['x1']) == [item.proposed.values['x1'] for item in RECORD.evaluations if item.hit]
    assert not any(name.endswith('_error') for name in frames.evaluations(made_record(4)).columns)


def test_the_page_speaks_of_points_and_draws_no_crystal(page):
    text = page.text.partition('Campaign file and budget')[0]
    for word in ('crystal', 'CIF', 'prototype', 'formula', 'Elements', 'template'):
        assert word.lower() not in text.lower(), word
    assert 'Best points' in text
    assert 'points meet the goal; the best is x1=' in text
    # counts are lowered in formulas only
    assert not any(tag == 'sub' for tag, _ in page.tags)
    assert page.data['table']['cifs'] is None
    assert ' ± 0.73 J' in text


def test_the_page_has_a_column_for_each_variable(page):
    columns = {key: (place, title, kind) for place, (key, title, kind) in enumerate(page.data['table']['columns'])}
    assert columns['key'][1:] == ('point', 'text')
    assert columns['v:x1'][1:] == ('x1 (mm²)', 'number')
    assert columns['v:shape'][1:] == ('shape', 'text')
    assert columns['e:toughness'][1] == '± measured toughness (J)'
    for row, item in zip(page.data['table']['rows'], RECORD.evaluations, strict=True):
        assert row[columns['v:status'][0]] == item.proposed.values['status']
        assert row[columns['status'][0]] == item.status


@pytest.mark.parametrize('minimize', [False, True])
def test_each_line_passes_its_values_and_the_best_are_darkest(minimize):
    record = made_points(minimize=minimize)
    plot = next(plot for plot in page_of(record).data['figures'] if plot['id'] == 'plot-variables')
    lines = [trace for trace in plot['data'] if trace['mode'] == 'lines']
    scale = [trace for trace in lines if trace['line']['color'] in theme.SCALE]
    best = min if minimize else max
    best_item = best(
        (item for item in record.evaluations if item.properties), key=lambda item: item.properties['toughness']
    )
    assert scale[-1]['line']['color'] == theme.SCALE[-1]
    assert best_item.candidate in str(scale[-1]['customdata'])
    drawn = {}
    for trace in lines:
        for begin in range(0, len(trace['x']), 6):
            name = trace['customdata'][begin][0]
            drawn[name[name.rindex('(') + 1 : -1]] = trace['x'][begin : begin + 5]
    assert len(drawn) == len(record.evaluations)
    for item in record.evaluations:
        values = item.proposed.values
        x1, rate, status, shape, toughness = drawn[item.candidate]
        assert x1 == pytest.approx(values['x1'] / 10, abs=1e-3)
        assert 10 ** (4 * rate - 2) == pytest.approx(values['rate'], rel=0.01)
        assert (status, shape) == ((values['status'] - 1) / 2, float(values['shape'] == 'square'))
        assert (toughness is None) == (not item.properties)
    stars = next(trace for trace in plot['data'] if trace['name'] == 'hit')
    assert len(stars['x']) == 5 * sum(item.hit is True for item in record.evaluations) > 0


def test_of_many_lines_the_hits_stay(monkeypatch):
    monkeypatch.setattr(coordinates, 'MOST_LINES', 5)
    section = coordinates.section(RECORD, {})
    hits = {item.candidate for item in RECORD.evaluations if item.hit}
    traces = [trace for trace in section.plots[0].figure.data if trace.mode == 'lines']
    shown = {text[0] for trace in traces for text in trace.customdata}
    assert len(shown) < len(RECORD.evaluations)
    assert all(any(name in text for text in shown) for name in hits)
    assert 'hits among them' in section.notes[0]


def test_words_of_a_choice_become_no_markup():
    page = page_of(made_points(text='<u>'))
    assert not any(tag == 'u' for tag, _ in page.tags)
    plot = next(plot for plot in page.data['figures'] if plot['id'] == 'plot-variables')
    assert '<u>' not in str(plot)
    assert 'square&lt;u&gt;' in str(plot)


def test_a_space_that_names_no_variables_gets_the_plain_table(monkeypatch):
    monkeypatch.setattr(ParameterSpace, 'coordinates', lambda self, contents: [])
    page = page_of(replace(RECORD))
    assert not any(plot['id'] == 'plot-variables' for plot in page.data['figures'])
    assert not any(key.startswith('v:') for key, _, _ in page.data['table']['columns'])
    assert 'x1=' in page.text
    assert list(frames.evaluations(RECORD).columns[:3]) == ['candidate', 'point', 'generation']


def test_an_empty_campaign_has_a_page():
    assert 'There is no point to show: no evaluation has been launched.' in page_of(made_points(0)).text


def test_a_sobol_sequence_is_cited_only_where_one_was_drawn():
    grid = ParameterSpace.model_validate({'kind': 'parameters', 'variables': {'a': {'values': [1, 2]}}})
    line = ParameterSpace.model_validate({'kind': 'parameters', 'variables': {'a': {'min': 1, 'max': 2}}})
    assert citations.of_source('sobol', grid) == ('listing every point of the grid', [])
    assert citations.of_source('sobol', line)[1] == ['sobol1967', 'owen1998']
    assert citations.of_source('cspml', RECORD.space)[1][0] == 'cspml2022'
    assert citations.of_source('nowhere', line) == ('nowhere', [])


def test_a_space_says_what_restricts_it():
    space = ParameterSpace.model_validate(
        {
            'kind': 'parameters',
            'variables': {
                'a': {'min': 0, 'max': 1, 'unit': 'g'},
                'b': {'min': 0, 'max': 1},
                'c': {'min': 1e-3, 'max': 10, 'scale': 'log', 'unit': 'Pa'},
                'd': {'values': list(range(20))},
            },
            'mixtures': [{'variables': ['a', 'b']}],
            'constraints': [{'weights': {'a': 1, 'c': 2}, 'max': 5}],
        }
    )
    assert space.plan() == [
        ('space', '4 variables, a continuous space'),
        ('variable', 'a: 0 … 1 g'),
        ('variable', 'b: 0 … 1'),
        ('variable', 'c: 0.001 … 10 Pa, log'),
        ('variable', 'd: 0 … 19, 20 values'),
        ('constraint', 'a + b = 1'),
        ('constraint', '1 a + 2 c ≤ 5'),
    ]
    assert space.methods().endswith('d (0 … 19, 20 values), with a + b = 1; 1 a + 2 c ≤ 5.')
