"""What the results of a potential say of the candidates: relaxed crystals, verdicts, duplicates, and their order.

Energy is a soft term beside the probability of a candidate, never the order itself: of held-out stable compounds the
lowest energy alone found the right crystal at rank 1 less often than the proposal did (docs/screening.md). The order
within a formula is that of log p - E/kT, with E the energy above the lowest candidate of the formula in eV/atom.
"""

from __future__ import annotations

import dataclasses
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from aiida_inversedesign.campaign.candidate import Candidate, Verdict
from aiida_inversedesign.campaign.properties import PROPERTIES
from aiida_inversedesign.campaign.row import EvaluationRow
from aiida_inversedesign.campaign.screening import Screening
from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.chemistry.elasticity import moduli
from aiida_inversedesign.chemistry.validity import closest_contact
from aiida_inversedesign.screen.potentials.holes import OVERLAP, without_holes
from aiida_inversedesign.screen.potentials.phases import is_phase, stabilities

if TYPE_CHECKING:
    from aiida_inversedesign.campaign.spec import CampaignSettings

#: Name of the verdict, and those of screens whose objection a relaxation can heal.
POTENTIAL, HEALED = 'potential', ('distance',)
#: eV/atom; of crystals that match and differ by more, one has not come to rest, and they are kept separate. Three times
#: what relaxations to 0.05 eV/Å from two starts of one crystal differ by at most.
SAME_ENERGY = 0.02
#: THz; frequencies below are imaginary and not numerical noise of forces.
IMAGINARY = -0.5
#: Results that are kept with a candidate as they are.
_KEPT = ('energy', 'steps', 'converged', 'max_force', 'lowest_frequency', 'seconds')


def to_screen(candidates: Iterable[Candidate], least: float) -> list[Candidate]:
    """Those that a potential is to look at: accepted ones, and those with a contact that may be healed.

    :param least: ``propose.min_distance``.
    """
    return [item for item in candidates if item.screening is None and (item.accepted or _may_heal(item, least))]


def _may_heal(candidate: Candidate, least: float) -> bool:
    """Whether only a contact speaks against a candidate, and not a hopeless one."""
    if candidate.content is None or candidate.rejected_by not in HEALED:
        return False
    if any(not verdict.passed for name, verdict in candidate.verdicts.items() if name not in HEALED):
        return False
    contact = closest_contact(candidate.content, least)
    return bool(contact.ratio >= OVERLAP * contact.limit)


def judged(
    spec: CampaignSettings,
    candidates: Sequence[Candidate],
    results: Iterable[Mapping[str, Any]],
    rows: Sequence[EvaluationRow] = (),
) -> list[Candidate]:
    """The candidates in their order, those with results relaxed and judged.

    :param results: records of the program, each with ``id`` and ``digest``: the content hash of the crystal it began
        with. Those of another crystal are not used. Those of competing phases make the hull, if ``screen.hull`` asks.
    :param rows: evaluations so far; what relaxed to a crystal of one of them is rejected.
    """
    screening, by_id, results = spec.screen, {item.id: item for item in candidates}, list(results)
    asked = {item.id for item in to_screen(candidates, spec.propose.min_distance)}
    records = {
        record['id']: record
        for record in results
        if record['id'] in asked and by_id[record['id']].content.content_hash == record['digest']
    }
    records = without_holes(records, candidates, spec.propose.min_distance, screening.relax)
    found = {name: _looked_at(by_id[name], record, screening, spec) for name, record in records.items()}
    if screening.hull is not None:
        phases = [record for record in results if is_phase(record['id'])]
        found = _against_hull(found, candidates, phases, screening)
    by_key: dict[str, list[Candidate]] = defaultdict(list)
    for item in found.values():
        if item.screening is not None and 'energy' in item.screening:
            by_key[item.key].append(item)
    for key, group in by_key.items():
        before = [
            _as_before(item, by_id)
            for item in candidates
            if item.key == key and item.id not in found and item.accepted and 'energy' in (item.screening or {})
        ]
        found |= {item.id: item for item in _ordered(_merged(group, before, spec, rows), screening, rows)}
    return [found.get(item.id, item) for item in candidates]


def _as_before(candidate: Candidate, by_id: Mapping[str, Candidate]) -> Candidate:
    """A candidate of an earlier proposal with the chances that it had before its energy was known."""
    known = candidate.screening or {}
    merged = [(by_id[name].screening or {}) for name in known.get('merged', ())]
    chances = [item.get('probability') for item in (known, *merged)]
    given = [chance for chance in chances if chance is not None]
    return dataclasses.replace(candidate, probability=min(1.0, math.fsum(given)) if given else None)


