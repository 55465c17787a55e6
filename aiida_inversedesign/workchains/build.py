"""From a campaign file to the inputs of its WorkChain; everything that is missing is said before anything runs."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiida import orm
from aiida.common.exceptions import MultipleObjectsError, NotExistent

from aiida_inversedesign.campaign.contracts.engine import Settled, engine_named
from aiida_inversedesign.campaign.contracts.registry import load, part
from aiida_inversedesign.campaign.demands import references_wanted
from aiida_inversedesign.campaign.spec import CampaignSpec
from aiida_inversedesign.engines.common.advice import code_command, computer_command
from aiida_inversedesign.errors import InverseDesignError
from aiida_inversedesign.libraries.known import known_file
from aiida_inversedesign.libraries.library import Library
from aiida_inversedesign.nodes.earlier import NAMESPACE
from aiida_inversedesign.nodes.store import get_library, get_model
from aiida_inversedesign.workchains.earlier_campaigns import with_campaigns

if TYPE_CHECKING:
    from aiida.engine import ProcessBuilder


#: Entry points of jobs that run a Python program of this package.
OURS = 'inversedesign.'


class SetupError(InverseDesignError):
    """A campaign that cannot be launched in this profile, with everything that is missing."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__('the campaign cannot be launched:\n' + '\n'.join(f'  {problem}' for problem in problems))


def build_campaign(spec: CampaignSpec) -> ProcessBuilder:
    """The builder of a campaign, with every node it needs.

    :raises SetupError: if a code, pseudopotential, library or model is missing.
    """
    from aiida_inversedesign.workchains.campaign import InverseDesignWorkChain

    problems: list[str] = []
    builder = InverseDesignWorkChain.get_builder()
    builder.metadata.label = spec.name
    builder.budget = orm.Dict(spec.budget.model_dump(mode='json'))

    def attempt(function: Any, key: str) -> Any:
        try:
            return function(getattr(spec.propose, key))
        except InverseDesignError as error:
            problems.append(f'propose.{key}: {error}')
            return None

    sources = {name: part('sources', name) for name in spec.propose.shares}
    needs = {need for source in sources.values() for need in source.needs}
    problems.extend(_lacking_packages(spec, sources))
    library = attempt(partial(get_library, tolerant=_is_tolerant(spec)), 'library') if 'library' in needs else None
    model = attempt(get_model, 'model') if 'model' in needs else None
    engine = _engine_inputs(spec, problems)
    known = _known(spec, problems)
    codes = _decision_codes(spec, problems)
    if library is not None:
        problems.extend(_space_problems(spec, library.get_library()))
    settings: dict[str, Any] = {}
    campaigns: dict[str, Any] = {}
    if not problems:
        # they are held against what the profile decides for this campaign
        settings, campaigns = with_campaigns(_settled_settings(spec, library), problems)
    if problems:
        raise SetupError(_without_repeats(problems))
    builder.settings = orm.Dict(settings)
    if library is not None:
        builder.library = library
    if model is not None:
        builder.model = model
    if known is not None:
        builder.known = known
    for name, node in engine.items():
        builder.engine[name] = node
    for name, node in codes.items():
        builder.codes[name] = node
    if campaigns:
        builder[NAMESPACE] = campaigns
    return builder


def _is_tolerant(spec: CampaignSpec) -> bool:
    """Whether lines of a data set that name no candidate are left out and counted."""
    return spec.space.reader is not None and spec.space.reader.tolerant


def _settled_settings(spec: CampaignSpec, library: Any) -> dict[str, Any]:
    """Everything but the budget, with what the profile decides for the engine."""
    settings, found = spec.settings(), settled(spec, library)
    if spec.known is not None:
        # where it was is of no meaning to others: the file itself is an input
        settings['known'] = Path(spec.known).name
    return settings if found is None else {**settings, 'evaluate': {**settings['evaluate'], **found.values}}


def _known(spec: CampaignSpec, problems: list[str]) -> orm.SinglefileData | None:
    """The file of the starting data, if all of it can be taken."""
    if spec.known is None:
        return None
    try:
        known_file(spec.known, spec)
    except InverseDesignError as error:
        problems.append(f'known: {error}')
        return None
    return orm.SinglefileData(Path(spec.known).resolve(), filename=Path(spec.known).name)


