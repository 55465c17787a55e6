"""``cspml``: train the proposal model, and predict the crystals of single formulas."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from aiida_inversedesign.cli.common import FORMAT, emit, load_profile
from aiida_inversedesign.errors import InverseDesignError


@click.group()
def cspml() -> None:
    """Train the proposal model, and predict the crystals of single formulas.

    \b
    Examples:
      aiida-inversedesign cspml predict SiC --top 5 --output cifs/
      aiida-inversedesign cspml train --library mp --seed 1 --label mine
    """


@cspml.command()
@click.argument('formulas', nargs=-1, required=True)
@click.option('--library', 'library_label', default='aflow', show_default=True, help='Label of a template library.')
@click.option('--model', default='shipped', show_default=True, help='Label of a CSPML model.')
@click.option('--top', type=click.IntRange(min=1), default=5, show_default=True, help='Templates of each formula.')
@click.option('--max-sites', type=click.IntRange(min=1), default=100, show_default=True, help='Largest cell.')
@click.option('--exclude-own', is_flag=True, help="Leave the formulas' own entries out of the templates: a fair test.")
@click.option('--output', type=click.Path(path_type=Path, file_okay=False), help='Folder for the CIF files.')
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
    from aiida_inversedesign.campaign.spec import Propose, Space
    from aiida_inversedesign.chemistry.formulas import parse_formula, reduced_formula

    reduced = [reduced_formula(parse_formula(formula)) for formula in formulas]
    load_profile()
    from aiida_inversedesign.data.store import get_library, get_model
    from aiida_inversedesign.propose.pipeline import propose

    candidates = propose(
        Space(formulas=reduced, charge_neutral='off', max_sites=max_sites, max_formulas=len(reduced)),
        Propose(library=library_label, model=model, top_k=top),
        get_library(library_label).get_library(),
        get_model(model).get_model(),
        seed=0,
        generation=1,
        exclude_templates=set(reduced) if exclude_own else (),
    )
    rows = [_row(candidate) for candidate in candidates]
    if output is not None:
        output.mkdir(parents=True, exist_ok=True)
        for row, candidate in zip(rows, candidates, strict=True):
            if candidate.accepted:
                row['cif'] = str(_write_cif(candidate, library_label, output))
    emit(rows, output_format, _show)


def _row(candidate: Any) -> dict[str, Any]:
    rejected = candidate.rejected_by
    return {
        'formula': candidate.formula,
        'rank': candidate.rank,
        'probability': candidate.probability,
        'template': candidate.template,
        'template_formula': candidate.template_formula,
        'prototype': candidate.prototype,
        'assignment': candidate.assignment,
        'volume_per_atom': candidate.crystal.volume / candidate.crystal.nsites if candidate.crystal else None,
        'accepted': candidate.accepted,
        'rejected_by': rejected,
        'reason': candidate.verdicts[rejected].reason if rejected else '',
    }


def _write_cif(candidate: Any, library: str, folder: Path) -> Path:
    """Write a candidate as CIF, with its lineage in comments."""
    path = folder / f'{candidate.formula}_{candidate.rank:02d}.cif'
    lineage = [
        f'# {candidate.formula}, proposal {candidate.rank} of aiida-inversedesign ({candidate.proposer})',
        f'# template {candidate.template} ({candidate.template_formula}) of library {library} {candidate.prototype}',
        f'# probability {candidate.probability:.4f}' if candidate.probability is not None else '# no probability',
        '# elements ' + ', '.join(f'{old} -> {new}' for old, new in candidate.assignment.items()),
        f'# volume scaled by {candidate.volume_scale:.4f}',
    ]
    cif = candidate.crystal.to_pymatgen().to(fmt='cif')
    path.write_text('\n'.join([*lineage, cif]), encoding='utf-8')
    return path


def _show(rows: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table('formula', 'rank', 'probability', 'template', 'prototype', 'Å³/atom', 'verdict')
    for row in rows:
        probability = '–' if row['probability'] is None else f'{row["probability"]:.3f}'
        volume = '–' if row['volume_per_atom'] is None else f'{row["volume_per_atom"]:.2f}'
        verdict = 'accepted' if row['accepted'] else f'{row["rejected_by"]}: {row["reason"]}'
        template = f'{row["template_formula"]} ({row["template"]})'
        cells = (row['formula'], str(row['rank'] or '–'), probability, template, row['prototype'], volume, verdict)
        table.add_row(*map(escape, cells))
    Console().print(table)


@cspml.command()
@click.option('--library', 'library_label', required=True, help='Label of the library to train on.')
@click.option('--seed', type=int, default=0, show_default=True)
@click.option('--label', required=True, help='Label to find the model by.')
@click.option('--fingerprints', type=click.Path(path_type=Path), help='npz file of fingerprints (ids, fingerprints).')
@click.option('--exclude-formulas', multiple=True, metavar='FORMULA', help='Leave a formula out; may be repeated.')
@click.option('--output', type=click.Path(path_type=Path, dir_okay=False), help='Write the model to this npz file too.')
def train(
    library_label: str,
    seed: int,
    label: str,
    fingerprints: Path | None,
    exclude_formulas: tuple[str, ...],
    output: Path | None,
) -> None:
    """Train a CSPML model on the lowest-energy entry of each formula of a library.

    Fingerprints that are not in the file are computed (0.3 s a structure; needs the extra `elements`).

    \b
    Example:
      aiida-inversedesign cspml train --library mp --seed 1 --label mine --fingerprints fingerprints.npz
    """
    load_profile()
    from rich.progress import Progress

    from aiida_inversedesign.data.cspml import CspmlData
    from aiida_inversedesign.data.store import get_library
    from aiida_inversedesign.propose.training import train_on

    whole = get_library(library_label).get_library()
    if not len(whole):
        raise InverseDesignError(f'the library {library_label!r} is empty')
    with Progress() as bar:
        task = bar.add_task('training', total=1.0)
        model = train_on(
            whole,
            seed=seed,
            cache=fingerprints,
            exclude_formulas=set(exclude_formulas),
            progress=lambda step, done: bar.update(task, description=step, completed=done),
        )
    node = CspmlData.from_model(model, label=label).store()
    if output is not None:
        output.write_bytes(model.to_bytes())
    click.echo(
        f'trained on {model.record.get("templates", len(whole))} compounds: model {label!r}, CspmlData<{node.pk}>'
    )
