"""Campaigns that wait for answers: told at once, in parts, late, corrected, as replicates, wrongly, too late."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiida.orm import load_node
from click.testing import CliRunner
from rehearsal import make_library

from aiida_inversedesign.audit.audit import audit
from aiida_inversedesign.audit.load import load_record
from aiida_inversedesign.audit.status import describe
from aiida_inversedesign.campaign.load import validate_campaign
from aiida_inversedesign.cli import cli
from aiida_inversedesign.cli.lab.folder import take_files
from aiida_inversedesign.engines.external.questions import Questions
from aiida_inversedesign.engines.external.reading import Answered, AnswerError, answer_of_words
from aiida_inversedesign.engines.external.recording import attached, record, record_file, refuse_if_ended
from aiida_inversedesign.graph.control import stop_request
from aiida_inversedesign.nodes.library_data import LibraryData
from aiida_inversedesign.processes import timed_wait
from aiida_inversedesign.verify.run import is_sound, verify
from aiida_inversedesign.workchains.build import build_campaign
from aiida_inversedesign.workchains.foreground import run_campaign
from aiida_inversedesign.workchains.resume import resume_campaign
from aiida_inversedesign.workchains.stopping import request_stop

#: Adds an answer: campaign, what is open.
Lab = Callable[[Any, list[dict[str, Any]]], None]


@pytest.fixture
def run(aiida_profile_clean: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Runs a campaign in this interpreter; at each look of what waits, a laboratory may tell something."""
    monkeypatch.setattr(timed_wait, 'FIRST', 0.02)

    def start(lab: Lab, **sections: Any) -> Any:
        data: dict[str, Any] = {
            'name': 'alloys',
            'seed': 3,
            'goal': {'objectives': [{'property': 'strength', 'maximize': True, 'hit': 1000}]},
            'space': {
                'kind': 'parameters',
                'variables': {'speed': {'min': 0, 'max': 10}, 'heat': {'min': 0, 'max': 1}},
            },
            'select': {'initial': 3, 'batch': 2},
            'evaluate': {'engine': 'external', 'units': {'strength': 'MPa', 'hardness': 'HV'}},
            'budget': {'evaluations': 5},
        }
        for name, section in sections.items():
            data[name] = section and {**data.get(name, {}), **section}
        data = {name: section for name, section in data.items() if section is not None}
        look, wrong = timed_wait.TimedWaitWorkChain._look, []

        def told_before(process: Any) -> None:
            questions = Questions(process.node.caller.caller)
            try:
                if found := questions.open():
                    lab(questions, found)
            except BaseException as error:
                wrong.append(error)
                request_stop(questions.campaign, kill=True)
            look(process)

        monkeypatch.setattr(timed_wait.TimedWaitWorkChain, '_look', told_before)
        files = data.pop('files', {})
        node = run_campaign(build_campaign(validate_campaign(data).model_copy(update=files)))
        if wrong:
            raise wrong[0]
        return node

    return start


def value_of(questions: Any, name: str) -> float:
    values = questions.node(name)['values']
    return float(values['speed'] + 5 * values['heat'])


def tell(questions: Any, name: str, *words: str, kind: Any = 'answer', failed: str = '', **about: str) -> str:
    return record(questions, Answered(name, answer_of_words(words, questions.units, kind, failed, **about)))


def answer_first(questions: Any, found: list[dict[str, Any]]) -> None:
    """One answer at each look."""
    name = found[0]['candidate']
    tell(questions, name, f'strength={value_of(questions, name)} ± 0.1')


def assert_clean(node: Any) -> None:
    report = verify(node)
    assert is_sound(report), report['findings']
    assert report['evaluations']['identical'] > 0, report['evaluations']


@pytest.mark.parametrize('schedule', ['generations', 'asynchronous'])
def test_a_campaign_asks_waits_and_learns(run: Callable[..., Any], schedule: str) -> None:
    node = run(answer_first, select={'initial': 3, 'batch': 2, 'schedule': schedule})
    assert node.is_finished_ok
    rows = node.outputs.table.get_rows()
    assert len(rows) == 5
    for row in rows:
        values = row.proposed.values
        assert row.properties == {'strength': pytest.approx(values['speed'] + 5 * values['heat'])}
        assert row.errors == {'strength': 0.1}
    assert_clean(node)
    figures = audit(load_record(node))
    assert (figures['evaluations']['completed'], figures['evaluations']['failed']) == (5, 0)
    with pytest.raises(AnswerError, match='has ended'):
        refuse_if_ended(node, None)


