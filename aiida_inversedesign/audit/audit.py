"""The audit of a campaign: every figure from provenance alone, read only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from aiida_inversedesign.audit import metrics
from aiida_inversedesign.audit.definitions import DEFINITIONS, versions
from aiida_inversedesign.audit.many_objects import many_objects
from aiida_inversedesign.audit.record import AuditError, CampaignRecord
from aiida_inversedesign.campaign.contracts.engine import engine_named
from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.chemistry.formulas import parse_formula
from aiida_inversedesign.graph.evaluation_account import STATUSES
from aiida_inversedesign.graph.job_record import cost_of

if TYPE_CHECKING:
    from aiida import orm

__all__ = ['SCHEMA', 'AuditError', 'audit']

#: Version of the keys; the version of each figure's definition is beside it.
SCHEMA = 'inversedesign/2'
#: Which crystals are compared with each other and with the library.
Structures = Literal['auto', 'none', 'evaluated', 'all']
#: Most evaluations whose crystals are compared without being asked for: seconds, not minutes.
MOST_COMPARED = 64


@many_objects()
def audit(
    campaign: orm.WorkChainNode | int | str | CampaignRecord,
    structures: Structures = 'auto',
    verified: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Every figure of a campaign, those it resumed included, as plain JSON data.

    :param campaign: its node, PK or UUID, or its record.
    :param structures: whose crystals are compared for uniqueness, novelty and diversity: ``evaluated`` candidates,
        ``all`` that passed every filter, ``none``, or ``auto``: the evaluated ones if there are no more than 64.
    :param verified: what ``verify`` found, for the reproducibility.
    :raises AuditError: if it is another node, or cannot be understood.
    """
    if not isinstance(campaign, CampaignRecord):
        from aiida_inversedesign.audit.load import load_record

        campaign = load_record(campaign)
    record, goal = campaign, campaign.goal
    outcomes = record.evaluations
    steps = metrics.progress(outcomes, goal)
    cost = cost_of(record.jobs)
    hours = metrics.core_hours(record.jobs, cost.core_hours)
    by_status = {name: [item.candidate for item in outcomes if item.status == name] for name in STATUSES}
    ended = len(by_status['completed']) + len(by_status['failed'])
    compared, new = _compared(record, structures)
    stability = _stability(record, structures)
    completed = [item for item in outcomes if item.status == 'completed']
    stability['stable_unique_novel'] = metrics.stable_unique_novel(completed, stability.get('e_above_hull') or {}, new)
    report = {
        'schema': SCHEMA,
        'source': record.source,
        'campaign': {
            'uuid': record.uuid,
            'name': record.name,
            'state': record.state,
            'resumes': list(record.resumed),
            'units': record.units,
            'space': {'kind': record.space_kind, 'key_name': record.space.key_name, 'nouns': record.space.nouns},
        },
        'versions': record.versions,
        'goal': goal.described(),
        'remarks': _remarks(record),
        'evaluations': metrics.counts(outcomes),
        'dft_calculations': metrics.count_dft(record.jobs),
        **hours,
        'spent_on': metrics.spent_on(
            record.jobs,
            by_status['failed'],
            by_status['running'],
            by_status['stopped'],
            [item.candidate for item in outcomes if item.copy_of],
        ),
        'hit_rate': metrics.rate_of(outcomes, goal),
        **metrics.hit_figures(metrics.hit_costs(steps), ended, replace(cost, core_hours=hours['core_hours']), goal),
        'enrichment': metrics.enrichment(outcomes, goal, record.answers, record.answers_reason),
        'acceleration': metrics.acceleration(outcomes, goal, record.answers, record.answers_reason),
        'validity': metrics.validity(record.candidates),
        'screening': {
            **metrics.screening(record.candidates, record.screenings, record.settings.screen.potential),
            'estimates': metrics.estimates(outcomes, goal.properties),
        },
        'rules': metrics.rules(outcomes, record.candidates, record.settings.screen.further.get('rules'), goal),
        **compared,
        'calibration': metrics.calibration(outcomes, goal.properties),
        'stability': stability,
        'reproducibility': metrics.reproducibility(outcomes, verified),
        'by_generation': metrics.by_generation(outcomes, goal),
        'by_generator': metrics.by_generator(outcomes, goal),
        'by_proposer': metrics.by_proposer(outcomes, record.candidates, goal),
        'by_surrogate': metrics.by_surrogate(outcomes, goal),
        'by_acquisition': metrics.by_acquisition(outcomes, goal),
        'by_arm': metrics.by_arm(outcomes, goal),
        'known': metrics.known(record.known, goal, record.settings.known or ''),
        'transfer': metrics.transfer(record.generations),
        **_stop_reason(record),
        'best': metrics.best(
            outcomes, goal, e_above_hull=stability.get('e_above_hull'), same_settings=not record.looks_up
        ),
        'progress': steps,
        'definitions': versions(),
    }
    for name in DEFINITIONS.keys() & report.keys():
        if isinstance(report[name], dict) and 'value' in report[name]:
            report[name]['definition'] = f'{name}/{DEFINITIONS[name][0]}'
    return report


