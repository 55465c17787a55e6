"""Whether ``verify`` finds ten kinds of tampering: ``python tests/benchmark/tampering.py [FOLDER]``.

Runs two small campaigns in a profile of its own (answers from a data set, and ASE's EMT with an equation of state),
makes a copy of the storage for each kind of tampering, alters the copy directly in database and repository, and runs
``verify`` on it; then again with the hashes of all nodes made to fit, as a careful forger would. Prints a table of what
was found. Exit code 1 if one was not found by its name, or if an untouched copy is not sound.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


def main() -> int:
    """Tamper and print."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp(prefix='tampering-')).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    os.environ['AIIDA_PATH'] = str(folder)
    from rich.console import Console
    from rich.table import Table
    from tampers import TAMPERINGS, Copy, tampered

    from aiida_inversedesign.verify.run import is_sound

    storage, campaigns = make_campaigns(folder)
    console, failures = Console(width=160), 0
    table = Table('campaign', 'seconds', 'decisions', 'identical', 'findings', 'seconds to verify', title='untouched')
    for name, (uuid, seconds) in campaigns.items():
        report = Copy.of(storage, folder / f'untouched-{name}', uuid).verify()
        failures += not is_sound(report)
        table.add_row(
            name,
            f'{seconds:.0f}',
            str(report['decisions']),
            str(report['identical']),
            str(len(report['findings'])),
            f'{report["seconds"]:.1f}',
        )
    console.print(table)
    table = Table('tampering', 'hashes', 'named', 'also', 'differ', 'message', title='ten kinds of tampering')
    for number, tampering in enumerate(TAMPERINGS, 1):
        uuid, _ = campaigns['jobs' if tampering.needs_jobs else 'table']
        for careful in (False, True):
            copy = tampered(tampering, storage, folder / f'{number}-{careful}', uuid, careful)
            report = copy.verify()
            kinds = list(dict.fromkeys(item['kind'] for item in report['findings']))
            named = [item for item in report['findings'] if item['kind'] == tampering.expected]
            failures += not named
            table.add_row(
                tampering.name,
                'mended' if careful else 'left',
                tampering.expected if named else 'NOT FOUND',
                ', '.join(kind for kind in kinds if kind != tampering.expected),
                str(len(report['different']) + len(report['evaluations']['different'])),
                named[0]['message'] if named else '',
            )
    console.print(table)
    return 1 if failures else 0


def make_campaigns(folder: Path) -> tuple[Path, dict[str, tuple[str, float]]]:
    """A profile with two campaigns: its storage, and UUID and duration in seconds of each."""
    from aiida import load_profile
    from aiida.manage.configuration import create_profile, get_config
    from rehearsal import make_library, make_python_code

    from aiida_inversedesign.nodes.library_data import LibraryData

    config, storage = get_config(create=True), folder / 'storage'
    create_profile(
        config,
        storage_backend='core.sqlite_dos',
        storage_config={'filepath': str(storage)},
        name='tampering',
        email='tampering@localhost',
    )
    load_profile('tampering')
    for label in ('metals', 'answers'):
        LibraryData.from_library(make_library(), label=label).store()
    make_python_code(folder / 'work')
    table = {'engine': 'table', 'data': 'answers', 'units': {'stiffness': 'GPa'}, 'fail_fraction': 0.15}
    options = {'max_wallclock_seconds': 300}
    jobs = {'engine': 'ase', 'code': 'python@localhost', 'calculator': 'emt', 'options': options}
    goals = {'table': ('stiffness', 250), 'jobs': ('bulk_modulus', 180)}
    engines = {'table': (table, 12), 'jobs': (jobs, 3)}
    return storage, {
        name: run(
            {
                'name': f'rehearsal with {name}',
                'seed': 5,
                'goal': {'objectives': [{'property': goals[name][0], 'maximize': True, 'hit': goals[name][1]}]},
                'space': {'formulas': ['Cu', 'Al', 'Ni', 'Pd', 'Pt', 'Ag', 'Au']} if name == 'jobs' else {},
                'propose': {'library': 'metals', 'method': 'library'},
                'select': {'initial': 3, 'batch': 2, 'control_fraction': 0.2},
                'evaluate': engine,
                'budget': {'evaluations': number},
            }
        )
        for name, (engine, number) in engines.items()
    }


def run(data: dict[str, Any]) -> tuple[str, float]:
    """Run a campaign: its UUID, and how many seconds it took."""
    from aiida_inversedesign.campaign.load import validate_campaign
    from aiida_inversedesign.workchains.build import build_campaign
    from aiida_inversedesign.workchains.foreground import run_campaign

    if not data['space']:
        del data['space']
    begun = time.perf_counter()
    node = run_campaign(build_campaign(validate_campaign(data)))
    if not node.is_finished_ok:
        raise SystemExit(f'the campaign {data["name"]} ended with {node.exit_status}: {node.exit_message}')
    return node.uuid, time.perf_counter() - begun


if __name__ == '__main__':
    raise SystemExit(main())