def _looked_at(
    candidate: Candidate, record: Mapping[str, Any], screening: Screening, spec: CampaignSettings
) -> Candidate:
    """One candidate with what the potential says of it alone."""
    known: dict[str, Any] = {'potential': screening.potential, 'probability': candidate.probability}
    known |= {name: record[name] for name in _KEPT if name in record}
    verdicts = {name: verdict for name, verdict in candidate.verdicts.items() if name != POTENTIAL}
    if 'failed' in record:
        # what falls apart is not a candidate; what the potential cannot compute is left to DFT, as it was
        hopeless = 'energy' not in record and 'steps' in record
        passed = not hopeless and candidate.accepted
        known['failed'] = record['failed']
        verdicts[POTENTIAL] = Verdict(passed, None, f'{screening.potential}: {record["failed"]}')
        return dataclasses.replace(candidate, screening=known, verdicts=verdicts)
    known['estimates'] = estimates_of(record)
    relaxed = Crystal.from_dict(record) if screening.relax else candidate.content
    known['volume_change'] = relaxed.volume / relaxed.nsites / (candidate.content.volume / candidate.content.nsites) - 1
    if known.get('lowest_frequency', 0.0) < IMAGINARY:
        reason = f'an imaginary frequency of {-known["lowest_frequency"]:.1f}i THz in its own cell (screen.vibrations)'
        verdicts[POTENTIAL] = Verdict(False, known['lowest_frequency'], reason)
    if candidate.rejected_by in HEALED:
        contact = closest_contact(relaxed, spec.propose.min_distance)
        if contact.ratio >= contact.limit:
            verdicts |= {name: Verdict(True, contact.ratio) for name in HEALED if name in verdicts}
            known['healed'] = True
    return dataclasses.replace(
        candidate, content=relaxed, screening=known, verdicts=verdicts, volume=relaxed.volume / relaxed.nsites
    )


def _against_hull(
    found: Mapping[str, Candidate],
    candidates: Sequence[Candidate],
    phases: Sequence[Mapping[str, Any]],
    screening: Screening,
) -> dict[str, Candidate]:
    """The candidates with their energies above the hull of phases and candidates, those above the limit rejected.

    Where the hull is not known, the reason is kept and nothing is rejected.
    """
    computed = {
        item.id: (item.content.counts, item.screening['energy'])
        for item in (found.get(item.id, item) for item in candidates)
        if item.screening is not None
        and 'energy' in item.screening
        and all(verdict.passed for name, verdict in item.verdicts.items() if name != POTENTIAL)
    }
    known, out = stabilities(phases, computed), dict(found)
    for name, item in found.items():
        if name not in known:
            continue
        above, reason = known[name].e_above_hull, known[name].reason
        remark = {'no_hull': reason} if above is None else {}
        out[name] = dataclasses.replace(item, screening={**(item.screening or {}), 'e_above_hull': above, **remark})
        if above is not None and above > (screening.hull or 0.0):
            parts = ' + '.join(known[name].decomposition)
            words = f'{above:.3f} eV/atom above the hull of {screening.potential}, {parts} (screen.hull)'
            out[name] = _rejected(out[name], words, above)
    return out


def estimates_of(record: Mapping[str, Any]) -> dict[str, float]:
    """What a potential says of properties, by their names, in their units.

    What is not credible is not an estimate: far from what it was trained on a potential says anything.
    """
    found = {'bulk_modulus': record['bulk_modulus']} if 'bulk_modulus' in record else {}
    if 'elastic_tensor' in record:
        values = moduli(record['elastic_tensor'])
        named = {
            'elastic_stability': values.stability,
            'elastic_bulk_modulus': values.bulk,
            'shear_modulus': values.shear,
            'young_modulus': values.young,
            'poisson_ratio': values.poisson,
            'elastic_anisotropy': values.anisotropy,
            'hardness': values.hardness,
        }
        found |= {name: float(value) for name, value in named.items() if value is not None}
    return {name: value for name, value in found.items() if _is_credible(name, value)}


def _is_credible(name: str, value: float) -> bool:
    known = PROPERTIES.get(name)
    low, high = known.credible if known is not None and known.credible else (-math.inf, math.inf)
    return math.isfinite(value) and low <= value <= high


