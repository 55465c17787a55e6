"""The base of all errors that are addressed to the person who works with the package."""

from __future__ import annotations


class InverseDesignError(ValueError):
    """Something in what was supplied cannot be used; the message says what, where and what to do."""
