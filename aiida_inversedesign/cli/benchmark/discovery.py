"""``benchmark discovery``: whole searches in chemical systems whose stable compounds are known and hidden."""

from __future__ import annotations

import os
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aiida_inversedesign.cli.common import COUNT, FILE, FOLDER, FORMAT, OUTPUT, emit
from aiida_inversedesign.errors import InverseDesignError

if TYPE_CHECKING:
    from aiida_inversedesign.benchmarks.discovery.systems import Ask, System
    from aiida_inversedesign.campaign.contracts.potential import Potential
    from aiida_inversedesign.libraries.library import Library


@click.command()
@click.option(
    '--library',
    'library_file',
    required=True,
    type=FILE,
    help='Structures with e_above_hull: .jsonl[.gz], or a library as .parquet.',
)
@click.option('--system', 'systems', multiple=True, metavar='A-B', help='A chemical system, e.g. Na-Cl; repeated.')
@click.option('--formula', 'formulas', multiple=True, help='Ask for these formulas alone, in their systems; repeated.')
@click.option('--n', type=COUNT, default=10, show_default=True, help='Systems drawn, if none is named.')
@click.option('--size', type=click.IntRange(2, 5), default=3, show_default=True, help='Elements of a drawn system.')
@click.option('--least', type=COUNT, default=2, show_default=True, help='Stable compounds of a drawn system.')
@click.option('--seed', type=click.IntRange(min=0), default=0, show_default=True, help='Of all random choices.')
@click.option(
    '--decoys', type=click.IntRange(min=0), default=4, show_default=True, help='Formulas that the library lacks.'
)
@click.option('--elements-only', is_flag=True, help='Ask for all formulas of the commonest ratios.')
@click.option('--max-sites', type=COUNT, default=20, show_default=True, help='Of cells and truths.')
@click.option('--oracle', default='sevennet', show_default=True, help='Potential that evaluates.')
@click.option('--screen', default='chgnet', show_default=True, help='Potential that screens; not the oracle.')
@click.option(
    '--arms',
    default='templates+hull,templates+screen,templates,random',
    show_default=True,
    help='Names joined by commas.',
)
@click.option('--budget', type=COUNT, default=20, show_default=True, help='Evaluations of a search.')
@click.option('--top-k', type=COUNT, default=5, show_default=True, help='Templates of a formula.')
@click.option('--repeats', type=COUNT, default=1, show_default=True, help='Random searches a system.')
@click.option(
    '--tolerance',
    type=click.FloatRange(min=0),
    default=0.025,
    show_default=True,
    help='Of stable crystals above the hull, eV/atom.',
)
@click.option(
    '--model',
    default='none',
    show_default=True,
    metavar='none|new|FILE',
    help='none: templates by element dissimilarity; new: train without the systems; FILE: a model without them.',
)
@click.option('--epochs', type=COUNT, help='Train no longer than this: a quick look.')
@click.option('--fingerprints', type=click.Path(path_type=Path, exists=True), help='npz file (ids, fingerprints).')
@click.option(
    '--state',
    type=FOLDER,
    help='Folder that keeps each relaxation; default: OUTPUT.state, if there is an output.',
)
@OUTPUT
@FORMAT
def discovery(output_format: str, output: Path | None, state: Path | None, **options: Any) -> None:
    """Measure how many stable crystals whole searches find in systems whose compounds are hidden.

    The formulas of a system leave the templates first. Each arm proposes, a potential evaluates: relaxes and compares
    with the hull of the system at that potential. docs/benchmarks.md tells what each figure means. No AiiDA profile is
    needed.

    \b
    Examples:
      aiida-inversedesign benchmark discovery --library mp.jsonl.gz --n 20 --size 3 --output found.json
      aiida-inversedesign benchmark discovery --library mp.jsonl.gz --system Li-Si --system Cu-Mg --budget 10
    """
    from aiida_inversedesign.cli.benchmark.discovery_table import show_discovery
    from aiida_inversedesign.cli.progress import shown_steps

    # messages of single structures without a clear symmetry; they count as having none
    os.environ.setdefault('SPGLIB_WARNING', 'OFF')
    os.environ.setdefault('OMP_NUM_THREADS', '1')
    folder = state or (output.with_name(f'{output.name}.state') if output else None)
    with tempfile.TemporaryDirectory() as nowhere, shown_steps() as report, warnings.catch_warnings():
        # pymatgen tells of elements without electronegativity or radius, wherever it meets one
        warnings.simplefilter('ignore', UserWarning)
        # ASE's filter of cells takes the logarithm of a matrix near one
        warnings.filterwarnings('ignore', 'logm result may be inaccurate', RuntimeWarning)
        kept = folder or Path(nowhere)
        kept.mkdir(parents=True, exist_ok=True)
        figures = _run(report, kept, **options)
    emit(figures, output_format, show_discovery, output)


def _run(
    report: Callable[[str, float], None],
    folder: Path,
    library_file: Path,
    oracle: str,
    screen: str,
    arms: str,
    budget: int,
    top_k: int,
    repeats: int,
    tolerance: float,
    model: str,
    epochs: int | None,
    fingerprints: Path | None,
    **asked: Any,
) -> dict[str, Any]:
    """Read what the options name, and run the searches."""
    from aiida_inversedesign.benchmarks.discovery.arms import arms_named
    from aiida_inversedesign.benchmarks.discovery.models import prepared
    from aiida_inversedesign.benchmarks.discovery.report import summarise
    from aiida_inversedesign.benchmarks.discovery.run import Plan, run
    from aiida_inversedesign.benchmarks.potentials.relaxer import Relaxer
    from aiida_inversedesign.campaign.contracts.potential import potential
    from aiida_inversedesign.libraries.importers import read_jsonl
    from aiida_inversedesign.libraries.library import Library

    chosen = arms_named([part.strip() for part in arms.split(',') if part.strip()])
    screens = any(arm.screens for arm in chosen)
    known = [potential(name) for name in (oracle, *([screen] if screens else []))]
    report('library', 0.0)
    if library_file.suffix == '.parquet':
        library = Library.from_bytes(library_file.read_bytes())
    else:
        library = read_jsonl(library_file, primitive=False)[0]
    report('library', 1.0)
    systems = _systems(library, known, **asked)
    relaxer = Relaxer(oracle, folder)
    screener = None if not screens else relaxer if screen == oracle else Relaxer(screen, folder)
    ready = prepared(library, systems, model, asked['seed'], epochs, fingerprints, folder, report)
    plan = Plan(budget, tolerance, top_k, repeats, ready.method, asked['seed'])
    outcomes = run(systems, library, chosen, relaxer, screener, plan, ready.model, ready.templates, report)
    return {
        'library': {'file': library_file.name, 'templates': len(ready.templates), 'hash': library.content_hash},
        'model': ready.about,
        **summarise(outcomes, chosen, plan, relaxer, screener),
    }


def _systems(
    library: Library,
    potentials: list[Potential],
    systems: tuple[str, ...],
    formulas: tuple[str, ...],
    n: int,
    size: int,
    least: int,
    **asked: Any,
) -> list[System]:
    from aiida_inversedesign.benchmarks.discovery import systems as core

    if systems and formulas:
        raise InverseDesignError('name systems with --system, or formulas with --formula, not both')
    ask: Ask = core.Ask(**asked)
    if formulas:
        return core.given(library, formulas, ask)
    if systems:
        return core.named(library, systems, ask)
    able = [item.elements for item in potentials if item.elements]
    return core.drawn(library, n, size, ask, frozenset.intersection(*able) if able else (), least)
