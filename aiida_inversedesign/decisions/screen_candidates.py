"""The verdicts of a potential as a calculation: unpack pool and results, judge, pack the pool."""

from __future__ import annotations

from typing import Any

from aiida.engine import ExitCode, calcfunction
from aiida.orm import Dict

from aiida_inversedesign.campaign.spec import CampaignSettings
from aiida_inversedesign.nodes.pool_data import PoolData
from aiida_inversedesign.nodes.table_data import TableData
from aiida_inversedesign.screen.potentials.judge import judged
from aiida_inversedesign.screen.potentials.questions import answered

#: Exit status where the results come from two versions of a potential, or two sets of weights.
MIXED_POTENTIALS = 312


@calcfunction
def screen_candidates(settings: Dict, pool: PoolData, table: TableData | None = None, **results):
    """Judge the candidates of a pool by what a potential said of them.

    :param settings: the campaign file without its budget.
    :param pool: the candidates.
    :param table: evaluations so far; what relaxed to a crystal of one of them is rejected.
    :param results: of the jobs, by their labels.
    :return: ``pool``: the same candidates in the same order, those with results relaxed and with a verdict, or with
        the properties that the potential was asked for.
    """
    found = [node.get_dict() for _, node in sorted(results.items())]
    identities = {
        (item['identity'].get('weights_sha256'), *sorted(_potential_versions(item['identity']).items()))
        for item in found
    }
    if len(identities) > 1:
        words = '; '.join(', '.join(map(str, item)) for item in sorted(identities, key=str))
        return ExitCode(
            MIXED_POTENTIALS,
            f'the jobs used different potentials, whose energies must not be compared ({words}): '
            'install one version on the computer and start a new campaign',
        )
    spec = CampaignSettings.model_validate(settings.get_dict())
    records = [record for item in found for record in item['records']]
    rows = table.get_rows() if table else []
    candidates = judged(spec, pool.get_candidates(), records, rows)
    if spec.screen.estimate_cost is not None:
        candidates = answered(spec, candidates, records)
    return {'pool': PoolData.from_candidates(candidates, spec.space.kind)}


def _potential_versions(identity: dict[str, Any]) -> dict[str, str]:
    """Versions of what decides on energies: the potential's own package."""
    return {
        name: value for name, value in identity['versions'].items() if name not in ('python', 'ase', 'numpy', 'torch')
    }
