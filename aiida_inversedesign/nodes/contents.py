"""The nodes of a space's candidates, as the space's own module of the AiiDA shell makes them."""

from __future__ import annotations

import importlib
from typing import Any

from aiida.orm import Data

from aiida_inversedesign.campaign.contracts.registry import part


def _shell(kind: str) -> Any:
    return importlib.import_module(part('spaces', kind).nodes)


def node_of(kind: str, content: Any) -> Data:
    """An unstored node of a content; its label is what people are shown.

    :param kind: of the space.
    """
    node: Data = _shell(kind).node_of(content)
    return node


def content_of(kind: str, node: Data) -> Any:
    """The content of a node.

    :param kind: of the space.
    """
    return _shell(kind).content_of(node)
