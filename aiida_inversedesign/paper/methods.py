"""The methods paragraph: what was done, in sentences, from the settings and versions that the provenance holds."""

from __future__ import annotations

from collections import Counter
from typing import Any

from aiida_inversedesign.audit.metrics import transfer_in_words
from aiida_inversedesign.campaign.contracts import registry
from aiida_inversedesign.campaign.contracts.engine import find
from aiida_inversedesign.campaign.goal import Goal
from aiida_inversedesign.campaign.properties import property_text, unit_of
from aiida_inversedesign.campaign.text.digits import plain
from aiida_inversedesign.engines.common.paper import listed
from aiida_inversedesign.paper import citations
from aiida_inversedesign.paper.facts import Facts

_GENERATORS = {
    'inverse_kmd': 'the inverse of kernel mean descriptors',
    'evolution': 'evolution of the best formulas',
    'tree_search': 'a Monte Carlo tree search',
    'gradient': "climbs of the surrogate's gradient over the composition, inverted by kernel mean descriptors",
}
_MATCHED = ' (StructureMatcher of pymatgen with its default tolerances, and the same space group)'
_NEUTRAL = {'prefer': 'charge-neutral formulas were preferred', 'require': 'only charge-neutral formulas were allowed'}


def methods(facts: Facts) -> str:
    """The paragraphs in Markdown, with citations as ``[@key]`` of ``references.bib`` (Pandoc's form)."""
    keys = set(citations.cited(facts))

    def cite(*names: str) -> str:
        found = [f'@{name}' for name in dict.fromkeys(names) if name in keys]
        return f' [{"; ".join(found)}]' if found else ''

    parts = [
        f'# Methods: {facts.record.name}',
        _framework(facts, cite),
        _space(facts, cite),
        _search(facts, cite),
        _evaluation(facts, cite),
        _outcome(facts, cite),
        '## References',
        '\n'.join(f'- `{key}`: {citations.sentence(key)}' for key in citations.cited(facts)),
    ]
    return '\n\n'.join(part for part in parts if part) + '\n'


def goal_in_words(goal: Goal, declared: dict[str, str] | None = None) -> str:
    """The objectives and constraints as one phrase, with units."""

    def quantity(name: str, value: float) -> str:
        return f'{plain(value)} {unit_of(name, declared) or ""}'.strip()

    words = []
    for item in goal.objectives:
        name = property_text(item.property)
        if item.kind in ('maximize', 'minimize'):
            threshold = ''
            if item.hit is not None:
                sign = '≥' if item.kind == 'maximize' else '≤'
                threshold = f' (a hit: {sign} {quantity(item.property, item.hit)})'
            words.append(f'the {"largest" if item.kind == "maximize" else "smallest"} {name}{threshold}')
        else:
            low, high = item.hit_range or (float('nan'), float('nan'))
            words.append(f'a {name} between {plain(low)} and {quantity(item.property, high)}')
    for bound in goal.constraints:
        name = property_text(bound.property)
        limits = [] if bound.min is None else [f'≥ {quantity(bound.property, bound.min)}']
        limits += [] if bound.max is None else [f'≤ {quantity(bound.property, bound.max)}']
        words.append(f'{name} {" and ".join(limits)}')
    words += [_composition(item) for item in goal.composition]
    return listed(words)


def _composition(item: Any) -> str:
    limits = [f'{sign} {plain(value)}' for sign, value in (('≥', item.min), ('≤', item.max)) if value is not None]
    return ' '.join(filter(None, (item.label, ' and '.join(limits))))


def _framework(facts: Facts, cite: Any) -> str:
    record = facts.record
    versions = record.versions
    own = versions.get('aiida-inversedesign', 'of an unrecorded version')
    core = versions.get('aiida-core', 'of an unrecorded version')
    text = (
        f'{record.space.nouns.capitalize()} with {goal_in_words(record.goal, facts.section.get("units"))} were '
        'searched for in a closed loop of proposal, selection, evaluation and learning with aiida-inversedesign '
        f'{own}{cite("aiidainversedesign")} in '
        f'AiiDA {core}{cite("aiida2020", "aiidaengine2021")}. Every input, decision and result is recorded in its '
        f'provenance graph (campaign {record.uuid}, {record.created:%d %B %Y}'
    )
    if record.resumed:
        text += f', going on from {listed(list(record.resumed))}'
    return text + f'). All random choices derive from the seed {record.settings.seed}.'


