"""The paper folder of campaigns that run, were interrupted or found nothing; LaTeX and BibTeX of odd text."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import Any

import command_line
import pytest

from aiida_inversedesign.campaign.contracts import registry
from aiida_inversedesign.paper import citations, latex

paper = partial(command_line.call, 'paper')


def test_dft_campaigns_cite_their_code_and_say_what_they_cost(resumed: Any, tmp_path: Path) -> None:
    folder = tmp_path / 'paper'
    result = paper(str(resumed[2].pk), '-o', str(folder), '--no-archive')
    assert result.exit_code == 0, result.output
    text = (folder / 'methods.md').read_text().split('## References')[0]
    for words in ('Quantum ESPRESSO', '33 DFT calculations', "'family'", 'Birch–Murnaghan', resumed[1].uuid):
        assert words in text
    entries = set(re.findall(r'^@\w+\{(\w+),', (folder / 'references.bib').read_text(), re.MULTILINE))
    assert {'qe2017', 'aiidaquantumespresso', 'birch1947'} <= entries
    # the functional is not known from the name of the family, so none is cited
    assert 'pbe1996' not in entries
    assert not (folder / 'campaign.aiida').exists()
    assert 'without the AiiDA archive' in (folder / 'README.md').read_text()


def test_an_archive_of_what_has_not_ended_is_refused(graph: Any, tmp_path: Path) -> None:
    node = graph.campaign(state='waiting')
    graph.evaluation(graph.generation(node, 1), 'g001_c0001', [[{'status': 305}]])
    folder = tmp_path / 'paper'
    result = paper(str(node.pk), '-o', str(folder))
    assert result.exit_code == 1
    assert '--no-archive' in result.output
    assert list(tmp_path.iterdir()) == []
    # every evaluation failed and there is no pool: what can be said is said
    result = paper(str(node.pk), '-o', str(folder), '--no-archive')
    assert result.exit_code == 0, result.output
    assert 'there is no hit' in (folder / 'tables/best.tex').read_text()
    assert list((folder / 'crystals').iterdir()) == []
    assert 'the campaign has not ended' in (folder / 'methods.md').read_text()


def test_a_campaign_without_any_evaluation(graph: Any, tmp_path: Path) -> None:
    result = paper(str(graph.campaign().pk), '-o', str(tmp_path / 'paper'), '--no-archive')
    assert result.exit_code == 0, result.output
    assert (tmp_path / 'paper/tables/evaluations.csv').read_text().count('\n') == 1
    assert list((tmp_path / 'paper/figures').iterdir()) == []


@pytest.mark.parametrize(
    ('text', 'expected'),
    [
        ('a_b & 50 % #1 ~x^2 {y} $z', r'a\_b \& 50 \% \#1 \textasciitilde{}x\textasciicircum{}2 \{y\} \$z'),
        ('back\\slash', r'back\textbackslash{}slash'),
        ('5 Å ± 1', r'5 \AA{} $\pm$ 1'),
    ],
)
def test_text_is_escaped(text: str, expected: str) -> None:
    assert latex.escape(text) == expected


def test_numbers_units_and_formulas() -> None:
    assert latex.number(-0.25) == '$-$0.25'
    assert latex.number(1.5e-7) == r'1.5$\times 10^{-7}$'
    assert latex.number(-3) == '$-$3'
    assert latex.number(None) == latex.number(float('nan')) == '--'
    assert latex.unit('Å^3/atom') == r'\AA$^3$/atom'
    assert latex.unit('W/m^2') == 'W/m$^{2}$'
    assert latex.formula('Ca3(PO4)2') == 'Ca$_{3}$(PO$_{4}$)$_{2}$'


def test_long_tables_break_over_pages() -> None:
    rows = [[str(number), 'x'] for number in range(latex.LONGEST + 1)]
    text = latex.table('caption', 'label', [('r', 'one'), ('l', 'two')], rows)
    assert r'\begin{longtable}{rl}' in text
    assert r'\endhead' in text


@pytest.mark.parametrize('key', citations.entries())
def test_every_publication_can_be_found(key: str) -> None:
    entry = citations.entries()[key]
    assert entry.count('{') == entry.count('}')
    assert citations.field_of(key, 'author')
    assert citations.field_of(key, 'title')
    doi = citations.field_of(key, 'doi')
    assert not doi or re.fullmatch(r'10\.\d{4,}/\S+', doi)
    if entry.startswith('@article'):
        assert re.fullmatch(r'(19|20)\d\d', citations.field_of(key, 'year'))
        assert citations.field_of(key, 'journal')
        assert doi or key == 'scikitlearn2011'
    assert not re.search(r'[{}\\]', citations.sentence(key))


def test_every_citation_has_an_entry() -> None:
    parts = [
        part.citations
        for station in ('sources', 'surrogates', 'acquisitions')
        for part in registry.parts(station).values()
    ]
    cited = [citations.INITIAL, *parts, *citations.GENERATORS.values()]
    assert {key for keys in cited for key in keys} <= set(citations.entries())
