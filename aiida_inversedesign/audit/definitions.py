"""What each figure of the audit means, with the version of its definition."""

from __future__ import annotations

#: figure → version and definition; a changed meaning is a new version.
DEFINITIONS: dict[str, tuple[int, str]] = {
    'evaluations': (
        1,
        'one candidate whose evaluation was launched, whatever became of it; stopped: killed with its campaign; '
        'reused: handed on from an earlier evaluation, at no cost',
    ),
    'dft_calculations': (
        1,
        'one calculation job of a DFT code below the campaign and those it resumed: restarts, failures and elemental '
        'references included, cache copies counted apart',
    ),
    'core_hours': (1, 'processes × wall time as the code recorded it; jobs without a record are counted, not guessed'),
    'hit_rate': (
        1,
        'hits / evaluations that have ended, failed ones included, those stopped with the campaign not; Wilson 95 % '
        'interval',
    ),
    'first_hit': (1, 'what was spent up to and including the first hit, in the order of the launches'),
    'dft_per_hit': (1, 'DFT calculations / hits; interval: cost per evaluation over the bounds of the hit rate'),
    'core_hours_per_hit': (1, 'recorded core-hours / hits; interval as of dft_per_hit'),
    'spent_on': (1, 'DFT calculations and core-hours by what became of the evaluation; failures, restarts, references'),
    'enrichment': (
        1,
        'hit rate / base rate: of the whole pool where its answers are known (Wilson interval over it, hypergeometric '
        "p-value), else acquisition arm / random control arm (Katz's interval)",
    ),
    'acceleration': (
        1,
        'evaluations random search needs for as many hits, k (N + 1) / (M + 1) / evaluations taken; interval: 95 % of '
        'random searches',
    ),
    'validity': (1, 'share of the proposed candidates that pass every filter, and filter by filter; Wilson interval'),
    'uniqueness': (
        1,
        'share matching no earlier proposal: StructureMatcher (ltol 0.2, stol 0.3, angle 5°), and that with the same '
        'space group (symprec 0.1 Å); Wilson interval',
    ),
    'novelty': (1, 'share matching no entry of the template library, by the same two criteria; Wilson interval'),
    'diversity': (
        1,
        'mean Euclidean distance of the structure fingerprints of all pairs (jackknife interval, cut at 0); distinct '
        'formulas, chemical systems and anonymous prototypes',
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
    'reproducibility': (
        1,
        'share of repeatable decisions that come out the same again from their stored inputs (Wilson interval); pooled '
        'standard deviation of repeated evaluations of one crystal (chi-squared interval)',
    ),
}


def versions() -> dict[str, dict[str, int | str]]:
    """Version and definition of every figure, as plain JSON data."""
    return {name: {'version': version, 'definition': text} for name, (version, text) in DEFINITIONS.items()}