def _space(facts: Facts, cite: Any) -> str:
    record = facts.record
    if not record.space.of_crystals:
        return _candidates(facts, cite)
    space, propose = record.settings.space.model_dump(mode='json'), record.settings.propose
    library = record.library
    templates = 'the library'
    if library:
        licences = sorted({str(item.get('license', '')) for item in library.sources.values() if item.get('license')})
        origin = '; '.join(library.sources)
        templates = (
            f'the library {library.label!r} ({library.count} entries from {origin or "unnamed sources"}; '
            f'licence: {listed(licences) or "not recorded"}; SHA-256 {library.hash[:12]}…)'
        )
    sources = cite(*citations.of_sources(library.sources if library else ()))
    if list(propose.shares) == ['library']:
        return f'The candidates were the crystals of {templates}{sources}. {_filters(facts, cite)}'
    formulas = []
    if space.get('elements'):
        formulas.append(f'of the elements {listed(space["elements"])} in the ratios {listed(space["ratios"])}')
    if space.get('formulas'):
        formulas.append(f'named one by one ({listed(space["formulas"])})')
    text = f'The formulas considered were those {listed(formulas)}, with at most {space.get("max_sites", 20)} sites'
    text += f'; {_NEUTRAL[space["charge_neutral"]]}. ' if space.get('charge_neutral') in _NEUTRAL else '. '
    searched = [name for name in facts.generators if name in _GENERATORS]
    if searched:
        found = listed([f'{_GENERATORS[name]}{cite(*citations.GENERATORS[name])}' for name in searched])
        text += f'Later generations searched for further formulas by {found}. '
    text += (
        f'For each formula up to {propose.top_k} structures were proposed by '
        f'{_source(facts, cite) or propose.sources_in_words} from {templates}{sources}'
    )
    if record.model:
        data = citations.model_sources(record.model)
        trained = f', trained on {listed(data)}{cite(*citations.of_sources(data))}' if data else ''
        digest = str(record.model.get('content_hash'))[:12]
        text += f', with the model {record.model.get("label")!r} (SHA-256 {digest}…{trained})'
    return f'{text}. {_filters(facts, cite)}'


def _candidates(facts: Facts, cite: Any) -> str:
    """Which candidates were considered, where they are not crystals: in the words of the space and of the source."""
    record, library = facts.record, facts.record.library
    nouns, how = record.space.nouns, _source(facts, cite)
    data = f'the data set {library.label!r} ({library.count} rows; SHA-256 {library.hash[:12]}…)' if library else ''
    if how:
        listing = f'{nouns.capitalize()} were proposed by {how}{f" from {data}" if data else ""}.'
    else:
        listing = f'The candidates were the {nouns} of {data or "a data set that is not recorded"}.'
    return f'{record.space.methods()} {listing} {_filters(facts, cite)}'


def _source(facts: Facts, cite: Any) -> str:
    """What proposed the candidates; empty for a source that takes what a data set has."""
    propose, found = facts.record.settings.propose, []
    for name, share in propose.shares.items():
        words, keys = citations.of_source(name, facts.record.space)
        of_places = f' ({100 * share:.3g} % of them)' if len(propose.shares) > 1 and not propose.learns_shares else ''
        found.append(f'{words}{of_places}{cite(*keys)}')
    thompson = (
        ', in equal shares at first and then in shares drawn by Thompson sampling from what the candidates of each '
        f'were worth{cite("thompson1933")},'
    )
    return listed(found) + (thompson if propose.learns_shares else '')


def _screened(facts: Facts, cite: Any) -> str:
    """What a potential did before anything was evaluated; empty where none was asked."""
    settings, jobs = facts.record.settings.screen, facts.record.screenings
    if settings.potential is None or not jobs:
        return ''
    identity = jobs[0].identity
    others = {'python', 'ase', 'numpy', 'torch'} if identity.get('weights_sha256') else {'python', 'numpy', 'torch'}
    versions = {name: text for name, text in identity.get('versions', {}).items() if name not in others}
    package = f' ({listed([f"{name} {text}" for name, text in versions.items()])})' if versions else ''
    weights = f', weights with SHA-256 {identity["weights_sha256"][:12]}…' if identity.get('weights_sha256') else ''
    cited = cite(*citations.of_part('potentials', settings.potential))
    number, hours = sum(job.candidates for job in jobs), sum(job.core_hours for job in jobs)
    relaxed = (
        f'relaxed to {settings.fmax:g} eV/Å with their symmetry kept' if settings.relax else 'computed as they were'
    )
    hull = (
        ''
        if settings.hull is None
        else f"those more than {settings.hull:g} eV/atom above the potential's own hull "
        f'({sum(job.phases for job in jobs)} competing phases were relaxed with it) or '
    )
    return (
        f' Before anything was evaluated {number} candidates were {relaxed} with the interatomic potential '
        f'{settings.potential}{package}{cited}{weights}, in {hours:.2g} core-hours. Candidates '
        f'that became the same crystal were merged, {hull or "those "}more than {settings.window:g} eV/atom above the '
        f'lowest of their formula dropped, and the others ordered by log p - E/kT with kT = {settings.softness:g} eV.'
    )


