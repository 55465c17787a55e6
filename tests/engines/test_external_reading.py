"""Answers as people write them: what is read, and what is refused with a message that says what to write."""

from __future__ import annotations

import math
from typing import Any

import pytest

from aiida_inversedesign.engines.external.combine import Answer, combine, counts
from aiida_inversedesign.engines.external.reading import AnswerError, answer_of_words, measurement, read_sheet, sheet_of

UNITS = {'strength': 'MPa', 'volume': 'Å^3/atom', 'temperature': '°C', 'index': ''}


@pytest.mark.parametrize(
    ('text', 'value', 'error'),
    [
        ('45.2', 45.2, None),
        ('45.2 MPa', 45.2, None),
        ('45.2MPa', 45.2, None),
        ('45.2 ± 0.4', 45.2, 0.4),
        ('45.2±0.4 MPa', 45.2, 0.4),
        ('45.2±0.4MPa', 45.2, 0.4),
        ('45.2 ± 4e-1MPa', 45.2, 0.4),
        ('45.2 +- 0.4 MPa', 45.2, 0.4),
        ('45.2 +/- 4e-1', 45.2, 0.4),
        ('-1.5e2', -150.0, None),
        ('\u22121.5', -1.5, None),
        ('45.2 ± 0', 45.2, 0.0),
    ],
)
def test_measurements_are_read(text: str, value: float, error: float | None) -> None:
    found = measurement(text, 'strength', 'MPa')
    assert found == {'value': value, 'unit': 'MPa'} | ({} if error is None else {'error': error})


@pytest.mark.parametrize(
    ('text', 'says'),
    [
        ('45,2', 'write 45.2'),
        ('45,2 MPa', 'not a number'),
        ('45.2 ± 0,4', 'write 0.4'),
        ('45.2 ± ', 'the error'),
        ('45.2 ± -0.1', 'negative'),
        ('45.2 GPa', "given in 'GPa'; the campaign has it in MPa"),
        ('45.2 mpa', "given in 'mpa'"),
        ('45.2 ± 0.4 psi', "given in 'psi'"),
        ('high', 'not a number'),
        ('nan', 'not a number'),
        ('inf', 'not a number'),
        ('', 'not a number'),
        ('1e999', 'larger than'),
        ('1e200', 'larger than'),
        ('45.2(4)', 'value ± error'),
        ('<45', 'not a number'),
        ('1 234.5', 'not a number'),
        ('12:30', 'not a number'),
    ],
)
def test_what_is_not_a_measurement_is_refused(text: str, says: str) -> None:
    with pytest.raises(AnswerError) as error:
        measurement(text, 'strength', 'MPa')
    assert says in str(error.value)
    assert 'strength' in str(error.value)


@pytest.mark.parametrize(
    ('name', 'unit'), [('volume', 'Å³/atom'), ('volume', 'A\u030a^3/atom'), ('temperature', 'degC')]
)
def test_units_may_be_spelled_differently(name: str, unit: str) -> None:
    assert measurement(f'5 {unit}', name, UNITS[name])['unit'] == UNITS[name]


def test_words_of_a_command() -> None:
    answer = answer_of_words(['strength=45.2', '±', '0.4', 'MPa', 'index=3'], UNITS, instrument=' Instron ')
    assert answer.values == {
        'strength': {'value': 45.2, 'unit': 'MPa', 'error': 0.4},
        'index': {'value': 3, 'unit': ''},
    }
    assert answer.about == {'instrument': 'Instron'}


@pytest.mark.parametrize(
    ('words', 'failed', 'says'),
    [
        (['45.2'], '', 'write property=value'),
        (['strenght=3'], '', "did you mean 'strength'"),
        (['strength=3', 'strength=4'], '', 'twice'),
        (['strength=3'], 'broke', 'one or other'),
        ([], 'x' * 3000, 'attach a file'),
    ],
)
def test_wrong_words_are_refused(words: list[str], failed: str, says: str) -> None:
    with pytest.raises(AnswerError, match=says):
        answer_of_words(words, UNITS, failed=failed)


def read(text: str | bytes) -> Any:
    return read_sheet(text if isinstance(text, bytes) else text.encode(), 'r.csv', UNITS, {'speed'})


@pytest.mark.parametrize('mark', ['utf-8-sig', 'utf-8', 'utf-16'])
@pytest.mark.parametrize('delimiter', [',', ';', '\t'])
@pytest.mark.parametrize('newline', ['\n', '\r\n'])
def test_files_of_spreadsheets_are_read(mark: str, delimiter: str, newline: str) -> None:
    lines = ['candidate,speed,strength (MPa),strength_error,note', 'a,20,45.2,0.4,"first"', 'b,40,,,', 'c,60,44,,x']
    text = newline.join(line.replace(',', delimiter) for line in lines)
    sheet = read(text.encode(mark))
    assert sheet.problems == []
    assert [answered.candidate for answered in sheet.answered] == ['a', 'c']
    assert sheet.answered[0].answer.values['strength'] == {'value': 45.2, 'unit': 'MPa', 'error': 0.4}
    assert sheet.answered[0].answer.about == {'note': 'first', 'file': 'r.csv line 2'}