@pytest.mark.parametrize('schedule', ['generations', pytest.param('asynchronous', marks=pytest.mark.slow)])
def test_parts_failures_replicates_and_late_corrections(run: Callable[..., Any], schedule: str, tmp_path: Path) -> None:
    """Of what was told after its evaluation had ended the row is replaced, and the first answer stays visible."""
    raw = tmp_path / 'curve.csv'
    raw.write_text('1,2\n')
    steps: list[str] = []
    corrected: list[str] = []

    def lab(questions: Any, found: list[dict[str, Any]]) -> None:
        names = [item['candidate'] for item in found]
        if not steps:
            steps.extend(names)
            tell(questions, names[0], 'hardness=3')
            shown = describe(questions.campaign)
            assert any('waits for strength (answered: hardness)' in item['what'] for item in shown['running'])
            assert Questions(questions.campaign).open()[0]['answered'] == ['hardness']
            answered = Answered(names[0], answer_of_words(['strength=7'], questions.units))
            assert record(questions, answered, attached([raw]), {'instrument': 'Instron'}) == 'recorded'
            assert tell(questions, names[0], 'strength=7') == 'known'
            for kind in ('answer', 'replicate'):
                with pytest.raises(AnswerError, match=r'not a property|answered before'):
                    tell(questions, names[0], 'strength=8' if kind == 'answer' else 'strenght=8', kind=kind)
            tell(questions, names[1], failed='the sample broke')
        elif steps[0] not in names and len(corrected) < 2 and steps[2] in names:
            # the first has been taken, the third is still open
            ended = Questions(questions.campaign).asked
            if ended[steps[0]].is_running or ended[steps[1]].is_running:
                return
            tell(questions, steps[0], 'strength=9', kind='correction', note='wrong cross section')
            tell(questions, steps[1], 'strength=4', kind='correction')
            tell(questions, steps[1], 'strength=5', kind='replicate')
            corrected.extend(steps[:2])
            tell(questions, steps[2], 'strength=1')
        elif corrected:
            answer_first(questions, found)

    node = run(lab, select={'initial': 3, 'batch': 3, 'schedule': schedule})
    assert node.is_finished_ok
    rows = {row.candidate: row for row in node.outputs.table.get_rows()}
    assert len(rows) == 5
    assert rows[steps[0]].properties == {'strength': 9.0, 'hardness': 3.0}
    assert rows[steps[1]].properties == {'strength': 4.5}
    assert rows[steps[1]].errors == {'strength': pytest.approx(0.5)}
    assert rows[steps[1]].status == 'completed'
    assert_clean(node)
    figures = audit(load_record(node))
    assert (figures['evaluations']['completed'], figures['evaluations']['failed']) == (5, 0)
    answered = Questions(node).answers()
    assert [item['counts'] for item in answered if item['candidate'] == steps[0]] == [True, False, True]
    assert [item['counts'] for item in answered if item['candidate'] == steps[1]] == [False, True, True]
    assert answered[1]['about']['files'].startswith('curve.csv ')
    output = (
        CliRunner().invoke(cli, ['ask', str(node.pk), '--answers', '--format', 'csv'], catch_exceptions=False).output
    )
    assert 'no, corrected' in output
    assert 'Instron' in output


def test_a_deadline_turns_open_ones_into_failures(run: Callable[..., Any], caplog: Any) -> None:
    def lab(questions: Any, found: list[dict[str, Any]]) -> None:
        if not answered:
            answered.append(found[0]['candidate'])
            tell(questions, answered[0], 'strength=3')
            tell(questions, found[1]['candidate'], 'hardness=3')

    answered: list[str] = []
    # long enough for the first answers on a busy machine
    evaluate = {'deadline_days': 6 / 86400}
    node = run(lab, evaluate=evaluate, budget={'evaluations': 3})
    rows = {row.candidate: row for row in node.outputs.table.get_rows()}
    assert rows.pop(answered[0]).status == 'completed'
    assert {row.status for row in rows.values()} == {'failed'}
    reasons = sorted(row.reason for row in rows.values())
    assert all(text.startswith('no answer within ') for text in reasons)
    assert any('strength missing' in text for text in reasons)
    assert_clean(node)


