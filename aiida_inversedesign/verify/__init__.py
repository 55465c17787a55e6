"""``verify``: every decision of a campaign taken again from its stored inputs, and the graph checked against itself."""

from __future__ import annotations

from aiida_inversedesign.verify.run import verify

__all__ = ['verify']
