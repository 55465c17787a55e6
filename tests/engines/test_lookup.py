"""Pretended failures and durations."""

from __future__ import annotations

import numpy as np
import pytest

from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.engines.table.lookup import duration, fails_on_purpose


def crystals(number: int) -> list[Crystal]:
    return [Crystal(np.eye(3) * (3 + 0.01 * i), ('Cu',), np.zeros((1, 3))) for i in range(number)]


def test_the_share_that_fails_is_the_one_asked_for() -> None:
    failed = [fails_on_purpose(crystal, 0.2) for crystal in crystals(500)]
    assert 0.14 < np.mean(failed) < 0.26
    assert failed == [fails_on_purpose(crystal, 0.2) for crystal in crystals(500)]
    assert not any(fails_on_purpose(crystal, 0) for crystal in crystals(50))
    assert all(fails_on_purpose(crystal, 1) for crystal in crystals(50))


def test_durations_are_log_normal() -> None:
    logs = np.log([duration(crystal, 2.0, 0.5) for crystal in crystals(500)])
    assert logs.mean() == pytest.approx(np.log(2), abs=0.08)
    assert logs.std() == pytest.approx(0.5, abs=0.06)
    assert duration(crystals(1)[0], 0, 1) == 0