def test_a_file_with_wrong_rows_loses_nothing(run: Callable[..., Any], tmp_path: Path) -> None:
    path, seen = tmp_path / 'results.csv', []

    def lab(questions: Any, found: list[dict[str, Any]]) -> None:
        if seen:
            answer_first(questions, found)
            return
        names = [item['candidate'] for item in found]
        path.write_bytes(
            '\ufeffcandidate,speed,strength (MPa),failed\n'
            f'{names[0]},1,5.5,\n{names[1]},1,"5,5",\nnobody,1,3,\n{names[2]},1,,broke\n'.encode()
        )
        first = record_file(questions, path, 'answer', {})
        assert first['recorded'] == [names[0], names[2]]
        assert 'line 3' in first['problems'][0]
        assert 'write 5.5' in first['problems'][0]
        assert "line 4: 'nobody' was not asked for" in first['problems'][1]
        again = record_file(questions, path, 'answer', {})
        assert (again['recorded'], again['known']) == ([], [names[0], names[2]])
        seen.append(first)

    node = run(lab, budget={'evaluations': 3})
    assert sorted(row.status for row in node.outputs.table.get_rows()) == ['completed', 'completed', 'failed']
    assert_clean(node)


def test_the_commands(run: Callable[..., Any], tmp_path: Path, caplog: Any) -> None:
    caplog.set_level(logging.ERROR)
    said: list[str] = []

    def call(*arguments: str, code: int = 0) -> str:
        result = CliRunner().invoke(cli, list(arguments), catch_exceptions=False)
        assert result.exit_code == code, result.output
        return result.output

    def lab(questions: Any, found: list[dict[str, Any]]) -> None:
        pk, name = str(questions.campaign.pk), found[0]['candidate']
        if not said:
            table = call('ask', pk)
            assert 'strength (MPa)' in table
            assert f'aiida-inversedesign tell {pk} {name}' in table
            data = json.loads(call('ask', pk, '--format', 'json'))
            assert data['open'][0]['settings'].keys() == {'speed', 'heat'}
            sheet = call('ask', pk, '--format', 'csv')
            assert sheet.startswith('candidate,speed,heat,strength (MPa),hardness (HV),strength_error,')
            assert 'given in' in call('tell', pk, name, 'strength=3 GPa', code=1)
            assert 'name a candidate' in call('tell', pk, code=1)
            assert 'give one of them' in call('tell', pk, name, 'strength=1', '--replicate', '--correct', code=1)
            assert f'recorded: {name}' in call('tell', pk, name, 'strength=3', '±', '0.1', 'MPa', '--instrument', 'x')
            assert 'nothing changed' in call('tell', pk, name, 'strength=3 ± 0.1 MPa')
            (tmp_path / 'r.csv').write_text(sheet)
            assert 'no row has an answer yet' in call('tell', pk, '--file', str(tmp_path / 'r.csv'))
            said.append(pk)
            return
        call('tell', pk, name, '--failed', 'broke')

    node = run(lab, budget={'evaluations': 3})
    assert 'has ended' in call('tell', str(node.pk), 'a', 'strength=3', code=1)
    assert 'waits for nothing' in call('ask', str(node.pk))
    assert 'strength' in call('status', str(node.pk))


def test_what_was_told_before_a_kill_counts_after_resume(run: Callable[..., Any]) -> None:
    before: list[str] = []
    missing: list[list[str]] = []

    def lab(questions: Any, found: list[dict[str, Any]]) -> None:
        if not before:
            before.extend(item['candidate'] for item in found)
            tell(questions, before[0], 'hardness=3')
            request_stop(questions.campaign, kill=True)
        elif stop_request(questions.campaign.pk) is None:
            item = found[0]
            if item['candidate'] == before[0]:
                missing.append(item['missing'])
            tell(questions, item['candidate'], *(f'{name}=5' for name in item['missing']))

    goal = {'constraints': [{'property': 'hardness', 'min': 1}]}
    first = run(lab, budget={'evaluations': 3}, goal=goal)
    assert 'stopped by' in first.outputs.stop_reason.value
    builder, _ = resume_campaign(first, {})
    node = run_campaign(builder)
    rows = {row.candidate: row for row in node.outputs.table.get_rows()}
    assert missing[0] == ['strength']
    assert rows[before[0]].properties == {'hardness': 3.0, 'strength': 5.0}
    assert len(rows) == 3
    assert_clean(node)
    with pytest.raises(AnswerError, match=f'was resumed as {node.pk}'):
        refuse_if_ended(first, node)


