"""The hits and the best candidates: CIFs of crystals, each with its lineage, and pictures where a space draws any."""

from __future__ import annotations

from pathlib import Path

from aiida_inversedesign.audit import frames
from aiida_inversedesign.audit.record import EvaluationRecord
from aiida_inversedesign.campaign.text.digits import digits_to
from aiida_inversedesign.paper.facts import Facts
from aiida_inversedesign.report.cif import symmetrized_cif

#: Crystals besides the hits.
BEST = 5


def write_crystals(facts: Facts, folder: Path) -> list[Path]:
    """Write the relaxed crystals of all hits and of the best others; the number in a name is the rank.

    :return: the files, the best first.
    """
    written = []
    ranked = [item for item in frames.best_evaluations(facts.record) if item.relaxed is not None]
    width = len(str(len(ranked)))
    others = 0
    for rank, item in enumerate(ranked, start=1):
        others += not item.hit
        if not item.hit and others > BEST:
            continue
        path = folder / f'{rank:0{width}d}_{item.key}_{item.candidate}.cif'
        if item.relaxed is not None:
            path.write_text(symmetrized_cif(item.relaxed, item.candidate, lineage(facts, item)), encoding='utf-8')
            written.append(path)
    return written


def write_pictures(facts: Facts, folder: Path) -> None:
    """Write an SVG for each hit and the best others; no folder if the space draws nothing.

    The number in a name is the rank.
    """
    ranked = [item for item in frames.best_evaluations(facts.record) if item.result is not None]
    others = [item.candidate for item in ranked if not item.hit][:BEST]
    for rank, item in enumerate(ranked, start=1):
        drawn = facts.record.space.picture(item.result) if item.hit or item.candidate in others else ''
        if drawn:
            folder.mkdir(exist_ok=True)
            (folder / f'{rank:03d}_{item.candidate}.svg').write_text(drawn, encoding='utf-8')


def lineage(facts: Facts, item: EvaluationRecord) -> dict[str, str]:
    """Where a crystal comes from, how it was chosen, and what was found, as comments of its CIF."""
    record = facts.record
    candidate = next((one for one in record.candidates if one.id == item.candidate), None)
    found: dict[str, str] = {
        'candidate': item.candidate,
        'formula': item.key,
        'hit': 'not defined by the goal' if item.hit is None else 'yes' if item.hit else 'no',
        'prototype': item.result_prototype or 'not determined',
    }
    for name, value in item.properties.items():
        digits = max(record.digits(name).of(value), 6)
        found[name] = f'{value:.{digits}g} {frames.property_unit(record, name)}'.strip()
    for name, (mean, deviation) in item.predicted.items():
        unit = frames.property_unit(record, name)
        found[f'{name} predicted when it was chosen'] = (
            f'{mean:.{max(digits_to(mean, deviation), 6)}g} ± {deviation:.2g} {unit}'.strip()
        )
    others = candidate.also_proposed_by if candidate is not None else ''
    found['proposed by'] = ' and '.join(filter(None, (item.proposer or 'not recorded', others)))
    if item.probability is not None:
        found['probability of the prototype'] = f'{item.probability:.4g}'
    found['formula found by'] = item.generator or 'not recorded'
    found['template'] = item.template or 'not recorded'
    if candidate is not None and candidate.template_formula:
        found['formula of the template'] = candidate.template_formula
    if candidate is not None and candidate.source:
        found['source of the template'] = candidate.source
    if item.prototype and item.prototype != item.result_prototype:
        found['prototype as proposed'] = item.prototype
    if item.copy_of:
        found['same crystal as'] = item.copy_of
    if item.doubts:
        found['doubtful'] = '; '.join(item.doubts)
    surrogate = f', surrogate {item.surrogate}' if item.surrogate else ''
    found['chosen as'] = f'{item.arm or "not recorded"}, by {item.acquisition or "not recorded"}{surrogate}'
    found['generation'] = str(item.generation)
    if item.dft_calculations:
        found['DFT calculations'] = str(item.dft_calculations)
    found['evaluation (UUID)'] = item.uuid
    found['campaign (UUID)'] = record.uuid
    return found
