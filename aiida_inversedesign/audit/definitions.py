"""What each figure of the audit means, with the version of its definition."""

from __future__ import annotations

#: figure → version and definition; a changed meaning is a new version.
DEFINITIONS: dict[str, tuple[int, str]] = {
    'evaluations': (
        1,
        'one candidate whose evaluation was launched, whatever became of it; stopped: killed with its campaign; '
        'reused: taken over from an earlier evaluation, at no cost',
    ),
    'known': (
        1,
        'starting data: points that were known before the campaign began; they are learned from, not proposed again, '
        'and in no other figure; an evaluation that ends in one of them is a copy',
    ),
    'transfer': (
        1,
        'earlier campaigns that were learned from, and at each update error and log density of rows that were left '
        'out, against the same surrogate without them; intervals of the differences row by row, 1.96 standard errors',
    ),
    'dft_calculations': (
        2,
        'one calculation job of a DFT code below the campaign and those it resumed: restarts, failures and elemental '
        'references included, cache copies counted separately; residual: converged, but with forces or a pressure '
        'above their thresholds in the final calculation, which is not a failure',
    ),
    'core_hours': (1, 'processes × wall time as the code recorded it; jobs without a record are counted, not guessed'),
    'distinct_hits': (
        1,
        'hits whose result matches that of no earlier completed evaluation; for crystals the relaxed ones: '
        'StructureMatcher (ltol 0.2, stol 0.3, angle 5°) and the same space group (symprec 0.1 Å); for other '
        'candidates their own comparison. Evaluations that match an earlier one are copies',
    ),
    'hit_rate': (
        2,
        'distinct hits / evaluations that have ended, failed ones and copies included, those stopped with the campaign '
        'not; Wilson 95 % interval',
    ),
    'first_hit': (1, 'what was spent up to and including the first hit, in the order of the launches'),
    'dft_per_hit': (
        2,
        'DFT calculations, those of copies included / distinct hits; interval: cost per evaluation over the bounds of '
        'the hit rate',
    ),
    'core_hours_per_hit': (2, 'recorded core-hours / distinct hits; interval as of dft_per_hit'),
    'spent_on': (
        2,
        'DFT calculations and core-hours by what became of the evaluation; of them those of copies, failures, restarts '
        'and references',
    ),
    'enrichment': (
        2,
        'hit rate / base rate: of the whole pool where its answers are known (Wilson interval over it, hypergeometric '
        "p-value), else distinct hits of the acquisition arm / random control arm (Katz's interval)",
    ),
    'acceleration': (
        2,
        'evaluations random search needs for as many distinct hits, k (N + 1) / (M + 1) / evaluations taken; interval: '
        '95 % of random searches',
    ),
    'validity': (1, 'share of the proposed candidates that pass every filter, and filter by filter; Wilson interval'),
    'screening': (
        1,
        'what an interatomic potential relaxed and dropped before anything was evaluated; questions: candidates whose '
        'properties it computed apart (screen.estimate_cost); core-hours: threads × wall time of its jobs; none of it '
        'counts as a DFT calculation',
    ),
    'uniqueness': (
        2,
        'share of completed evaluations whose crystal (relaxed, where the engine relaxes) matches no earlier one: '
        'StructureMatcher (ltol 0.2, stol 0.3, angle 5°), and that with the same space group (symprec 0.1 Å); Wilson '
        'interval',
    ),
    'novelty': (
        2,
        'share of completed evaluations whose crystal matches no entry of the template library, by the same two '
        'criteria, and by anonymous prototype; Wilson interval',
    ),
    'uniqueness_of_proposals': (1, 'as uniqueness, of the crystals as they were proposed'),
    'novelty_of_proposals': (1, 'as novelty, of the crystals as they were proposed'),
    'diversity': (
        2,
        'mean Euclidean distance of the structure fingerprints of all pairs of evaluated crystals (jackknife '
        'interval, cut at 0); distinct formulas, chemical systems and anonymous prototypes, also of the distinct hits '
        'alone',
    ),
    'calibration': (
        1,
        'value against what the surrogate predicted when the candidate was chosen: coverage (Wilson), z = (value − '
        'mean) / deviation, mean negative log-likelihood, mean absolute error (Student, cut at 0), '
        'spread of z (asymptotic)',
    ),
    'stability': (
        1,
        'share of completed evaluations on the convex hull of the phases named (campaign and elemental references); '
        'Wilson interval',
    ),
    'stable_unique_novel': (
        1,
        'share of completed evaluations at most 0.1 eV/atom above that hull, no copy of an earlier one, and matching '
        'no entry of the template library; Wilson interval',
    ),
    'reproducibility': (
        1,
        'share of repeatable decisions that come out the same again from their stored inputs (Wilson interval); pooled '
        'standard deviation of repeated evaluations of one crystal (chi-squared interval)',
    ),
}


def versions() -> dict[str, dict[str, int | str]]:
    """Version and definition of every figure, as plain JSON data."""
    return {name: {'version': version, 'definition': text} for name, (version, text) in DEFINITIONS.items()}
