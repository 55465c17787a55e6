"""Calculators that ASE's own list does not have: set up with a code, used in campaign files by a short name.

A campaign file is data and must not choose code to run. Which function makes a calculator is therefore stored with the
AiiDA code, by the user who set it up, and the job is given it as an input.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from importlib import resources
from typing import Any

from aiida import orm

from aiida_inversedesign.campaign.contracts.engine import Trial, engine_named
from aiida_inversedesign.campaign.properties import own_stages
from aiida_inversedesign.engines.common.properties import PHONONS
from aiida_inversedesign.errors import InverseDesignError

#: Extra of a code: import path of each calculator by its short name.
EXTRA = 'inversedesign_calculators'

#: The script of the job, and the number of elements on which a calculator is tried.
SCRIPT, MOST_TRIED = 'relax_ase.py', 24

_PATH = re.compile(r'[A-Za-z_]\w*(\.[A-Za-z_]\w*)*[:.][A-Za-z_]\w*')
_NAME = re.compile(r'[A-Za-z]\w{0,49}')


class CalculatorError(InverseDesignError):
    """A calculator that cannot be set up, and what to write instead."""


def calculators_of(code: orm.AbstractCode) -> dict[str, str]:
    """Import paths of the calculators that are set up with a code, by name."""
    return dict(code.base.extras.get(EXTRA, {}))


def add_calculator(code: orm.AbstractCode, name: str, path: str) -> None:
    """Set a calculator up with a code; one of the same name is replaced.

    :param path: of a class or function that makes it, e.g. ``mace.calculators:mace_mp``.
    :raises CalculatorError: if name or path are not such.
    """
    if not _NAME.fullmatch(name):
        raise CalculatorError(f'{name!r} cannot be the name of a calculator: write letters, digits and _ only')
    if not _PATH.fullmatch(path):
        raise CalculatorError(f'{path!r} is not an import path: write package.module:Class')
    code.base.extras.set(EXTRA, {**calculators_of(code), name: path})


def remove_calculator(code: orm.AbstractCode, name: str) -> None:
    """Remove a calculator from a code.

    :raises CalculatorError: if it has none of this name.
    """
    known = calculators_of(code)
    if name not in known:
        raise CalculatorError(f'{code.full_label} has no calculator {name!r}; it has {", ".join(known) or "none"}')
    code.base.extras.set(EXTRA, {key: value for key, value in known.items() if key != name})


def port(name: str, section: Any, code: orm.Data | None) -> dict[str, orm.Data]:
    """The input ``engine.<name>`` with the import path of a section's calculator; none for one that ASE knows."""
    path = None
    if section is not None and isinstance(code, orm.AbstractCode):
        path = calculators_of(code).get(section.calculator)
    return {} if path is None else {name: orm.Str(path)}


def trial(name: str, section: Any, inputs: Mapping[str, orm.Data], calculator: str, spec: Any) -> Trial:
    """The script of the job, which makes its calculator and tries it on the elements of the space.

    :param name: the port of the code. :param calculator: the port of the import path.
    """
    path = inputs.get(calculator)
    job = {
        'calculator': section.calculator,
        'arguments': section.arguments,
        'importable': path.value if isinstance(path, orm.Str) else '',
        'phonons': PHONONS.name
        in own_stages(engine_named(spec.evaluate.engine).computed(spec.evaluate, spec.goal.properties)),
        'elements': sorted(spec.space.elements_used)[:MOST_TRIED],
        'periodic': spec.space.of_crystals,
    }
    package = resources.files('aiida_inversedesign')
    script, guard = package / 'engines' / 'ase' / SCRIPT, package / 'processes' / 'guard.py'
    texts = {SCRIPT: script.read_text(), 'guard.py': guard.read_text(), 'input.json': json.dumps(job)}
    return Trial(name, (SCRIPT, '--try'), texts, expects='^ready', is_light=True)


def tries(spec: Any, inputs: Mapping[str, orm.Data]) -> Iterator[Trial]:
    """The calculator of a campaign with the engine ``ase``."""
    if 'code' in inputs:
        yield trial('code', spec.evaluate, inputs, 'calculator', spec)


def prepare(spec: Any, inputs: Mapping[str, orm.Data], problems: list[str]) -> dict[str, orm.Data]:
    """The calculator of a campaign with the engine ``ase``."""
    return port('calculator', spec.evaluate, inputs.get('code'))
