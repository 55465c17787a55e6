"""What can be wrong with a selection."""

from __future__ import annotations

from aiida_inversedesign.errors import InverseDesignError


class SelectError(InverseDesignError):
    """A batch cannot be chosen from its inputs."""