def settled(spec: CampaignSpec, library: Any) -> Settled | None:
    """What the file leaves open of the engine's settings and this profile decides for the whole campaign.

    :param library: node of the library that candidates come from, or None.
    """
    engine = engine_named(spec.evaluate.engine)
    return load(engine.settle)(spec, elements_of(spec, library)) if engine.settle else None


def elements_of(spec: CampaignSpec, library: Any) -> frozenset[str]:
    """The elements that a campaign can lead to: those of the space, or of the library whose entries it evaluates."""
    if spec.space.elements_used or library is None:
        return spec.space.elements_used
    entries = library.get_library()
    if not isinstance(entries, Library):
        return frozenset()
    return frozenset(symbol for entry in entries for symbol in entry.crystal.counts)


def _without_repeats(problems: list[str]) -> list[str]:
    """Problems that differ only in the key of the campaign file as one, e.g. a library that two sections name."""
    keys: dict[str, list[str]] = {}
    for problem in problems:
        key, _, text = problem.partition(': ')
        keys.setdefault(text, []).append(key)
    return [f'{", ".join(dict.fromkeys(found))}: {text}' for text, found in keys.items()]


def _decision_codes(spec: CampaignSpec, problems: list[str]) -> dict[str, Any]:
    """The codes of proposals and fits that run as jobs."""
    codes = {}
    generator = spec.propose.external
    for name, plugin, label in (
        ('propose', 'inversedesign.propose_job', spec.propose.code),
        ('propose.external', 'inversedesign.generate', None if generator is None else generator.code),
        ('screen', 'inversedesign.potential', spec.screen.code),
        ('learn', 'inversedesign.fit_job', spec.learn.code),
    ):
        if label is not None and name != 'screen' and spec.select.schedule != 'generations':
            problems.append(
                f'{name}.code: only with select.schedule generations; the asynchronous schedule makes decisions inline'
            )
        elif label is not None:
            codes[name.rpartition('.')[2]] = _code(label, f'{name}.code', plugin, problems)
    return {name: node for name, node in codes.items() if node is not None}


def _engine_inputs(spec: CampaignSpec, problems: list[str]) -> dict[str, Any]:
    """The inputs ``engine.<port>`` of the engine's work chain, as its descriptor asks for them."""
    engine, inputs = engine_named(spec.evaluate.engine), {}
    for need in engine.needs(spec.evaluate):
        if need.kind == 'code':
            inputs[need.port] = _code(need.label, need.path, need.plugin, problems)
            continue
        try:
            inputs[need.port] = get_library(need.label, _is_tolerant(spec))
        except InverseDesignError as error:
            problems.append(f'{need.path}: {error}')
    inputs = {name: node for name, node in inputs.items() if node is not None}
    if engine.prepare:
        inputs |= load(engine.prepare)(spec, inputs, problems)
    problems.extend(_reference_problems(spec))
    if spec.evaluate.caching:
        problems.extend(_caching_problems(inputs.get('code')))
    return inputs


def _caching_problems(code: orm.AbstractCode | None) -> list[str]:
    """Whether the profile caches the jobs of the engine."""
    from aiida.manage.caching import get_use_cache

    plugin = code.default_calc_job_plugin if code is not None else None
    if plugin is None or get_use_cache(identifier=f'aiida.calculations:{plugin}'):
        return []
    return [
        f"evaluate.caching: AiiDA's caching of {plugin} is off in this profile; switch it on with "
        f'`verdi config set caching.enabled_for aiida.calculations:{plugin} --append`'
    ]


