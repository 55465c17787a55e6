"""``benchmark``: the comparisons of the README, run again."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aiida_inversedesign.cli.benchmark.audit import audit
from aiida_inversedesign.cli.benchmark.discovery import discovery
from aiida_inversedesign.cli.benchmark.engine import engine
from aiida_inversedesign.cli.benchmark.explain import explain
from aiida_inversedesign.cli.benchmark.functions import functions
from aiida_inversedesign.cli.benchmark.molecules import molecules
from aiida_inversedesign.cli.benchmark.potential import potential
from aiida_inversedesign.cli.benchmark.search import search
from aiida_inversedesign.cli.common import (
    COUNT,
    FILE,
    FOLDER,
    FORMAT,
    OUTPUT,
    SentenceGroup,
    emit,
    load_profile,
)
from aiida_inversedesign.errors import InverseDesignError

if TYPE_CHECKING:
    from aiida_inversedesign.benchmarks.potentials.relaxer import Relaxer
    from aiida_inversedesign.benchmarks.proposal.source_plan import SourcePlan
    from aiida_inversedesign.libraries.library import Library

#: the trained rankings and the plain ones, as ``propose.rankers.NAMES``; listed here so that the help needs no imports
RECIPES = ('ours', 'published')
BASELINES = ('fusion', 'element_dissimilarity', 'nearest_descriptor', 'substitution', 'random')


@click.group(cls=SentenceGroup)
def benchmark() -> None:
    """Run the comparisons of the README again, on your own data if you like.

    \b
    Example:
      aiida-inversedesign benchmark proposal --library mp --queries random --n 1000 --seed 1
    """


benchmark.add_command(audit)
benchmark.add_command(search)
benchmark.add_command(engine)
benchmark.add_command(potential)
benchmark.add_command(discovery)
benchmark.add_command(functions)
benchmark.add_command(molecules)
benchmark.add_command(explain)


@benchmark.command()
@click.option('--library', 'library_name', required=True, help='Label of a library, or a file (.parquet, .jsonl[.gz]).')
@click.option(
    '--queries',
    default='random',
    show_default=True,
    help='random: formulas drawn from the library; cspml90; or a jsonl file or folder of CIFs.',
)
@click.option('--queries-file', type=click.Path(path_type=Path, exists=True), help='The CSPML-90 file.')
@click.option('--n', type=COUNT, default=1000, show_default=True, help='Formulas drawn.')
@click.option('--seed', type=int, default=0, show_default=True, help='Of the draw, the training and the random order.')
@click.option(
    '--max-e-above-hull', type=click.FloatRange(min=0), default=0.1, show_default=True, help='Of templates, eV/atom.'
)
@click.option(
    '--recipe', 'recipes', multiple=True, type=click.Choice([*RECIPES, 'none']), help='Trained rankings; default: all.'
)
@click.option(
    '--baseline',
    'baselines',
    multiple=True,
    type=click.Choice([*BASELINES, 'none']),
    help='Plain rankings; default: all.',
)
@click.option(
    '--model',
    'models',
    multiple=True,
    metavar='[RECIPE=]MODEL',
    help='new (default: train without the queries), the label of a model, or its file.',
)
@click.option('--save-models', type=FOLDER, help='Folder for the models used.')
@click.option('--epochs', type=COUNT, help='Train no longer than this: a quick look.')
@click.option('--taus', default='0.1,0.2,0.3', show_default=True, help='Fingerprint distances that count as right.')
@click.option('--fingerprints', type=click.Path(path_type=Path, exists=True), help='npz file (ids, fingerprints).')
@click.option('--matcher-queries', type=click.IntRange(min=0), help='Build and match structures of so many queries.')
@click.option('--jobs', type=COUNT, default=1, show_default=True, help='Processes that train, match and relax.')
@click.option(
    '--sources',
    multiple=True,
    metavar='NAME[:SHARE][+…]',
    help='Measure sources too, alone or mixed: symmetric, cspml:0.6+symmetric:0.4; uniform is PyXtal alone.',
)
@click.option(
    '--draw-again', type=int, multiple=True, metavar='SEED', help='Ask --sources for this draw of --n formulas too.'
)
@click.option('--source-queries', type=COUNT, help='Ask --sources for the first so many queries that a draw leaves.')
@click.option('--screen', metavar='POTENTIAL', help='Relax and order the crystals of --sources, e.g. sevennet.')
@click.option('--crystals', type=COUNT, default=40, show_default=True, help='Of each formula and source.')
@click.option('--max-sites', type=COUNT, default=12, show_default=True, help='Of cells of --sources.')
@click.option('--new-prototypes', is_flag=True, help='Ask --sources only for prototypes that no template has.')
@click.option(
    '--trained-on',
    type=FILE,
    help='Ids or formulas, one a line, of the training data of --screen: results with and without them.',
)
@click.option(
    '--lower-bound',
    is_flag=True,
    help='Relax crystals with the true prototype, the others only to rank a right one.',
)
@click.option('--state', type=FOLDER, help='Folder that keeps each relaxation.')
@OUTPUT
@FORMAT
def proposal(output_format: str, output: Path | None, save_models: Path | None, **options: Any) -> None:
    """Measure how well rankings of templates find known structures.

    The formulas asked for are removed from the templates and from the training first; every ranking then answers the
    same queries. docs/benchmarks.md tells what each figure means. With files no AiiDA profile is needed.

    \b
    Examples:
      aiida-inversedesign benchmark proposal --library mp --n 1000 --seed 1 --max-e-above-hull 0 --jobs 2
      aiida-inversedesign benchmark proposal --library mp.parquet --queries cspml90 \\
          --queries-file cspml90_structures.jsonl.gz --format json --output cspml90.json
      aiida-inversedesign benchmark proposal --library mp.parquet --n 500 --recipe none --baseline none \\
          --sources symmetric --sources decoration --sources uniform --screen sevennet --new-prototypes
    """
    from aiida_inversedesign.cli.benchmark.table import show_proposal

    # messages of single structures without a clear symmetry; they count as having none
    os.environ.setdefault('SPGLIB_WARNING', 'OFF')
    from aiida_inversedesign.cli.progress import shown_steps

    with shown_steps() as report, warnings.catch_warnings():
        # pymatgen tells of elements without electronegativity or radius, wherever it meets one
        warnings.simplefilter('ignore', UserWarning)
        figures, models = _run(report, **options)
    if save_models is not None:
        save_models.mkdir(parents=True, exist_ok=True)
        for name, data in models.items():
            (save_models / f'{name}.npz').write_bytes(data)
    emit(figures, output_format, show_proposal, output)


def _run(
    report: Callable[[str, float], None],
    library_name: str,
    queries: str,
    queries_file: Path | None,
    n: int,
    seed: int,
    max_e_above_hull: float,
    recipes: tuple[str, ...],
    baselines: tuple[str, ...],
    models: tuple[str, ...],
    epochs: int | None,
    taus: str,
    fingerprints: Path | None,
    matcher_queries: int | None,
    jobs: int,
    draw_again: tuple[int, ...],
    **of_sources: Any,
) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Read what the options name, and run the comparison."""
    from aiida_inversedesign.benchmarks.proposal import comparison as core
    from aiida_inversedesign.benchmarks.proposal.queries import read_cspml90, read_structures
    from aiida_inversedesign.benchmarks.proposal.run import Settings
    from aiida_inversedesign.chemistry.fingerprints.structure import read_cache

    chosen = tuple(name for name in RECIPES if name in (recipes or RECIPES))
    plain = tuple(name for name in BASELINES if name in (baselines or BASELINES))
    if 'published' not in chosen:
        plain = tuple(name for name in plain if name != 'fusion' or name in baselines)
    plan, screen = _sources(jobs, **of_sources)
    if draw_again and (plan is None or queries != 'random'):
        raise InverseDesignError(
            '--draw-again draws formulas for --sources again: it needs --sources, and no --queries'
        )
    if draw_again and plan is not None and any('cspml' in arm.shares for arm in plan.arms):
        raise InverseDesignError('--draw-again: cspml needs a model without the queries, which is trained for one draw')
    if not chosen and not plain and plan is None:
        raise InverseDesignError('nothing to compare: name a --recipe, a --baseline or --sources')
    options = core.Options(
        rankings=(*chosen, *plain),
        models=_models(models, chosen),
        max_e_above_hull=max_e_above_hull,
        seed=seed,
        epochs=epochs,
        settings=Settings(_taus(taus), matcher_queries, jobs),
        sources=plan,
        screen=screen,
    )
    known = read_cache(fingerprints) if fingerprints is not None else {}
    library = _library(library_name)
    predictions: list[Any] = []
    unread: list[Any] = []
    if queries == 'random':
        asked, skipped = core.random_queries(library, n, seed, known, report)
        again = {
            other: core.random_queries(library, n, other, known, report)[0] for other in draw_again if other != seed
        }
        options = replace(options, drawn_again=again)
    elif queries == 'cspml90':
        if queries_file is None:
            raise InverseDesignError(
                '--queries cspml90 needs the file of the 90 crystals: name it with --queries-file '
                '(cspml90_structures.jsonl.gz, from Minoru938/CSPML)'
            )
        truths, predictions = read_cspml90(queries_file)
        asked, skipped = core.given_queries(truths, known, report)
    else:
        path = Path(queries)
        if not path.exists():
            raise InverseDesignError(f'--queries {queries}: write random, cspml90, or an existing file or folder')
        found, unread = read_structures(path)
        asked, skipped = core.given_queries([(item.id, item.crystal) for item in found], known, report)
    result = core.benchmark(asked, library, options, known, predictions, report)
    figures = {
        **result.figures,
        'queries': queries,
        'skipped': [{'source': item.source, 'reason': item.reason} for item in (*unread, *skipped)],
    }
    return figures, result.models