@pytest.mark.parametrize(
    ('row', 'says'),
    [
        ('b,45,2,', '5 cells'),
        ('b,"45,2",', 'write 45.2'),
        ('b,45 GPa,', "given in 'GPa'"),
        ('b,45,broke', 'one or other'),
        (',45,', 'no candidate'),
        ('b', '1 cells for 3 headings'),
        ('b,?,', 'not a number'),
    ],
)
def test_a_wrong_row_keeps_no_other_from_being_read(row: str, says: str) -> None:
    sheet = read(f'candidate,strength,failed\na,45,\n{row}\nc,,broke\n')
    assert [answered.candidate for answered in sheet.answered] == ['a', 'c']
    assert sheet.answered[1].answer.failed == 'broke'
    [problem] = sheet.problems
    assert problem.startswith('r.csv line 3: ')
    assert says.replace('5 cells', '4 cells') in problem


def test_decimal_commas_of_a_file_with_semicolons() -> None:
    sheet = read('candidate;strength\na;45,2\nb;45.3\n')
    assert [answered.candidate for answered in sheet.answered] == ['b']
    assert 'write 45.2' in sheet.problems[0]


def test_of_duplicated_headings_the_rows_are_read_in_which_they_agree() -> None:
    sheet = read('candidate,strength,strength\na,45,45\nb,45,46\nc,,44\n')
    assert [answered.candidate for answered in sheet.answered] == ['a', 'c']
    assert 'is there 2 times' in sheet.problems[0]
    assert 'r.csv line 3' in sheet.problems[1]
    assert 'differ: 45 and 46' in sheet.problems[1]


@pytest.mark.parametrize(
    ('text', 'says'),
    [
        (b'', 'no headings'),
        (b'\n', 'no headings'),
        (b'strength\n3\n', 'no column `candidate`'),
        (b'candidate,strengt\na,3\n', "did you mean 'strength'"),
        (b'candidate,strength (GPa)\na,3\n', "given in 'GPa'"),
        (b'candidate,strength_error [GPa]\na,3\n', "given in 'GPa'"),
        (b'candidate,note\na,3\nb,\xb5\n', 'line 3: not UTF-8'),
    ],
)
def test_files_that_cannot_be_understood(text: bytes, says: str) -> None:
    with pytest.raises(AnswerError) as error:
        read(text)
    assert says in str(error.value)
    assert 'r.csv' in str(error.value)


def test_the_sheet_of_ask_is_read_by_tell() -> None:
    rows = sheet_of([{'candidate': 'a', 'settings': {'speed': 20.0}}], ['speed'], UNITS)
    assert rows[0][:3] == ['candidate', 'speed', 'strength (MPa)']
    rows[1][2] = '45.2'
    sheet = read('\n'.join(','.join(row) for row in rows))
    assert [answered.answer.values for answered in sheet.answered] == [{'strength': {'value': 45.2, 'unit': 'MPa'}}]
    assert sheet.problems == []


def answered(value: float, kind: Any = 'answer', error: float | None = None, name: str = 'strength') -> Answer:
    item = {'value': value, 'unit': 'MPa'} | ({} if error is None else {'error': error})
    return Answer({name: item}, kind=kind)


def failed(kind: Any = 'answer') -> Answer:
    return Answer(failed='broke', kind=kind)


def test_answers_are_combined() -> None:
    one = combine([answered(3, error=0.2), answered(7, name='index')])
    assert one.record()['strength'] == {'value': 3, 'unit': 'MPa', 'source': 'answer', 'error': 0.2}
    assert one.missing(['strength', 'index', 'volume']) == ['volume']
    three = combine([answered(3), answered(5, 'replicate'), answered(4, 'replicate'), failed('replicate')]).record()[
        'strength'
    ]
    assert (three['value'], three['error'], three['source']) == (4, pytest.approx(1 / math.sqrt(3)), '3 replicates')
    # two that happen to agree are known no better than their own errors say
    assert combine([answered(3, error=0.2), answered(3, 'replicate', 0.2)]).record()['strength'][
        'error'
    ] == pytest.approx(0.2 / math.sqrt(2))
    corrected = [answered(3), answered(5, 'replicate'), answered(8, 'correction')]
    assert combine(corrected).record()['strength']['value'] == 8
    assert [counts(corrected, number) for number in range(3)] == [False, False, True]
    assert combine([answered(3), failed('correction')]).failed == 'broke'
    assert combine([failed(), answered(3, 'correction')]).record()['strength']['value'] == 3
    assert combine([failed()]).missing(['strength']) == []
    assert combine([]).missing(['strength']) == ['strength']
