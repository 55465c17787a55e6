"""``benchmark search``: how many evaluations each way of choosing needs, in a pool whose answers are known."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import click

from aiida_inversedesign.cli.common import COUNT, FILE, FOLDER, FORMAT, OUTPUT, emit, load_profile


@click.command()
@click.option(
    '--pool',
    'pool_file',
    required=True,
    type=FILE,
    help='Structures with properties (.jsonl[.gz]), or variables and measured values (.csv[.gz]).',
)
@click.option('--property', 'name', help='Property that is searched by; not needed with pareto.')
@click.option(
    '--functional',
    help='Of a property that is a curve: first_moment:0,1000, value:0.5, …, or earth_mover:ID, the distance to one.',
)
@click.option('--axis', metavar='NAME [UNIT]:FIRST:LAST', help='Axis of curves that come without one, evenly spaced.')
@click.option(
    '--goal',
    'goal_text',
    default='maximize',
    show_default=True,
    help='maximize, minimize, target:V±T (or V+-T), window:LOW,HIGH, or pareto:P1,-P2 (minus: minimised).',
)
@click.option('--where', multiple=True, metavar='BOUND', help="A bound hits must keep: 'heat<=0.2', '1.5<=gap<=3'.")
@click.option(
    '--top', type=click.FloatRange(0, 1, True, True), help='Share that are hits; default 0.05. Hidden from the arms.'
)
@click.option('--hit', type=float, help='Hit threshold, instead of --top. Known to the arms.')
@click.option(
    '--arms',
    default='random,auto,gp:log_ei,forest:log_ei',
    show_default=True,
    help='Names joined by commas; SURROGATE:ACQUISITION, SURROGATE:GENERATOR of formulas, ours, peers.',
)
@click.option('--seeds', type=COUNT, default=10, show_default=True, help='Searches of each arm.')
@click.option('--first-seed', type=click.IntRange(min=0), default=0, show_default=True, help='Seeds count from here.')
@click.option('--initial', type=click.IntRange(min=2), default=20, show_default=True, help='Starting points.')
@click.option(
    '--start',
    type=click.Choice(['random', 'far']),
    default='random',
    show_default=True,
    help='Where they are drawn; far: the half of the pool farthest from the goal.',
)
@click.option('--batch', type=COUNT, default=5, show_default=True, help='Candidates chosen at a time.')
@click.option('--budget', type=click.IntRange(min=3), default=100, show_default=True, help='Most evaluations.')
@click.option('--calls', type=COUNT, help='Most formulas scored for a proposal of an arm that searches by formula.')
@click.option('--at', default='', metavar='N,N…', help='Further evaluations at which figures are given.')
@click.option(
    '--estimates',
    type=FILE,
    help='CSV of `benchmark potential`: what a potential says is given to every arm as a descriptor.',
)
@click.option(
    '--from',
    'earlier_file',
    type=FILE,
    help='Pool of an earlier search, for arms that start from it: from:auto; shuffled:auto shows what harm one does.',
)
@click.option(
    '--cheap',
    type=FILE,
    help='CSV like that of --estimates: what a cheaper method says, for arms that pay for it, e.g. fidelity:auto.',
)
@click.option(
    '--cost-ratio',
    type=click.FloatRange(min=1),
    default=100,
    show_default=True,
    help='How often the cheaper method can be asked for the cost of one evaluation.',
)
@click.option('--ignore', multiple=True, metavar='COLUMN', help='Column of a CSV file that is not a variable.')
@click.option('--variables', default='', metavar='A,B…', help='Variables of a CSV file; default: all other columns.')
@click.option('--jobs', type=COUNT, default=1, show_default=True, help='Processes.')
@OUTPUT
@click.option(
    '--state',
    type=FOLDER,
    help='Folder of finished runs and descriptors; default: OUTPUT.state, if there is an output.',
)
@click.option(
    '--through-campaign',
    'campaign_seed',
    type=click.IntRange(min=0),
    metavar='SEED',
    help='Run this seed of our first arm as a real campaign too, and compare its decisions (needs a profile).',
)
@click.option('--resume/--no-resume', default=True, show_default=True, help='Take finished runs from the state.')
@FORMAT
def search(
    pool_file: Path,
    name: str | None,
    functional: str | None,
    axis: str | None,
    goal_text: str,
    where: tuple[str, ...],
    top: float | None,
    hit: float | None,
    arms: str,
    seeds: int,
    first_seed: int,
    at: str,
    estimates: Path | None,
    earlier_file: Path | None,
    cheap: Path | None,
    cost_ratio: float,
    ignore: tuple[str, ...],
    variables: str,
    jobs: int,
    output: Path | None,
    state: Path | None,
    campaign_seed: int | None,
    resume: bool,
    output_format: str,
    **asked: Any,
) -> None:
    """Measure how many evaluations each way of choosing needs for the hits of a pool.

    Every arm starts from the same points, gets the answers of what it chose, and never sees the others. Random
    search is computed exactly. docs/benchmarks.md tells what each figure means. No AiiDA profile is needed, except for
    --through-campaign.

    \b
    Examples:
      aiida-inversedesign benchmark search --pool elastic.jsonl.gz --property K_VRH --top 0.05 \\
          --arms random,auto,peers --seeds 30 --jobs 2 --output bulk.json
      aiida-inversedesign benchmark search --pool perovskites.jsonl.gz --property dir_gap \\
          --goal window:1.5,3.0 --where 'heat_all<=0.2' --arms random,auto --budget 700
      aiida-inversedesign benchmark search --pool phonon_dos.jsonl.gz --property phonon_dos --goal minimize \\
          --axis 'frequency [cm^-1]:-300:1000' --functional first_moment:0,1000 --arms random,curves:auto,gp:auto
      aiida-inversedesign benchmark search --pool barrels.csv --property toughness --variables n,theta,r,t
    """
    from aiida_inversedesign.benchmarks.functions.pool import read_curve_pool
    from aiida_inversedesign.benchmarks.search.arms import parse_arms, starting_from_earlier
    from aiida_inversedesign.benchmarks.search.curve_pool import pool_of_numbers
    from aiida_inversedesign.benchmarks.search.fidelity import with_cheap
    from aiida_inversedesign.benchmarks.search.goals import make_task, parse_goal
    from aiida_inversedesign.benchmarks.search.loop import Plan
    from aiida_inversedesign.benchmarks.search.pool import read_pool, with_estimates
    from aiida_inversedesign.benchmarks.search.report import summarise
    from aiida_inversedesign.benchmarks.search.run import run_all, with_earlier
    from aiida_inversedesign.cli.benchmark.search_table import show_search

    chosen, marks = parse_arms(arms), _numbers(at)
    goal = parse_goal(goal_text, name, where, hit)
    if functional is not None and (name is None or campaign_seed is not None):
        raise click.UsageError('--functional needs --property, and cannot run --through-campaign')
    if campaign_seed is not None:
        load_profile()
    folder = state or (output.with_name(f'{output.name}.state') if output else None)
    from aiida_inversedesign.cli.progress import shown_steps

    with tempfile.TemporaryDirectory() as nowhere, shown_steps() as report:
        cache = folder or Path(nowhere)
        named = [part.strip() for part in variables.split(',') if part.strip()]
        if functional is None:
            pool = read_pool(pool_file, goal.properties, ignore, named, cache, jobs, campaign_seed is not None, report)
        else:
            pool = pool_of_numbers(read_curve_pool(pool_file, str(name), axis, jobs, report), functional, str(name))
        if estimates is not None:
            pool = with_estimates(pool, estimates)
        if cheap is not None:
            pool = with_cheap(pool, cheap, cost_ratio, goal)
        task = make_task(goal, pool.values, top)
        plan = Plan(**asked)
        numbers = range(first_seed, first_seed + seeds)
        if earlier_file is not None:
            other = read_pool(earlier_file, goal.properties, ignore, named, cache, jobs, report=report)
            informed = starting_from_earlier(chosen)
            pool = with_earlier(pool, other, goal, top, plan, informed, numbers, folder, resume, jobs, report)
        outcome = run_all(pool, task, plan, chosen, numbers, folder, resume, jobs, report)
    figures = summarise(outcome, marks)
    if campaign_seed is not None:
        from aiida_inversedesign.benchmarks.search.through_campaign import first_of_ours, through_campaign

        figures['through_campaign'] = through_campaign(pool, task, plan, first_of_ours(chosen), campaign_seed)
    emit(figures, output_format, show_search, output)


def _numbers(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(',') if part.strip()]
    except ValueError:
        raise click.BadParameter(f'{text!r}: write whole numbers joined by commas', param_hint='--at') from None
