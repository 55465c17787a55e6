"""The audit's bars: 3 s and 500 MB for 10 000 evaluations, linear from 1 000, 50 times faster than a walk.

python tests/benchmark/audit_speed.py [sqlite|postgresql]
"""

from __future__ import annotations

import json
import sys

from aiida_inversedesign.benchmarks.audit.run import benchmark_audit


def main() -> int:
    """Print both measurements and whether each bar is kept; exit code 1 if one is not."""
    backend = sys.argv[1] if len(sys.argv) > 1 else 'sqlite'
    small, large = (benchmark_audit(number, backend) for number in (1000, 10000))
    kept = {
        'audit ≤ 3 s': large['audit_seconds'] <= 3,
        'memory ≤ 500 MB': large['peak_mb'] <= 500,
        'linear': large['audit_seconds'] <= 12 * small['audit_seconds'],
        '≥ 50 × faster than a walk': large['times_faster'] >= 50,
    }
    print(json.dumps({'1000': small, '10000': large, 'bars': kept}, indent=2, ensure_ascii=False))
    return 0 if all(kept.values()) else 1


if __name__ == '__main__':
    sys.exit(main())
