"""``examples``: the campaign files that come with the package."""

from __future__ import annotations

import shutil
from importlib import resources
from pathlib import Path
from typing import Any

import click

from aiida_inversedesign.cli.common import FOLDER, FORMAT, emit
from aiida_inversedesign.cli.printing import draw, plain_table
from aiida_inversedesign.errors import InverseDesignError


@click.command()
@click.option(
    '--copy',
    'target',
    type=FOLDER,
    help='Copy them, and the data they name, into this folder; it may not have files of these names.',
)
@FORMAT
def examples(target: Path | None, output_format: str) -> None:
    """List the campaign files that come with the package, or copy them into a folder.

    \b
    Examples:
      aiida-inversedesign examples
      aiida-inversedesign examples --copy workflows
    """
    folder = _folder()
    if target is not None:
        _copy(sorted(folder.iterdir()), target)
    found = [{'file': path.name, 'question': _question(path)} for path in sorted(folder.glob('*.yaml'))]
    emit({'folder': str(target or folder), 'files': found}, output_format, _show)


def workflow_file(name: str) -> Path:
    """A campaign file that comes with the package.

    :raises InverseDesignError: if there is none of that name.
    """
    path = _folder() / name
    if not path.is_file():
        raise InverseDesignError(f'no campaign file {name} comes with this package: `examples` lists them')
    return path


def _folder() -> Path:
    """Where they are: in the package, or beside it in a checkout.

    :raises InverseDesignError: if the installation is damaged.
    """
    for folder in (resources.files('aiida_inversedesign') / 'workflows', Path(__file__).parents[2] / 'workflows'):
        if Path(str(folder)).is_dir():
            return Path(str(folder))
    raise InverseDesignError('the example campaigns are missing from this installation: install the package again')


def _copy(files: list[Path], target: Path) -> None:
    if taken := [path.name for path in files if (target / path.name).exists()]:
        raise InverseDesignError(f'{target} already has {", ".join(taken)}: nothing was copied; choose another folder')
    try:
        target.mkdir(parents=True, exist_ok=True)
        for path in files:
            shutil.copyfile(path, target / path.name)
    except OSError as error:
        raise InverseDesignError(f'the examples cannot be copied to {target}: {error.strerror}') from error


def _question(path: Path) -> str:
    """The first sentence of the comment that a campaign file begins with."""
    comment = []
    for line in path.read_text(encoding='utf-8').splitlines():
        if not line.startswith('#'):
            break
        comment.append(line.lstrip('# '))
    return ' '.join(comment).partition('? ')[0] + '?'


def _show(data: dict[str, Any]) -> None:
    table = plain_table('file', 'the question it asks')
    for item in data['files']:
        table.add_row(item['file'], item['question'])
    draw(table)
    click.echo(f'in {data["folder"]}')