def _sources(
    jobs: int,
    sources: tuple[str, ...],
    source_queries: int | None,
    screen: str | None,
    crystals: int,
    max_sites: int,
    new_prototypes: bool,
    trained_on: Path | None,
    lower_bound: bool,
    state: Path | None,
) -> tuple[SourcePlan | None, Relaxer | None]:
    """What is asked of sources, and the potential that screens."""
    from aiida_inversedesign.benchmarks.potentials.relaxer import Relaxer
    from aiida_inversedesign.benchmarks.proposal.queries import names_listed
    from aiida_inversedesign.benchmarks.proposal.source_plan import SourcePlan, source_arms

    if not sources:
        if screen or new_prototypes or source_queries:
            raise InverseDesignError(
                '--screen, --new-prototypes and --source-queries need --sources: name one, e.g. --sources symmetric'
            )
        return None, None
    if trained_on is not None and screen is None:
        raise InverseDesignError('--trained-on lists what a potential was trained on: name the potential with --screen')
    if lower_bound and screen is None:
        raise InverseDesignError('--lower-bound saves relaxations: name the potential with --screen')
    known = None if trained_on is None else names_listed(trained_on)
    plan = SourcePlan(source_arms(sources), crystals, max_sites, new_prototypes, known, lower_bound, source_queries)
    if state is not None:
        state.mkdir(parents=True, exist_ok=True)
    return plan, None if screen is None else Relaxer(screen, state, jobs)


