"""Campaign files are data: nothing in them is executed, and they name no file outside their folder."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from aiida_inversedesign.campaign.files import FileRefusedError, inside, read_bounded
from aiida_inversedesign.campaign.load import CampaignFileError, parse_campaign, read_campaign

GOOD = """\
name: good
goal: {objectives: [{property: bulk_modulus, maximize: true}]}
space: {elements: [B, N], ratios: ["1:1"]}
propose: {library: aflow, model: shipped}
evaluate: {engine: ase, code: python@localhost, calculator: emt, arguments: {}}
budget: {evaluations: 8}
"""


def refused(text: str) -> str:
    start = time.process_time()
    with pytest.raises(CampaignFileError) as error:
        parse_campaign(text)
    assert time.process_time() - start < 5
    return str(error.value)


def test_the_file_that_the_others_are_made_of_is_valid() -> None:
    assert parse_campaign(GOOD).name == 'good'


@pytest.mark.parametrize('levels', [2, 12])
def test_references_are_refused_before_they_are_followed(levels: int) -> None:
    lines = ['a0: &a0 [x, x, x, x, x, x, x, x, x]']
    lines += [f'a{n}: &a{n} [{", ".join([f"*a{n - 1}"] * 9)}]' for n in range(1, levels)]
    assert 'references such as *a0 are not read' in refused('\n'.join([*lines, GOOD]))


@pytest.mark.parametrize('word', ['!!python/object/apply:os.system [id]', '!!python/name:os.system', '!include /etc/x'])
def test_tags_build_nothing(word: str) -> None:
    assert 'could not determine a constructor for the tag' in refused(GOOD.replace('good', word))


@pytest.mark.parametrize('text', [r'"\x1b[2J"', r'"\ud800"', r'"a\u202eb"', r'"\0"'])
def test_characters_that_steer_a_terminal_are_refused(text: str) -> None:
    assert 'control characters are not allowed' in refused(GOOD.replace('aflow', text))


def test_many_problems_are_counted_not_listed() -> None:
    message = refused(''.join(f'key{n}: 1\n' for n in range(15_000)) + GOOD)
    assert len(message.splitlines()) < 40
    assert '14970 further problems' in message


@pytest.mark.parametrize(
    ('arguments', 'words'),
    [
        ('{command: reboot}', "'command' may not be set here"),
        ('{castep_command: reboot}', "'castep_command' may not be set here"),
        ('{model: "https://example.org/x.model"}', 'no paths, addresses or commands'),
        ('{model: ../x.model}', 'no paths, addresses or commands'),
        ('{parameters: "pair_style lj\\nshell id"}', 'no paths, addresses or commands'),
        ('{fmax: .nan}', 'must be finite'),
    ],
)
def test_a_calculator_is_given_no_command_and_no_path(arguments: str, words: str) -> None:
    assert words in refused(GOOD.replace('arguments: {}', f'arguments: {arguments}'))


def test_a_calculator_is_given_words_and_numbers() -> None:
    text = GOOD.replace('arguments: {}', 'arguments: {model: medium, default_dtype: float64, dispersion: true, D: 1.5}')
    assert parse_campaign(text).evaluate.arguments['model'] == 'medium'


@pytest.mark.parametrize('name', ['..os', 'os.path', 'a/b', ''])
def test_a_calculator_is_a_plain_name(name: str) -> None:
    assert 'evaluate.calculator' in refused(GOOD.replace('emt', f'"{name}"'))


class TestModelFile:
    """A campaign file may name a model file, in its own folder or below."""

    def write(self, folder: Path, name: str) -> Path:
        file = folder / 'campaigns' / 'campaign.yaml'
        file.parent.mkdir(exist_ok=True)
        file.write_text(GOOD.replace('shipped', name))
        return file

    def test_beside_the_file(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        file = self.write(tmp_path, 'models/mine.npz')
        (file.parent / 'models').mkdir()
        (file.parent / 'models' / 'mine.npz').write_bytes(b'x')
        monkeypatch.chdir(tmp_path)
        assert Path(read_campaign(file).propose.model) == Path('campaigns/models/mine.npz')
        monkeypatch.chdir(file.parent)
        assert read_campaign('campaign.yaml').propose.model == 'models/mine.npz'

    @pytest.mark.parametrize('name', ['../secret.npz', 'x/../../secret.npz', '/secret.npz'])
    def test_not_outside(self, tmp_path: Path, name: str) -> None:
        (tmp_path / 'secret.npz').write_bytes(b'x')
        with pytest.raises(CampaignFileError, match='leads out of the folder'):
            read_campaign(self.write(tmp_path, name))

    def test_not_through_a_link(self, tmp_path: Path) -> None:
        (tmp_path / 'secret.npz').write_bytes(b'x')
        file = self.write(tmp_path, 'mine.npz')
        (file.parent / 'mine.npz').symlink_to(tmp_path / 'secret.npz')
        with pytest.raises(CampaignFileError, match='leads out of the folder'):
            read_campaign(file)

    @pytest.mark.parametrize('name', ['a\0b', 'x' * 5000])
    def test_a_name_that_is_none(self, tmp_path: Path, name: str) -> None:
        with pytest.raises(FileRefusedError):
            read_bounded(inside(tmp_path, name), 10)


class TestRegularFiles:
    """What has no end is not read."""

    def test_a_pipe_is_not_waited_for(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / 'pipe')
        with pytest.raises(FileRefusedError, match='not a regular file'):
            read_bounded(tmp_path / 'pipe', 10)

    def test_a_device(self) -> None:
        with pytest.raises(FileRefusedError, match='not a regular file'):
            read_bounded(Path('/dev/zero'), 10)

    def test_one_byte_too_many(self, tmp_path: Path) -> None:
        (tmp_path / 'file').write_bytes(bytes(11))
        assert read_bounded(tmp_path / 'file', 11) == bytes(11)
        with pytest.raises(FileRefusedError, match='larger than 10 bytes'):
            read_bounded(tmp_path / 'file', 10)