def _filters(facts: Facts, cite: Any) -> str:
    candidates = facts.record.candidates
    accepted = sum(item.accepted for item in candidates)
    rejected = Counter(item.rejected_by for item in candidates if item.rejected_by)
    text = f'Of {len(candidates)} candidates {accepted} passed all filters'
    if rejected:
        words = [f'{number} by {name.replace("_", " ")!r}' for name, number in rejected.most_common()]
        text += f' (rejected: {listed(words)})'
    if facts.record.space.of_crystals:
        text += '; symmetry was determined with spglib [@spglib2024], and structures were handled with pymatgen'
        text += ' [@pymatgen2013]'
    return f'{text}.{_screened(facts, cite)}'


def _search(facts: Facts, cite: Any) -> str:
    record = facts.record
    select, budget = record.settings.select, record.budget
    streamed = select.schedule == 'asynchronous'
    text = _initial(facts, cite) + (_stream(facts) if streamed else f'; each later one {select.batch}')
    used = [name for name in facts.acquisitions if name not in ('spread', 'estimate', 'transfer', 'random')]
    if used:
        words = [_part('acquisitions', name, cite) for name in used]
        text += f', chosen by {listed(words)}'
    text += '. '
    if facts.models:
        words = [_part('surrogates', name, cite) for name in facts.models]
        often = 'whenever the results had grown by a tenth' if streamed else 'after every generation'
        text += f'Properties were predicted by {listed(words)}, refitted {often}'
        if record.settings.learn.surrogate == 'auto':
            others = [name for name in facts.competitors if name not in facts.models]
            words = [_part('surrogates', name, cite) for name in others]
            text += f', chosen in competition{f" with {listed(words)}" if words else ""} by cross-validation'
        text += '. '
    if select.control_fraction:
        text += f'A share of {select.control_fraction:g} of the later choices was drawn at random as a control. '
    names = {'evaluations': 'evaluations', 'dft_calculations': 'DFT calculations', 'core_hours': 'core-hours'}
    names |= {'hits': 'distinct hits', 'generations': 'generations'}
    limits = [f'{budget[key]:g} {word}' for key, word in names.items() if budget.get(key) is not None]
    text += f'The budget was {listed(limits)}' if limits else 'The budget was not limited'
    reason = record.stop_reason or record.exit_message
    if reason:
        return f'{text}; the recorded reason of the end is “{reason}”.'
    ended = f'ended as {record.state!r}, without a recorded reason' if record.has_ended else 'has not ended'
    return f'{text}; the campaign {ended}.'


def _part(station: registry.Station, name: str, cite: Any) -> str:
    return f'{citations.words_of(station, name)}{cite(*citations.of_part(station, name))}'


def _initial(facts: Facts, cite: Any) -> str:
    """How the search began: the initial design, and what was spread later for want of results to learn from."""
    select, cited = facts.record.settings.select, cite(*citations.INITIAL)
    spread = [item.acquisition for item in facts.record.evaluations].count('spread')
    text = f'{select.initial} candidates'
    by_estimate = [item.acquisition for item in facts.record.evaluations].count('estimate')
    if by_estimate:
        text += f', {by_estimate} of them those that the potential held for best and the others'
    by_earlier = [item.acquisition for item in facts.record.evaluations].count('transfer')
    if by_earlier:
        text += f', {by_earlier} of them those that earlier campaigns held for best and the others'
    text += f' spread over the space of their descriptors{cited}'
    if spread > select.initial:
        text += f' ({spread - select.initial} more were spread later, while there was too little to learn from)'
    if select.schedule == 'asynchronous':
        return f'The search was asynchronous: it began with {text}'
    return f'The first generation evaluated {text}'