def _merged(
    group: Sequence[Candidate], before: Sequence[Candidate], spec: CampaignSettings, rows: Sequence[EvaluationRow]
) -> list[Candidate]:
    """The candidates of a formula, each crystal once: the most probable of equal ones has the chances of all.

    :param before: those of earlier proposals that stand; they differ from each other, and stay.
    """
    evaluated = [
        content for row in rows if row.key == group[0].key for content in (row.relaxed, row.proposed) if content
    ]
    kept, out = list(before), dict[str, Candidate]()
    for item in sorted(group, key=by_chance):
        if not item.accepted:
            out[item.id] = item
            continue
        if any(spec.space.same_result(other, item.content) for other in evaluated):
            out[item.id] = _rejected(item, f'relaxes to an evaluated {spec.space.noun}')
            continue
        equal = next((index for index, other in enumerate(kept) if _equal(other, item, spec)), None)
        if equal is None:
            kept.append(item)
            continue
        first = kept[equal]
        known = {**(first.screening or {}), 'merged': [*(first.screening or {}).get('merged', []), item.id]}
        kept[equal] = dataclasses.replace(
            first,
            screening=known,
            probability=min(1.0, _chance(first) + _chance(item)),
            also_proposed_by=first.named_with(item.proposer),
        )
        out[item.id] = _rejected(item, f'relaxes to the same {spec.space.noun} as {first.id}')
    out |= {item.id: item for item in kept}
    return [out[item.id] for item in (*before, *group)]


def _equal(first: Candidate, second: Candidate, spec: CampaignSettings) -> bool:
    """Whether two relaxed candidates are one and the same crystal."""
    gap = abs((first.screening or {})['energy'] - (second.screening or {})['energy'])
    return gap <= SAME_ENERGY and spec.space.same_result(first.content, second.content)


def _ordered(group: Sequence[Candidate], screening: Screening, rows: Sequence[EvaluationRow]) -> list[Candidate]:
    """The candidates of a formula by log p - E/kT, those that are far up or beyond the wanted number rejected.

    The probabilities of a formula keep their sum. What has been evaluated is ordered, and not rejected any more.
    """
    evaluated = {row.candidate for row in rows}
    lowest = min(item.screening['energy'] for item in group if item.screening is not None)
    above = {item.id: (item.screening or {})['energy'] - lowest for item in group}
    standing = [item for item in group if item.accepted]
    far = {item.id for item in standing if above[item.id] > screening.window and item.id not in evaluated}
    weights = {item.id: _chance(item) * math.exp(-above[item.id] / screening.softness) for item in standing}
    # what is dropped leaves its chances to those that stay
    total, share = sum(weights.values()), sum(_chance(item) for item in standing)
    order = sorted((item for item in standing if item.id not in far), key=lambda item: (-weights[item.id], item.id))
    index = {item.id: number for number, item in enumerate(order, 1)}
    out = []
    for item in group:
        if item.id in far:
            reason = f'{above[item.id]:.3f} eV/atom above the lowest candidate of {item.key} (screen.window)'
            item = _rejected(item, reason, above[item.id])
        elif item.id in index:
            # where no hull is known, the verdict says why
            verdict = Verdict(True, above[item.id], (item.screening or {}).get('no_hull', ''))
            chance = min(1.0, share * weights[item.id] / total) if total > 0 else _chance(item)
            item = dataclasses.replace(
                item,
                probability=chance,
                rank=index[item.id],
                verdicts={**item.verdicts, POTENTIAL: verdict},
            )
            if screening.keep is not None and index[item.id] > screening.keep and item.id not in evaluated:
                item = _rejected(item, f'number {index[item.id]} of {item.key} (screen.keep)', above[item.id])
        out.append(item)
    return out


def _rejected(candidate: Candidate, reason: str, value: float | None = None) -> Candidate:
    verdicts = {**candidate.verdicts, POTENTIAL: Verdict(False, value, reason)}
    return dataclasses.replace(candidate, verdicts=verdicts)


def _chance(candidate: Candidate) -> float:
    """The probability of a candidate; where its source gives none, one that falls with its rank."""
    return candidate.probability if candidate.probability is not None else 1 / (1 + (candidate.rank or 1))


def by_chance(candidate: Candidate) -> tuple[float, str]:
    """Sorts the most probable candidates first."""
    return -_chance(candidate), candidate.id