def test_a_folder_that_a_robot_fills(run: Callable[..., Any], tmp_path: Path) -> None:
    def lab(questions: Any, found: list[dict[str, Any]]) -> None:
        names = [item['candidate'] for item in found]
        (tmp_path / 'raw.dat').write_text('1 2')
        good, bad = tmp_path / 'a.csv', tmp_path / 'b.CSV'
        good.write_text(f'candidate,strength,files\n{names[0]},4,raw.dat\n')
        bad.write_text('strength\n4\n')
        (tmp_path / 'c.csv.part').write_text('candidate,stre')
        assert take_files(questions.campaign, tmp_path, 'answer', {}) == []
        for path in (good, bad):
            os.utime(path, (0, 0))
        outcomes = take_files(questions.campaign, tmp_path, 'answer', {'instrument': 'robot'})
        assert [len(item['recorded']) for item in outcomes] == [1, 0]
        for name in names[1:]:
            tell(questions, name, failed='broke')

    node = run(lab, budget={'evaluations': 3})
    assert (tmp_path / 'done' / 'a.csv').exists()
    assert 'no column `candidate`' in (tmp_path / 'refused' / 'b.CSV.txt').read_text()
    assert (tmp_path / 'c.csv.part').exists()
    answered = Questions(node).answers()[0]
    assert answered['about'].items() >= {'instrument': 'robot', 'file': 'a.csv line 2'}.items()
    assert load_node(answered['pk']).base.repository.get_object_content('raw.dat') == '1 2'


def test_crystals_are_asked_for_with_their_cifs(run: Callable[..., Any], tmp_path: Path) -> None:
    LibraryData.from_library(make_library(), label='metals').store()
    seen: list[dict[str, Any]] = []

    def lab(questions: Any, found: list[dict[str, Any]]) -> None:
        if not seen:
            arguments = ['ask', str(questions.campaign.pk), '--cif', str(tmp_path), '--format', 'json']
            result = CliRunner().invoke(cli, arguments, catch_exceptions=False)
            seen.extend(json.loads(result.output)['open'])
        tell(questions, found[0]['candidate'], 'band_gap=0 eV')

    node = run(
        lab,
        goal={'objectives': [{'property': 'band_gap', 'maximize': True}]},
        space=None,
        propose={'library': 'metals', 'method': 'library'},
        budget={'evaluations': 3},
        evaluate={'units': {}},
    )
    assert node.is_finished_ok
    assert [row.status for row in node.outputs.table.get_rows()] == ['completed'] * 3
    for item in seen:
        assert (tmp_path / f'{item["candidate"]}.cif').read_text() == item['cif']
        assert item['settings'].keys() == {'formula'}
    assert_clean(node)
    audit(load_record(node))


@pytest.mark.parametrize('schedule', [pytest.param('generations', marks=pytest.mark.slow), 'asynchronous'])
def test_the_best_is_measured_again_as_a_row_of_its_own(run: Callable[..., Any], schedule: str, tmp_path: Path) -> None:
    """Of starting data too; a repeat is charged, is asked for like all others, and is not another hit."""
    known = tmp_path / 'earlier.csv'
    known.write_text('speed,heat,strength\n1,0.5,3.5\n2,0.5,4.5 ± 0.1\n9.9,1,15\n')
    calls: list[str] = []

    def lab(questions: Any, found: list[dict[str, Any]]) -> None:
        name = found[0]['candidate']
        calls.append(name)
        tell(questions, name, f'strength={value_of(questions, name) + 0.01 * len(calls):.4f}')

    node = run(
        lab,
        goal={'objectives': [{'property': 'strength', 'maximize': True, 'hit': 9}]},
        select={'initial': 3, 'batch': 2, 'schedule': schedule, 'replicate': 3},
        budget={'evaluations': 7},
        files={'known': str(known)},
    )
    assert node.is_finished_ok, node.exit_message
    rows = node.outputs.table.get_rows()
    again = [row for row in rows if row.arm == 'replicate']
    assert again
    assert {row.candidate for row in again} <= set(calls)
    for row in again:
        origin = row.candidate.rpartition('_r')[0]
        first = next(item for item in rows if item.candidate == origin)
        assert (row.key, row.copy_of) == (first.key, origin)
        assert 'strength' in row.predicted
        assert not row.is_distinct_hit
    assert node.outputs.table.counts['total'] == len(calls) == 7
    assert_clean(node)
    figures = audit(load_record(node))
    assert figures['evaluations']['total'] == 7
    assert figures['evaluations']['distinct_hits'] == sum(row.is_distinct_hit for row in rows)
    assert any(item['arm'] == 'replicate' for item in figures['by_arm'])
    describe(node)