def _taus(text: str) -> tuple[float, ...]:
    try:
        taus = tuple(float(part) for part in text.split(','))
    except ValueError:
        taus = ()
    if not taus or min(taus) <= 0:
        raise InverseDesignError(f'--taus {text}: write positive distances joined by commas, e.g. 0.1,0.2,0.3')
    return taus


def _library(name: str) -> Library:
    """The library of a file, or of a label in the profile."""
    from aiida_inversedesign.libraries.importers import read_jsonl
    from aiida_inversedesign.libraries.library import Library, aflow_library

    path = Path(name)
    if path.suffix == '.parquet' or path.name.endswith(('.jsonl', '.jsonl.gz')):
        if not path.is_file():
            raise InverseDesignError(f'--library {name}: there is no such file')
        library = Library.from_bytes(path.read_bytes()) if path.suffix == '.parquet' else read_jsonl(path)[0]
    elif name == 'aflow':
        library = aflow_library()
    else:
        load_profile()
        from aiida_inversedesign.nodes.store import get_templates

        library = get_templates(name).get_library()
    if not len(library):
        raise InverseDesignError(f'--library {name}: the library is empty')
    return library


def _models(given: tuple[str, ...], recipes: tuple[str, ...]) -> dict[str, tuple[str, bytes]]:
    """Name and content of the models that are not trained again, by recipe."""
    found: dict[str, tuple[str, bytes]] = {}
    for text in given:
        recipe, _, name = text.rpartition('=')
        if recipe and recipe not in recipes:
            raise InverseDesignError(
                f'--model {text}: {recipe!r} is not compared; compared are {", ".join(recipes) or "plain rankings"}'
            )
        if name == 'new':
            continue
        if not recipe and len(recipes) != 1:
            raise InverseDesignError(
                f'--model {name}: say which recipe it belongs to, e.g. --model ours={name}, '
                f'or compare one recipe alone with --recipe'
            )
        found[recipe or recipes[0]] = (name, _model_file(name))
    return found


def _model_file(name: str) -> bytes:
    if Path(name).is_file():
        return Path(name).read_bytes()
    if name.endswith('.npz'):
        raise InverseDesignError(f'--model {name}: there is no such file')
    if name == 'shipped':
        from aiida_inversedesign.propose.proposal_model import shipped_model

        return shipped_model().to_bytes()
    load_profile()
    from aiida_inversedesign.nodes.store import get_model

    data: bytes = get_model(name).payload
    return data
