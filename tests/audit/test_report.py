"""The page of a campaign: what it says in every state, and that nothing from outside becomes markup."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import time
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from made_record import TWO, made_record

from aiida_inversedesign.audit.audit import audit
from aiida_inversedesign.report.html import ReportError, render, write_report

HOSTILE = '"><img src=x onerror=window.pwned=1></script><script>window.pwned=1</script><b>{{7*7}}'


class Page(HTMLParser):
    """The tags, texts, scripts and addresses of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags, self.words, self.scripts, self.addresses, self._open = [], [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._open.append((tag, dict(attrs)))
        self.addresses += [value for name, value in attrs if name in ('src', 'href', 'action', 'srcset')]

    def handle_data(self, data):
        tag, attrs = self._open[-1] if self._open else ('', {})
        if tag == 'script':
            self.scripts.append((attrs.get('type'), data))
        elif tag != 'style':
            self.words.append(data)

    def handle_endtag(self, tag):
        while self._open and self._open.pop()[0] != tag:
            pass

    @property
    def text(self):
        return re.sub(r'\s+', ' ', ''.join(self.words))

    @property
    def data(self):
        return json.loads(next(text for kind, text in self.scripts if kind == 'application/json'))


def page_of(record, others=()):
    return Page(render(record, audit(record), others))


@pytest.fixture(scope='module')
def page():
    return page_of(made_record())


def test_the_answer_comes_first(page):
    record = made_record()
    best = max((item for item in record.evaluations if item.hit), key=lambda item: item.properties['bulk_modulus'])
    hits = sum(item.hit is True for item in record.evaluations)
    value = f'{best.properties["bulk_modulus"]:.4g}'
    assert f'{hits} crystals meet the goal; the best is {best.key} with bulk modulus {value} GPa.' in page.text
    assert 'Stopped – budget used up: 24 of 24 evaluations.' in page.text
    assert 'largest bulk modulus, a hit from 300 GPa' in page.text
    order = [attrs['id'] for tag, attrs in page.tags if tag == 'section']
    assert order == [
        'answer', 'progress', 'rates', 'costs', 'surrogate', 'funnel', 'elements', 'timeline', 'failures',
        'evaluations', 'provenance', 'definitions',
    ]  # fmt: skip
    assert sum(tag == 'svg' and attrs['class'] == 'crystal' for tag, attrs in page.tags) == 5
    assert 'zincblende (B3)' in page.text
    assert 'F-43m (no. 216)' in page.text


def test_every_plot_has_a_place_and_data(page):
    places = {attrs['id'] for tag, attrs in page.tags if attrs.get('class') == 'plot'}
    assert {figure['id'] for figure in page.data['figures']} == places
    assert {'plot-best', 'plot-hits', 'plot-rates', 'plot-kinds', 'plot-fates', 'plot-parity-0'} <= places
    assert {'plot-calibration', 'plot-funnel', 'plot-timeline'} <= places
    assert all(figure['data'] for figure in page.data['figures'])


def test_figures_count_what_the_audit_counts():
    record = made_record()
    figures = audit(record)
    drawn = {figure['id']: figure['data'] for figure in page_of(record).data['figures']}
    total = figures['dft_calculations']['total']
    assert sum(sum(trace['x']) for trace in drawn['plot-kinds']) == total == len(record.jobs) - 1
    assert sum(sum(trace['x']) for trace in drawn['plot-fates']) == total
    assert drawn['plot-hits'][-1]['y'][-1] == figures['evaluations']['distinct_hits']
    assert drawn['plot-hits'][-1]['x'][-1] == total
    funnel = dict(zip(drawn['plot-funnel'][0]['y'], drawn['plot-funnel'][0]['x'], strict=True))
    counts = figures['evaluations']
    assert list(funnel) == ['proposed', 'valid', 'evaluated', 'completed', 'distinct', 'distinct hits']
    assert list(funnel.values()) == [
        *(72, 48, 24, counts['completed'], counts['completed'] - counts['copies'], counts['distinct_hits'])
    ]
    assert sorted(funnel.values(), reverse=True) == list(funnel.values())
    best = next(trace for trace in drawn['plot-best'] if trace['name'] == 'best so far')
    assert best['y'][-1] == pytest.approx(figures['best'][0]['properties']['bulk_modulus'], rel=1e-5)
    rates = next(trace for trace in drawn['plot-rates'] if trace['name'] == 'hit rate')
    assert rates['y'] == pytest.approx([entry['hit_rate']['value'] for entry in figures['by_generation']], rel=1e-5)


def test_random_search_is_drawn_from_the_control_arm(page):
    assert 'estimated from the' in page.text
    names = [
        trace['name'] for figure in page.data['figures'] if figure['id'] == 'plot-hits' for trace in figure['data']
    ]
    assert names == ['random: 95 %', 'random: expected', 'this campaign']


def test_without_a_base_rate_the_page_says_why():
    record = made_record()
    record = replace(record, evaluations=tuple(replace(item, arm='acquisition') for item in record.evaluations))
    page = page_of(record)
    assert (
        'Random search is not drawn: the answers of DFT are not known beforehand, and the campaign has no random'
        in page.text
    )


def test_nothing_from_outside_becomes_markup():
    record, figures = hostile()
    text = render(record, figures)
    page = Page(text)
    assert 'img' not in [tag for tag, _ in page.tags]
    assert [kind for kind, _ in page.scripts] == ['application/json', None, None]
    assert not [attrs for _, attrs in page.tags if any(name.startswith('on') for name in attrs)]
    assert '{{7*7}}' in page.text
    assert page.data['table']['rows'][0][1].endswith(HOSTILE)
    # plotly reads tags in its texts
    shown = json.dumps([figure['data'] for figure in page.data['figures']])
    assert '<img' not in shown
    assert '&lt;img' in shown


def hostile():
    """A record and its audit with markup in every text."""
    record = made_record(12, text=HOSTILE)
    figures = audit(record)
    for entry in (*figures['best'], *figures['progress']):
        entry['key'] += HOSTILE
    evaluations = tuple(replace(item, key=item.key + HOSTILE) for item in record.evaluations)
    return replace(record, evaluations=evaluations), figures


def test_the_page_asks_the_network_for_nothing(page):
    assert all(address.startswith(('#', 'data:')) for address in page.addresses)
    policy = next(attrs['content'] for tag, attrs in page.tags if attrs.get('http-equiv') == 'Content-Security-Policy')
    assert "default-src 'none'" in policy
    for kind, script in page.scripts:
        if kind is None:
            assert f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'" in policy
    assert "'unsafe-inline'" not in policy.split('script-src')[1].split(';')[0]


RUNS = {'state': 'waiting', 'stop_reason': None, 'exit_status': None}
BROKEN = {'stop_reason': None, 'exit_status': None}
UNREACHED = [{'property': 'bulk_modulus', 'maximize': True, 'hit': 9000}]
OPEN = [{'property': 'bulk_modulus', 'maximize': True}]


@pytest.mark.parametrize(
    ('number', 'fields', 'words'),
    [
        (0, RUNS, 'Nothing has been evaluated yet. The campaign is running'),
        (8, {'running': 3, **RUNS}, 'The campaign is running: what follows'),
        (3, {'running': 3, **RUNS}, 'No evaluation has completed yet, 3 are running.'),
        (8, {'fail': 1.0}, 'No evaluation has completed: 8 failed.'),
        (8, {'objectives': UNREACHED}, 'No crystal meets the goal; the nearest is'),
        (8, {'objectives': OPEN}, 'The best crystal is'),
        (8, {'constraints': [{'property': 'band_gap', 'min': 90}]}, 'keeps the constraints.'),
        (8, {'state': 'killed', **BROKEN}, 'The campaign was killed. What follows'),
        (8, {'state': 'excepted', 'exit_message': 'boom', **BROKEN}, 'broke off with an error: boom.'),
        (8, {**BROKEN, 'exit_status': 301, 'exit_message': 'None.'}, 'Ended with exit code 301: None.'),
        (8, {'jobs': False}, 'The engine made no calculation job.'),
    ],
)
def test_every_state_has_a_page(number, fields, words):
    page = page_of(made_record(number, **fields))
    assert words in page.text
    assert {figure['id'] for figure in page.data['figures']} == {
        attrs['id'] for tag, attrs in page.tags if attrs.get('class') == 'plot'
    }


def test_several_objectives_have_a_front():
    page = page_of(made_record(objectives=TWO))
    front = next(figure for figure in page.data['figures'] if figure['id'] == 'plot-pareto-0')
    assert 'Pareto front' in [trace['name'] for trace in front['data']]


def test_constraints_are_drawn_against_the_objective():
    page = page_of(made_record(constraints=[{'property': 'band_gap', 'min': 1.0}]))
    assert 'Objective and constraints' in page.text


def test_campaigns_beside_each_other():
    other = made_record(12, pk=31, name='another')
    page = page_of(made_record(), [(other, audit(other))])
    assert 'another (31)' in page.text
    drawn = next(figure for figure in page.data['figures'] if figure['id'] == 'plot-compare-best')
    assert [trace['name'] for trace in drawn['data']] == ['by hand (9)', 'another (31)']


def test_five_hundred_evaluations_are_quick_and_small(tmp_path):
    record = made_record(500, batch=20, answers=True)
    figures = audit(record)
    start = time.process_time()
    path = write_report(tmp_path / 'report.html', record, figures)
    assert time.process_time() - start < 10
    assert path.stat().st_size < 8e6


def test_errors_say_what_to_do(tmp_path):
    record = made_record(0)
    with pytest.raises(ReportError, match='does not exist: make it first'):
        write_report(tmp_path / 'missing' / 'report.html', record, audit(record))
    with pytest.raises(ReportError, match='is a folder: name a file in it'):
        write_report(tmp_path, record, audit(record))