def _remarks(record: CampaignRecord) -> list[str]:
    """What a reader must know of results at the settings of the engine."""
    engine = engine_named(record.engine)
    keys = {item.key for item in record.evaluations} if record.space.of_crystals else ()
    elements = {symbol for key in keys for symbol in parse_formula(key)}
    return [text for text, _ in engine.remarks(record.settings.evaluate, record.goal.properties, elements)]


def _compared(record: CampaignRecord, structures: Structures) -> tuple[dict[str, Any], set[str] | None]:
    """Uniqueness, novelty and diversity, and the candidates whose evaluated crystals are novel, if that is known.

    The main figures are those of the crystals that completed evaluations ended in, those of proposals are named so.
    """
    outcomes = record.evaluations
    names = ('uniqueness', 'novelty', 'uniqueness_of_proposals', 'novelty_of_proposals')
    if not record.space.of_crystals:
        reason = _only_crystals(record)
        nothing = {name: metrics.unknown(reason) for name in names}
        return {**nothing, 'diversity': metrics.number_of_keys(outcomes, reason)}, None
    if structures == 'auto':
        structures = 'evaluated' if len(outcomes) <= MOST_COMPARED else 'none'
    if structures == 'none':
        reason = (
            f'crystals of more than {MOST_COMPARED} evaluations are compared when asked for: --structures evaluated'
        )
        nothing = {name: metrics.unknown(reason) for name in names}
        return {**nothing, 'diversity': metrics.diversity(outcomes, fingerprints=False, reason=reason)}, None
    asked: Sequence[Crystal | None] = (
        [item.content for item in record.candidates if item.accepted]
        if structures == 'all'
        else [item.proposed for item in outcomes]
    )
    proposed = [crystal for crystal in asked if crystal is not None]
    ended = [item for item in outcomes if item.status == 'completed' and item.is_crystal]
    results = [item.result for item in ended]
    known = _library_crystals(record)
    novelty, of_proposals = (
        metrics.unknown('the template library of the campaign is not here')
        if known is None
        else metrics.novelty(crystals, known)
        for crystals in (results, proposed)
    )
    of_proposals.pop('new', None)
    indices = novelty.pop('new', None)
    figures = {
        'uniqueness': {**metrics.uniqueness(results), 'of': 'evaluated crystals'},
        'novelty': {**novelty, 'of': 'evaluated crystals'},
        'uniqueness_of_proposals': {**metrics.uniqueness(proposed), 'of': structures},
        'novelty_of_proposals': {**of_proposals, 'of': structures},
        'diversity': metrics.diversity(outcomes),
    }
    return figures, None if indices is None else {ended[index].candidate for index in indices}


def _library_crystals(record: CampaignRecord) -> list[Crystal] | None:
    """The crystals of the template library, or None if it cannot be read where the record came from."""
    if record.library is None:
        return None
    from aiida_inversedesign.audit.load import load_library

    library = load_library(record)
    return None if library is None else [template.crystal for template in library]


def _only_crystals(record: CampaignRecord) -> str:
    return f'it is a figure of crystals, and the candidates are {record.space.nouns}'


def _stability(record: CampaignRecord, structures: Structures) -> dict[str, Any]:
    if not record.space.of_crystals:
        return metrics.unknown(_only_crystals(record), n=0)
    known = any('e_above_hull' in item.properties for item in record.evaluations)
    if record.references and structures in ('auto', 'none') and len(record.evaluations) > MOST_COMPARED * 8:
        if known:
            figure = metrics.stability(record.evaluations, {})
            return {
                **figure,
                'phases_reason': 'as the last harvest found them; --structures evaluated names the phases',
            }
        return metrics.unknown(
            f'the hull of more than {MOST_COMPARED * 8} evaluations is made when asked for: --structures evaluated', n=0
        )
    return metrics.stability(record.evaluations, record.references)


def _stop_reason(record: CampaignRecord) -> dict[str, Any]:
    if record.stop_reason is not None:
        return {'stop_reason': record.stop_reason}
    if record.has_ended:
        reason = record.exit_message or f'it ended as {record.state} without a reason of its own'
        return {'stop_reason': None, 'stop_reason_reason': reason}
    return {'stop_reason': None, 'stop_reason_reason': 'the campaign has not ended'}
