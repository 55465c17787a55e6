"""``cspml``: train the proposal model, show its card, and predict the crystals of single formulas."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from aiida_inversedesign.cli.common import (
    COUNT,
    EXCLUDE_FORMULAS,
    FOLDER,
    FORMAT,
    NEW_FILE,
    SentenceGroup,
    emit,
    formulas_to_exclude,
    load_profile,
)
from aiida_inversedesign.cli.printing import draw, new_table, plain_table
from aiida_inversedesign.errors import InverseDesignError


@click.group(cls=SentenceGroup)
def cspml() -> None:
    """Train the proposal model, and predict the crystals of single formulas.

    \b
    Examples:
      aiida-inversedesign cspml predict SiC --top 5 --output cifs/
      aiida-inversedesign cspml train --library mp --seed 1 --label mine --jobs 5
      aiida-inversedesign cspml show mine
    """


@cspml.command()
@click.argument('formulas', nargs=-1, required=True)
@click.option('--library', 'library_label', default='aflow', show_default=True, help='Label of a template library.')
@click.option('--model', default='shipped', show_default=True, help='Label of a proposal model, or its npz file.')
@click.option('--top', type=COUNT, default=5, show_default=True, help='Acceptable crystals of each formula.')
@click.option('--max-sites', type=COUNT, default=100, show_default=True, help='Largest cell.')
@click.option('--exclude-own', is_flag=True, help="Leave the formulas' own entries out of the templates: a fair test.")
@click.option('--output', type=FOLDER, help='Folder for the CIF files.')
@FORMAT
def predict(
    formulas: tuple[str, ...],
    library_label: str,
    model: str,
    top: int,
    max_sites: int,
    exclude_own: bool,
    output: Path | None,
    output_format: str,
) -> None:
    """Predict the crystal structures of FORMULAS from templates, best first.

    \b
    Example:
      aiida-inversedesign cspml predict CaCO3 LiFePO4 --library mp --top 5 --output cifs/
    """
    from aiida_inversedesign.chemistry.formulas import parse_formula, reduced_formula, remarks_on

    reduced = [reduced_formula(parse_formula(formula)) for formula in formulas]
    for formula, read in zip(formulas, reduced, strict=True):
        for remark in remarks_on(formula):
            click.echo(f'{formula} is read as {read}: {remark}', err=True)
    load_profile()
    from aiida_inversedesign.nodes.store import get_model, get_templates
    from aiida_inversedesign.propose.next_candidates import propose_next, settings_of_a_proposal

    trained = get_model(model).get_model()
    spec = settings_of_a_proposal(
        {'formulas': reduced, 'charge_neutral': 'off', 'max_sites': max_sites, 'max_formulas': len(reduced)},
        {'library': library_label, 'model': model, 'top_k': top},
    )
    library = get_templates(library_label).get_library()
    candidates = propose_next(spec, library, trained, generation=1, exclude=reduced if exclude_own else ())
    _tell_what_it_knew(trained, set(reduced), exclude_own)
    rows = [_row(candidate) for candidate in candidates]
    if output is not None:
        output.mkdir(parents=True, exist_ok=True)
        for row, candidate in zip(rows, candidates, strict=True):
            if candidate.accepted:
                row['cif'] = str(_write_cif(candidate, library_label, output))
    emit(rows, output_format, _show)


def _tell_what_it_knew(model: Any, formulas: set[str], fair: bool) -> None:
    """Say on stderr which formulas the model was trained on, where a fair test was asked for."""
    known = sorted(formulas & getattr(model, 'formulas', frozenset()))
    if fair and known:
        click.echo(
            f'The model was trained on {", ".join(known)}: its ranking of them is not a fair test. '
            'Train one without them: aiida-inversedesign cspml train --exclude-formulas …',
            err=True,
        )


def _row(candidate: Any) -> dict[str, Any]:
    rejected = candidate.rejected_by
    return {
        'formula': candidate.key,
        'rank': candidate.rank,
        'probability': candidate.probability,
        'within': candidate.within,
        'template': candidate.template,
        'template_formula': candidate.template_formula,
        'template_e_above_hull': candidate.template_e_above_hull,
        'source': candidate.source,
        'prototype': candidate.prototype,
        'prototype_label': candidate.proto_label,
        'assignment': candidate.assignment,
        'dissimilarity': candidate.dissimilarity,
        'volume_per_atom': candidate.content.volume / candidate.content.nsites if candidate.content else None,
        'volume_error': candidate.volume_error,
        'accepted': candidate.accepted,
        'rejected_by': rejected,
        'reason': candidate.verdicts[rejected].reason if rejected else '',
    }


def _write_cif(candidate: Any, library: str, folder: Path) -> Path:
    """Write a candidate as CIF, with its lineage in comments."""
    from aiida_inversedesign.propose.rankers.ranking import TAUS

    path = folder / f'{candidate.key}_{candidate.rank:02d}.cif'
    within = 'not known'
    if candidate.within is not None:
        within = ', '.join(f'{p:.3f} (within {tau})' for p, tau in zip(candidate.within, TAUS, strict=True))
    energy = candidate.template_e_above_hull
    lineage = [
        f'# {candidate.key}, proposal {candidate.rank} of aiida-inversedesign ({candidate.proposer})',
        f'# template {candidate.template} ({candidate.template_formula}) of library {library}; {candidate.source}',
        f'# template above the hull: {"not known" if energy is None else f"{energy:.3f} eV/atom"}',
        f'# probability that the structure is right, by fingerprint distance: {within}',
        '# elements ' + ', '.join(f'{old} -> {new}' for old, new in candidate.assignment.items()),
        f'# element dissimilarity {candidate.dissimilarity:.2f}',
        f'# volume {candidate.volume:.3f} A^3/atom, expected error {candidate.volume_error:.1%}, '
        f'scaled by {candidate.volume_scale:.4f}',
    ]
    cif = candidate.content.to_pymatgen().to(fmt='cif')
    path.write_text('\n'.join([*lineage, cif]), encoding='utf-8')
    return path


def _show(rows: list[dict[str, Any]]) -> None:
    from rich.markup import escape

    table = new_table('formula', 'rank', 'P(right)', 'template', 'prototype', 'Å³/atom', 'verdict')
    for row in rows:
        probability = '–' if row['probability'] is None else f'{row["probability"]:.3f}'
        volume = '–' if row['volume_per_atom'] is None else f'{row["volume_per_atom"]:.2f} ± {row["volume_error"]:.0%}'
        verdict = 'accepted' if row['accepted'] else f'{row["rejected_by"]}: {row["reason"]}'
        template = f'{row["template_formula"]} ({row["template"]})'
        cells = (
            row['formula'],
            str(row['rank'] or '–'),
            probability,
            template,
            row['prototype'] or row['prototype_label'],
            volume,
            verdict,
        )
        table.add_row(*map(escape, cells))
    draw(table)


@cspml.command()
@click.option('--library', 'library_label', required=True, help='Label of the library to train on.')
@click.option('--label', required=True, help='Label to find the model by.')
@click.option(
    '--recipe',
    type=click.Choice(['ours', 'published']),
    default='ours',
    show_default=True,
    help='ours: a posterior over known structures; published: the networks of the CSPML paper.',
)
@click.option('--seed', type=int, default=0, show_default=True)
@click.option('--epochs', type=COUNT, help='Train no longer than this: a quick look.')
@click.option('--fingerprints', type=click.Path(path_type=Path), help='npz file of fingerprints (ids, fingerprints).')
@EXCLUDE_FORMULAS
@click.option('--jobs', type=COUNT, default=1, show_default=True, help='Processes of one thread each.')
@click.option('--output', type=NEW_FILE, help='Write the model to this npz file too.')
def train(
    library_label: str,
    label: str,
    recipe: str,
    seed: int,
    epochs: int | None,
    fingerprints: Path | None,
    exclude_formulas: tuple[str, ...],
    jobs: int,
    output: Path | None,
) -> None:
    """Train a proposal model on the lowest-energy entry of each formula of a library.

    Our recipe learns from compounds within 0.1 eV/atom of the hull, the published one from those on it. Fingerprints
    that neither the library nor the file has are computed. The model card (`cspml show`) tells library, splits, scores
    and versions.

    \b
    Example:
      aiida-inversedesign cspml train --library mp --seed 1 --label mine --jobs 5
    """
    excluded = formulas_to_exclude(exclude_formulas)
    load_profile()
    from rich.progress import Progress

    from aiida_inversedesign.nodes.cspml_data import CspmlData
    from aiida_inversedesign.nodes.store import get_templates
    from aiida_inversedesign.propose.training.from_library import train_on
    from aiida_inversedesign.propose.training.published_recipe import Recipe
    from aiida_inversedesign.propose.training.train_ranker import RankerRecipe

    whole = get_templates(library_label).get_library()
    if not len(whole):
        raise InverseDesignError(f'the library {library_label!r} is empty')
    settings: Any = recipe
    if epochs is not None:
        settings = RankerRecipe(epochs=epochs) if recipe == 'ours' else Recipe(epochs=epochs)
    with Progress() as bar:
        task = bar.add_task('training', total=1.0)
        model = train_on(
            whole,
            seed=seed,
            cache=fingerprints,
            exclude_formulas=excluded,
            recipe=settings,
            progress=lambda step, done: bar.update(task, description=step, completed=done),
            jobs=jobs,
        )
    node = CspmlData.from_model(model, label=label).store()
    if output is not None:
        output.write_bytes(model.to_bytes())
    _show_card(node.record)
    click.echo(f'model {label!r}, CspmlData<{node.pk}>')


@cspml.command()
@click.argument('label', default='shipped')
@FORMAT
def show(label: str, output_format: str) -> None:
    """Show the card of a model: what it was trained on, how, and how well it did on held-out compounds.

    \b
    Example:
      aiida-inversedesign cspml show shipped
    """
    load_profile()
    from aiida_inversedesign.nodes.store import get_model

    emit(get_model(label).record, output_format, _show_card)


def _show_card(record: dict[str, Any]) -> None:
    table = plain_table()
    library = record['library']
    table.add_row('method', record['method'])
    table.add_row('library', f'{library["templates"]} compounds, hash {library["hash"][:12]}')
    for source, entry in library.get('sources', {}).items():
        table.add_row('source', f'{source}: {entry["templates"]}, licence {entry["license"] or "not stated"}')
    table.add_row('compounds', ', '.join(f'{name} {number}' for name, number in record['compounds'].items()))
    table.add_row('seed', str(record['seed']))
    for tau, scores in record.get('validation', {}).items():
        recall = ', '.join(
            f'top {k} {value:.1%}'
            for k, value in sorted(scores['recall'].items(), key=lambda pair: int(pair[0]))
            if value is not None
        )
        table.add_row(f'validation τ={tau}', f'n = {scores["n"]}: {recall}; Brier {scores["brier"]}')
    if 'test' in record:
        table.add_row('test pairs', ', '.join(f'{name} {value}' for name, value in record['test'].items()))
    for number, log in enumerate(record.get('log', []), 1):
        last = log[-1]
        table.add_row(f'network {number}', f'{last["epoch"]} epochs, validation loss {last["validation"]}')
    table.add_row('training', f'{record["training_seconds"]} s')
    table.add_row('versions', ', '.join(f'{name} {version}' for name, version in record['versions'].items()))
    draw(table)