def _stream(facts: Facts) -> str:
    """How the asynchronous schedule went on."""
    at_once = facts.record.budget.get('at_once') or facts.record.settings.select.batch
    return f'; further ones were launched as others ended, at most {at_once} under way at a time'


def _evaluation(facts: Facts, cite: Any) -> str:
    """What evaluated the candidates, in the words of the engine."""
    name = facts.record.engine
    engine = find(name)
    if engine is None or not engine.methods:
        return f'Candidates were evaluated by the engine {name!r}.'
    text = str(registry.load(engine.methods)(facts, cite))
    return ' '.join([text, *(f'{remark}.' for remark in facts.report['remarks'])])


def _against_random(enrichment: dict[str, Any]) -> str:
    if enrichment['value'] is None:
        why = enrichment['reason'].removeprefix('the base rate is not known: ')
        return f'How a random choice compares is not known: {why}. '
    base = enrichment['base_rate']
    interval = f' (95 % interval {enrichment["low"]:.2f}–{enrichment["high"]:.2f})' if 'low' in enrichment else ''
    if base['source'] == 'whole pool':
        rate, of = 'all evaluations, the initial design and the random control included,', f'{base["n"]} candidates'
        from_ = f'of the {of} that passed the filters {base["hits"]} are hits ({base["value"]:.3f})'
    else:
        rate = 'the candidates chosen by the acquisition'
        from_ = f'{base["value"]:.3f} of {base["n"]} candidates drawn at random are hits'
    return f'The hit rate of {rate} is {enrichment["value"]:.2f} times that of a random choice{interval}: {from_}. '


def _outcome(facts: Facts, cite: Any) -> str:
    report = facts.report
    counts, dft, rate = report['evaluations'], report['dft_calculations'], report['hit_rate']
    text = ''
    if given := report['known']:
        text = (
            f'The campaign began with {given["points"]} {facts.record.space.nouns} that were known before; they are in '
            'no figure below. '
        )
    if taught := report['transfer']:
        said = transfer_in_words(taught, facts.record.units)
        text += f'The surrogate {said[0]}. ' + ''.join(f'At the last update, {item}. ' for item in said[1:])
    text += (
        f'In all {counts["total"]} candidates were evaluated, of which {counts["completed"]} completed and '
        f'{counts["failed"]} failed; '
    )
    if facts.record.goal.defines_hits:
        distinct = counts['distinct_hits']
        text += f'{distinct} {"is a distinct hit" if distinct == 1 else "are distinct hits"}'
    else:
        text += 'no hit threshold is set'
    if rate['value'] is not None:
        text += (
            f' (hit rate {rate["value"]:.3f}, 95 % Wilson interval{cite("wilson1927")} '
            f'{rate["low"]:.3f}–{rate["high"]:.3f})'
        )
    text += '. ' + (_against_random(report['enrichment']) if facts.record.goal.defines_hits else '')
    if counts['copies']:
        text += (
            f'{counts["copies"]} of the completed evaluations ended in a {facts.record.space.noun} that had been '
            f'evaluated before{_MATCHED if facts.record.space.of_crystals else ""}; they count as evaluations, not as '
            'hits. '
        )
    doubtful = sum(bool(item.doubts) for item in facts.record.evaluations)
    if doubtful:
        are = 'evaluations are' if doubtful > 1 else 'evaluation is'
        text += f'{doubtful} completed {are} flagged as doubtful in the table of all evaluations. '
    if counts['stopped']:
        text += f'{counts["stopped"]} of them were killed when the campaign ended and are in no rate. '
    if counts['reused']:
        text += f'{counts["reused"]} of the results were taken from earlier evaluations of the same '
        text += f'{facts.record.space.nouns}. '
    if dft['total']:
        text += (
            f'This took {dft["total"]} DFT calculations, failed ones ({dft["failed"]}), restarts ({dft["restarts"]}) '
            f'and elemental references ({dft["references"]}) included'
        )
        hours = report['core_hours']
        text += f', and {hours:.3g} core-hours. ' if hours is not None else '. '
        if dft['residual']:
            text += (
                f'{dft["residual"]} relaxations converged with forces or a pressure above their thresholds in the '
                'final calculation. '
            )
    return text + 'Failed evaluations stay in every denominator.'
