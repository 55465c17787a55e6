"""Write a synthetic campaign into a profile, to try audit, report and verify on a large one.

python tests/benchmark/synthetic_campaign.py --profile PROFILE --evaluations 10000
"""

from __future__ import annotations

import argparse
import time


def main() -> None:
    """Write the campaign and print its UUID."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--profile', required=True, help='AiiDA profile; take one that may be thrown away')
    parser.add_argument('--evaluations', type=int, default=1000)
    parser.add_argument('--seed', type=int, default=0)
    options = parser.parse_args()
    from aiida import load_profile

    load_profile(options.profile)
    from aiida_inversedesign.benchmarks.audit.synthetic import make_campaign

    begun = time.perf_counter()
    uuid = make_campaign(options.evaluations, options.seed)
    print(f'{uuid}: {options.evaluations} evaluations in {time.perf_counter() - begun:.1f} s')


if __name__ == '__main__':
    main()
