"""Nothing is computed twice: real jobs of the ``ase`` engine from AiiDA's cache, and whole evaluations taken over."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from aiida_inversedesign.workchains.foreground import run_campaign

PLUGIN = 'aiida.calculations:inversedesign.ase'


@pytest.fixture
def metals(campaign: Any, tmp_path: Path) -> Any:
    """Campaigns of copper and aluminium with effective-medium theory."""
    from rehearsal import make_library, make_python_code

    from aiida_inversedesign.libraries.library import Library
    from aiida_inversedesign.nodes.library_data import LibraryData

    # those that effective-medium theory knows
    LibraryData.from_library(Library([make_library()[0], make_library()[1]]), label='two metals').store()
    code = make_python_code(tmp_path, 'inversedesign.ase')

    def make(**evaluate: Any) -> Any:
        # the engine is of another kind than that of the fixture: nothing of its section holds
        from aiida_inversedesign.campaign.load import validate_campaign
        from aiida_inversedesign.workchains.build import build_campaign

        _, table = campaign()
        engine = {'engine': 'ase', 'code': code.full_label, 'eos_points': 5, 'free_space_gb': 0, **evaluate}
        spec = validate_campaign(
            {
                **table.settings(),
                'goal': {'objectives': [{'property': 'volume', 'minimize': True}]},
                'propose': {'library': 'two metals', 'method': 'library'},
                'learn': {'surrogate': 'gp'},
                'evaluate': engine,
                'budget': {'evaluations': 2, 'failure_rate': 1.0},
            }
        )
        return build_campaign(spec)

    return make


def jobs_of(node: Any) -> list[Any]:
    """The jobs of a campaign."""
    from aiida.orm import CalcJobNode

    return [child for child in node.called_descendants if isinstance(child, CalcJobNode)]


def audited(node: Any) -> dict[str, Any]:
    from aiida_inversedesign.audit.audit import audit

    return audit(node)


@pytest.mark.slow
def test_jobs_come_from_the_cache_and_evaluations_from_the_profile(metals: Any) -> None:
    from aiida.manage.caching import enable_caching

    with enable_caching(identifier=PLUGIN):
        first, second = run_campaign(metals(caching=True)), run_campaign(metals(caching=True))
    for node in (first, second):
        assert node.is_finished_ok, node.exit_message
        assert len(jobs_of(node)) == 2
    assert not any(job.base.caching.is_created_from_cache for job in jobs_of(first))
    assert [job.base.caching.is_created_from_cache for job in jobs_of(second)] == [True, True]
    # they are not jobs of a DFT code, but copies all the same
    assert audited(second)['spent_on']['cache_copies']['calculations'] == 2
    assert audited(second)['evaluations']['reused'] == 0
    third = run_campaign(metals(reuse=True))
    assert third.is_finished_ok, third.exit_message
    assert jobs_of(third) == []
    assert audited(third)['evaluations']['reused'] == 2
    tables = [{row.formula: row.properties['volume'] for row in node.outputs.table.get_rows()} for node in
              (first, second, third)]  # fmt: skip
    assert tables[0] == tables[1] == tables[2]
    assert len(tables[0]) == 2


@pytest.mark.slow
def test_failures_are_neither_cached_nor_taken_over(metals: Any) -> None:
    from aiida.manage.caching import enable_caching

    hopeless = {'fmax': 1e-9, 'steps': 1, 'caching': True, 'reuse': True}
    with enable_caching(identifier=PLUGIN):
        first, second = run_campaign(metals(**hopeless)), run_campaign(metals(**hopeless))
    for node in (first, second):
        assert [job.exit_status for job in jobs_of(node)] == [410, 410]
        assert not any(job.base.caching.is_created_from_cache for job in jobs_of(node))
        assert node.outputs.table.counts['failed'] == 2
        assert audited(node)['evaluations']['reused'] == 0


def test_without_the_cache_of_the_profile_caching_is_refused(metals: Any) -> None:
    from aiida_inversedesign.workchains.build import SetupError

    with pytest.raises(SetupError, match=r'caching\.enabled_for aiida\.calculations:inversedesign\.ase'):
        metals(caching=True)