def _code(label: str, path: str, plugin: str, problems: list[str]) -> orm.AbstractCode | None:
    try:
        code = orm.load_code(label)
    except NotExistent:
        names = [code.full_label for code in known_codes()]
        listing = f'this profile has {", ".join(names)}' if names else 'this profile has none'
        problems.append(f'{path}: there is no code {label!r}; {listing}. {_code_advice(label, plugin)}')
        return None
    except (MultipleObjectsError, ValueError) as error:
        problems.append(f'{path}: {label!r} does not name one code ({error}); write label@computer')
        return None
    default = code.default_calc_job_plugin
    # an interpreter serves every program of this package
    is_interpreter = str(default).startswith(OURS) and plugin.startswith(OURS)
    if default not in (None, plugin) and not is_interpreter:
        problems.append(f'{path}: {label!r} is a code for {default}, expected {plugin}')
    computer = code.computer
    if computer is not None and not computer.is_user_configured(orm.User.collection.get_default()):
        problems.append(
            f'{path}: the computer {computer.label!r} of {label!r} is not configured; '
            f'run `verdi computer configure {computer.transport_type} {computer.label}`'
        )
    return code


def _code_advice(label: str, plugin: str) -> str:
    """The command lines that make a missing code, and its computer if that is missing as well."""
    name = label.partition('@')[2] or 'localhost'
    try:
        computer = orm.load_computer(name)
    except NotExistent:
        first = f'Make its computer with `{computer_command(name)}`'
        if name != 'localhost':
            first = (
                f'Its computer {name!r} is missing as well: `verdi computer setup --label {name}`, and '
                f'`verdi computer configure core.ssh_async {name}`'
            )
        return f'{first}, and the code with `{code_command(plugin, label, name == "localhost")}`'
    return f'Make one with `{code_command(plugin, label, computer.transport_type == "core.local")}`'


def known_codes() -> list[orm.AbstractCode]:
    """Every code of the profile; asked for as ``AbstractCode``, AiiDA returns every data node."""
    kinds = (orm.InstalledCode, orm.PortableCode, orm.ContainerizedCode)
    found: list[orm.AbstractCode] = orm.QueryBuilder().append(kinds).all(flat=True)
    return sorted(found, key=lambda code: code.full_label)


def _reference_problems(spec: CampaignSpec) -> list[str]:
    from aiida_inversedesign.libraries.elemental import ElementalReferenceError, reference_crystal

    if not references_wanted(spec):
        return []
    problems = []
    for symbol in sorted(spec.space.elements_used):
        try:
            reference_crystal(symbol)
        except ElementalReferenceError as error:
            problems.append(f'formation energies: {error}')
    return problems


def _lacking_packages(spec: CampaignSpec, sources: Mapping[str, Any]) -> list[str]:
    """Packages that the sources import and that are not installed where the proposals run, if that is here."""
    if spec.propose.code is not None:
        return []
    return [
        f'propose.{"method" if spec.propose.sources is None else "sources"}: {name} needs the package {package}: '
        f'pip install "aiida-inversedesign[{extra}]"'
        for name, source in sources.items()
        for package, extra in source.packages.items()
        if importlib.util.find_spec(package) is None
    ]


def _space_problems(spec: CampaignSpec, library: Any) -> list[str]:
    """Ratios of the space for which the library has no template at all, or variables that the data do not have."""
    from aiida_inversedesign.chemistry.formulas import parse_formula, ratio_label

    if list(spec.propose.shares) == ['library']:
        return [] if isinstance(library, Library) else _point_problems(spec, library)
    space: Any = spec.space  # templates are proposed for crystals only
    if not all(part('sources', name).same_ratio for name in spec.propose.shares):
        return []
    wanted = set(space.ratios) | {ratio_label(parse_formula(formula)) for formula in space.formulas}
    available = set(library.ratios)
    missing = sorted(wanted - available)
    if missing and not wanted & available:
        return [
            f'space: the library {spec.propose.library!r} has no template of the ratio {", ".join(missing)}; '
            f'it has {", ".join(sorted(available)[:20])}'
        ]
    return []


def _point_problems(spec: CampaignSpec, data: Any) -> list[str]:
    """What keeps the rows of a data set from being points of the space."""
    try:
        outside, example = data.outside(spec.space)
        number = len(data.contents(spec.space))
    except InverseDesignError as error:
        return [f'propose.library: {error}']
    if not number:
        return [f'propose.library: {spec.propose.library!r} has no {spec.space.noun}']
    if outside == number:
        return [
            f'space: none of the {number} {spec.space.nouns} of {spec.propose.library!r} lies in it, e.g. {example}'
        ]
    return []
