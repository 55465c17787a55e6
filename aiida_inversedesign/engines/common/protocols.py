"""Reading the inputs that a protocol stands for. Imports no aiida."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

from aiida_inversedesign.campaign.contracts.engine import engine_named
from aiida_inversedesign.errors import InverseDesignError


class ProtocolError(InverseDesignError):
    """A protocol that does not exist, or an override that nothing reads."""


@cache
def _read(engine: str) -> dict[str, Any]:
    text = files(engine_named(engine).protocols).joinpath('protocols.yaml').read_text(encoding='utf8')
    data: dict[str, Any] = yaml.safe_load(text)
    return data


def protocol_inputs(
    engine: str, protocol: str | None = None, overrides: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The inputs of a protocol.

    :param engine: name of the engine, e.g. ``quantumespresso``.
    :param protocol: default: the file's own.
    :raises ProtocolError: if there is no such protocol, or an override is not one of its keys.
    """
    data = _read(engine)
    protocol = protocol or data['default_protocol']
    _check([protocol], data['protocols'], f'protocol of {engine}')
    inputs = {**data['default_inputs'], **data['protocols'][protocol]}
    del inputs['description']
    _check(overrides or (), inputs, f'key of the protocols of {engine}')
    return {**inputs, **(overrides or {})}


def _check(given: Iterable[str], known: Iterable[str], what: str) -> None:
    known = list(known)
    for word in given:
        if word not in known:
            near = difflib.get_close_matches(word, known, n=1)
            hint = f'did you mean {near[0]!r}? ' if near else ''
            raise ProtocolError(f'{word!r} is not a {what}: {hint}There are {", ".join(known)}')
