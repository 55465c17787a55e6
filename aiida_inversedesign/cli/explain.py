"""``explain``: what a campaign has learned, why it chose what it chose, and rules that its hits obey."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from aiida_inversedesign.cli.common import FOLDER, FORMAT, NEW_FILE, campaign_argument, emit, opened_campaign
from aiida_inversedesign.cli.printing import draw, new_table, say, with_interval
from aiida_inversedesign.errors import InverseDesignError


@click.command()
@campaign_argument
@click.option('--last', type=click.IntRange(min=0), default=10, show_default=True, help='Choices that are explained.')
@click.option('--seed', type=click.IntRange(min=0), default=0, show_default=True, help='Of refits and permutations.')
@click.option('--plots', type=FOLDER, help='Folder for the pictures (PNG).')
@click.option('--rules', 'rules_file', type=NEW_FILE, help='File for the rules, as a section of a campaign file.')
@FORMAT
def explain(
    campaign: str | None,
    archive: Path | None,
    last: int,
    seed: int,
    plots: Path | None,
    rules_file: Path | None,
    output_format: str,
) -> None:
    """Say what the model of a campaign (PK or UUID) has learned, why candidates were chosen, and what hits share.

    Reads the provenance only. Intervals are over refits without a fifth of the evaluations (docs/explain.md).

    \b
    Examples:
      aiida-inversedesign explain 1234
      aiida-inversedesign explain 1234 --last 50 --plots pictures
      aiida-inversedesign explain 1234 --rules rules.yaml
      aiida-inversedesign explain --archive campaign.aiida --format json
    """
    from aiida_inversedesign.audit.explanation import explanation

    with opened_campaign(campaign, archive) as node:
        found = explanation(node, last, seed)
    emit(found, output_format, show)
    if plots is not None:
        from aiida_inversedesign.audit.explanation_plot import write_figures

        try:
            written = write_figures(found, plots)
        except OSError as error:
            raise InverseDesignError(
                f'the pictures cannot be written to {plots} ({error}): name another folder'
            ) from error
        if output_format == 'table':
            click.echo(f'{len(written)} pictures in {plots}')

    if rules_file is not None:
        number = write_rules(found, rules_file)
        if output_format == 'table':
            click.echo(f'{number} rule{"s" if number > 1 else ""} in {rules_file}: copy screen into a campaign file')


def write_rules(found: dict[str, Any], path: Path) -> int:
    """Write the rules of an explanation as the section ``screen`` of a campaign file; returns their number.

    :raises ExplainError: if there is no rule to write. :raises InverseDesignError: if the file cannot be written.
    """
    import yaml

    from aiida_inversedesign.explain.hits import as_screen

    section, remarks = as_screen(found['rules'])
    about = [f'Rules of the hits of campaign {found["campaign"]["uuid"]}; a candidate must obey one of them.', *remarks]
    text = ''.join(f'# {line}\n' for line in about)
    text += yaml.safe_dump({'screen': section}, sort_keys=False, allow_unicode=True)
    try:
        path.write_text(text, encoding='utf-8')
    except OSError as error:
        raise InverseDesignError(f'the rules cannot be written to {path} ({error}): name another file') from error
    return len(section['rules']['any'])


def show(found: dict[str, Any]) -> None:
    """Print an explanation."""
    for name, model in found['models'].items():
        _show_model(name, found['campaign']['units'].get(name, ''), model)
    for name, reason in found['not_explained'].items():
        say(f'{name}: {reason}')
    if found['choices']:
        _show_choices(found)
    show_rules(found['rules'])


def _show_model(name: str, unit: str, model: dict[str, Any]) -> None:
    from aiida_inversedesign.campaign.properties import unit_text

    unit = unit_text(unit)
    left_out = f'R² left out {with_interval(model["r2"], ".2f")}'
    title = f'What predicts {name} ({model["kind"]}, {model["rows"]} rows, {left_out})'
    table = new_table('descriptors that go together', 'loss of R² without them', '95 %', title=title)
    # what the table would show as 0.000
    shown = [item for item in model['importances'] if max(abs(item['low']), abs(item['high'])) >= 5e-4]
    for item in shown[:8]:
        others = len(item['descriptors']) - 3
        names = ', '.join(item['descriptors'][:3]) + (f' and {others} more' if others > 0 else '')
        table.add_row(names, f'{item["value"]:z.3f}', f'{item["low"]:z.3f} to {item["high"]:z.3f}')
    if shown:
        draw(table)
    else:
        say(f'{table.title}: no descriptor: the model predicts as well without any one of them')
    curves = model['dependences']
    for curve in curves:
        first, *between, last = curve['mean']
        top, bottom = max(between, default=first), min(between, default=first)
        turn = f', up to {top:.4g} between' if top > max(first, last) else ''
        turn += f', down to {bottom:.4g} between' if bottom < min(first, last) else ''
        ends = f'{curve["grid"][0]:.3g} to {curve["grid"][-1]:.3g} {unit_text(curve["unit"])}'.rstrip()
        say(f'  along {curve["group"]} from {ends}: {name} {first:.4g} to {last:.4g} {unit}'.rstrip() + turn)
    limits = model['domain']
    say(
        f'Where not to believe it: {limits["beyond"]:.0%} of the candidates lie farther from the evaluations '
        f'(more than {limits["limit"]:.2f} standard deviations per descriptor) than 95 % of these from each other.'
    )
    for part in limits['by_distance']:
        say(
            f'  {part["from"]:.2f} to {part["to"]:.2f} away: mean absolute error {part["mae"]:.3g} {unit}, '
            f'{part["coverage"]:.0%} inside the 95 % interval (n = {part["n"]})'
        )
    for item in limits['best_beyond']:
        say(
            f'  beyond: {item["candidate"]} {item["key"]}, predicted {item["predicted"]:.4g} ± {item["deviation"]:.2g} '
            f'{unit}, {item["distance"]:.2f} away'
        )


def _show_choices(found: dict[str, Any]) -> None:
    say(f'Why the last {len(found["choices"])} candidates were chosen', style='bold')
    for item in found['choices']:
        predicted = ', '.join(f'{name} {mean:.4g} ± {dev:.2g}' for name, (mean, dev) in item['predicted'].items())
        lines = [f'{item["candidate"]} {item["key"]}: predicted {predicted}']
        if 'contributions' not in item:
            lines.append('drawn at random (control arm)' if item['arm'] == 'control' else f'chosen by {item["arm"]}')
        elif parts := item['contributions']:
            lines.append(
                f'{item["acquisition"]} {parts["score"]:.3g} = {parts["of_the_median"]:.3g} of the median candidate '
                f'{parts["mean"]:+.2g} by its mean {parts["uncertainty"]:+.2g} by its uncertainty'
            )
        else:
            lines.append(item['contributions_reason'])
        near = '; '.join(
            f'{one["key"]} {", ".join(f"{value:.4g}" for value in one["values"].values())} ({one["distance"]:.2f} away)'
            for one in item.get('neighbours', [])
        )
        lines += [f'nearest evaluated: {near}'] if near else []
        lines += [words] if (words := _change(item.get('change'))) else []
        say('\n    '.join(lines), soft_wrap=True)


def _change(change: dict[str, Any] | None) -> str:
    """What would have changed a choice, in words."""
    if not change:
        return ''
    limits = ' or '.join(f'{side} {change[side]:.4g}' for side in ('below', 'above') if side in change)
    if not limits:
        return f'no other prediction of {change["property"]} alone would have changed the choice'
    return (
        f'with {change["property"]} predicted {limits}, {change["next_key"]} ({change["next"]}) would have been chosen'
    )


def show_rules(rules: dict[str, Any]) -> None:
    """Print rules with their evidence."""
    if not rules['rules']:
        say(f'No rules: {rules["reason"]}.')
        return
    say(f'Rules that hits obey ({rules["hits"]} of {rules["n"]} evaluations are hits, {rules["pool"]} candidates)')
    for number, rule in enumerate(rules['rules'], 1):
        say(f'{number}. {rule["sentence"]}')
        held = rule['held_out']
        words = f'   p = {rule["p_value"]:.3g} against chance, corrected for the search'
        if held and held['n']:
            words += (
                '; found from half of the evaluations, precision on the other half '
                f'{with_interval(held["precision"], ".2f")}, {held["ratio"]["value"]:.1f} × that of all '
                f'(n = {held["n"]} halves)'
            )
        elif not held:
            words += f'; not tested on held-out rows: {rules["held_out_reason"]}'
        say(words)
