"""``calculators``: ASE calculators that a code can make beyond ASE's own, each under a short name."""

from __future__ import annotations

from typing import Any

import click

from aiida_inversedesign.cli.common import FORMAT, emit, load_profile
from aiida_inversedesign.errors import InverseDesignError


@click.group()
def calculators() -> None:
    """Set up ASE calculators such as MACE with a code.

    Campaign files then name them by a short name.

    \b
    Examples:
      aiida-inversedesign calculators add python@cluster mace mace.calculators:mace_mp
      aiida-inversedesign calculators list python@cluster
    """


def _code(label: str) -> Any:
    load_profile()
    from aiida import orm
    from aiida.common.exceptions import MultipleObjectsError, NotExistent

    try:
        return orm.load_code(label)
    except (NotExistent, MultipleObjectsError, ValueError) as error:
        raise InverseDesignError(f'{label!r} does not name one code of this profile: {error}') from error


@calculators.command()
@click.argument('code')
@click.argument('name')
@click.argument('path')
def add(code: str, name: str, path: str) -> None:
    """Set up the calculator NAME with CODE.

    PATH is the import path of the class or function that makes it.

    \b
    Example:
      aiida-inversedesign calculators add python@cluster mace mace.calculators:mace_mp
    """
    from aiida_inversedesign.engines.ase.calculators import add_calculator

    node = _code(code)
    add_calculator(node, name, path)
    click.echo(f'{node.full_label} makes the calculator {name} with {path}; in a campaign file: calculator: {name}')


@calculators.command()
@click.argument('code')
@click.argument('name')
def remove(code: str, name: str) -> None:
    """Remove the calculator NAME from CODE.

    Jobs that ran with it keep their record of it.

    \b
    Example:
      aiida-inversedesign calculators remove python@cluster mace
    """
    from aiida_inversedesign.engines.ase.calculators import remove_calculator

    node = _code(code)
    remove_calculator(node, name)
    click.echo(f'removed {name} from {node.full_label}')


@calculators.command('list')
@click.argument('code')
@FORMAT
def show(code: str, output_format: str) -> None:
    """List the calculators that are set up with CODE.

    \b
    Example:
      aiida-inversedesign calculators list python@cluster
    """
    from aiida_inversedesign.engines.ase.calculators import calculators_of

    def lines(data: dict[str, str]) -> None:
        for name, path in data.items():
            click.echo(f'{name}  {path}')
        if not data:
            click.echo('none')

    emit(calculators_of(_code(code)), output_format, lines)
