"""Whether the sections of a campaign file go together.

Each check is a function of the sections that it takes, which its parameters name: those that can be read are held
against each other, whatever is wrong with the others.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from aiida_inversedesign.campaign.contracts import registry
from aiida_inversedesign.campaign.contracts.acquisition import acquisition, resolve
from aiida_inversedesign.campaign.contracts.engine import Engine, engine_named, installed
from aiida_inversedesign.campaign.contracts.potential import potential
from aiida_inversedesign.campaign.contracts.registry import PartError
from aiida_inversedesign.campaign.contracts.surrogate import LACKS, Need, surrogate_kind
from aiida_inversedesign.campaign.costs import least_cost
from aiida_inversedesign.campaign.curves.curve import CurveError
from aiida_inversedesign.campaign.curves.functionals import Functional
from aiida_inversedesign.campaign.properties import PROPERTIES
from aiida_inversedesign.campaign.section import ContradictionError, Location

if TYPE_CHECKING:
    from aiida_inversedesign.campaign.contracts.space import SpaceSection
    from aiida_inversedesign.campaign.engine_settings import EngineSection
    from aiida_inversedesign.campaign.goal import Asked, Goal
    from aiida_inversedesign.campaign.proposing import Propose
    from aiida_inversedesign.campaign.screening import Screening
    from aiida_inversedesign.campaign.spec import Budget, Learn, Select


def contradictions_between(sections: Mapping[str, Any]) -> Iterator[ContradictionError]:
    """What does not go together in a campaign file.

    :param sections: those that are right by themselves, by name.
    """
    for check in CHECKS:
        names = inspect.signature(check).parameters
        if all(name in sections for name in names):
            yield from check(**{name: sections[name] for name in names})
    if 'space' in sections:
        yield from sections['space'].contradictions_with(sections)
    if 'evaluate' in sections:
        evaluate = sections['evaluate']
        yield from engine_named(evaluate.engine).contradictions(evaluate, sections)


def unknown_property(name: str, units: Mapping[str, str] | None) -> ContradictionError | None:
    """What is wrong with the name of a property, if anything.

    :param units: those that a data set declares for properties of its own; None for an engine that computes.
    """
    # a data set may bring properties of its own, but none without a unit
    known = sorted({*PROPERTIES, *(units or ())})
    if name in known:
        return None
    remedy = '' if units is None else f'; if the data set has it, declare its unit: evaluate.units: {{{name}: …}}'
    return ContradictionError(f'unknown property; expected one of {", ".join(known)}{remedy}', words=known)


def properties_of(goal: Goal) -> Iterator[tuple[Location, str]]:
    """The location of each property that the goal names, and its name; numbers of curves are checked by themselves."""
    for index, objective in enumerate(goal.objectives):
        if objective.functional is None:
            yield ('goal', 'objectives', index, 'property'), objective.property
    for index, constraint in enumerate(goal.constraints):
        if constraint.functional is None:
            yield ('goal', 'constraints', index, 'property'), constraint.property


def _engine_has_curves(goal: Goal, evaluate: EngineSection) -> Iterator[ContradictionError]:
    engine = engine_named(evaluate.engine)
    for key, items in (('objectives', goal.objectives), ('constraints', goal.constraints)):
        for index, item in enumerate(items):
            if item.functional is None:
                continue
            if hasattr(evaluate, 'functionals'):
                # what a data set has is checked with its engine
                if not engine.looks_up:
                    yield from _curve_is_computed(item, engine, evaluate, ('goal', key, index))
            else:
                able = [other.name for other in installed().values() if 'functionals' in other.section.model_fields]
                yield ContradictionError(
                    f'the engine {evaluate.engine} has no curves: {", ".join(able) or "no installed engine"} has',
                    ('goal', key, index, 'functional'),
                )


def _curve_is_computed(
    item: Asked, engine: Engine, evaluate: EngineSection, location: Location
) -> Iterator[ContradictionError]:
    """A number of a curve needs a property that is one, settings that give it, and an axis that covers it."""
    known = sorted(name for name, known in PROPERTIES.items() if known.kind == 'function')
    known = [name for name in known if engine.yields(evaluate, name)]
    if item.of not in known:
        text = f'is not a function that the engine {engine.name} computes: {", ".join(known) or "there is none"}'
        yield ContradictionError(text, (*location, 'property'), known)
    elif reason := engine.unanswered(evaluate, item.of):
        yield ContradictionError(reason, (*location, 'property'))
    else:
        try:
            Functional.from_dict(item.functional_settings).check(PROPERTIES[item.of].on_axis())
        except CurveError as error:
            yield ContradictionError(str(error), (*location, 'functional'))


def _properties_are_known(goal: Goal, evaluate: EngineSection) -> Iterator[ContradictionError]:
    for location, name in properties_of(goal):
        engine = engine_named(evaluate.engine)
        found = unknown_property(name, engine.units(evaluate) if engine.looks_up else None)
        if found is not None:
            yield ContradictionError(str(found), location, found.words)
        elif name in PROPERTIES and PROPERTIES[name].kind != 'scalar':
            yield ContradictionError(
                f'is a function of {PROPERTIES[name].axis}: a goal needs a number, e.g. functional: value', location
            )


def _engine_yields_them(goal: Goal, evaluate: EngineSection) -> Iterator[ContradictionError]:
    engine = engine_named(evaluate.engine)
    for location, name in properties_of(goal):
        if name in PROPERTIES and not engine.yields(evaluate, name):
            able = [other.name for other in installed().values() if not other.looks_up and other.yields(evaluate, name)]
            does = f'{", ".join(able)} {"does" if len(able) == 1 else "do"}' if able else 'no installed engine does'
            yield ContradictionError(f'the engine {engine.name} does not compute it: {does}', location)
        elif name in PROPERTIES and not engine.looks_up and (reason := engine.unanswered(evaluate, name)):
            yield ContradictionError(reason, location)


def _engine_serves_the_space(space: SpaceSection, evaluate: EngineSection) -> Iterator[ContradictionError]:
    engine, kind = engine_named(evaluate.engine), space.kind
    if engine.spaces and kind not in engine.spaces:
        able = [other.name for other in installed().values() if not other.spaces or kind in other.spaces]
        yield ContradictionError(
            f'evaluates {" or ".join(engine.spaces)}, and the space has {kind}: write {" or ".join(able)}',
            ('evaluate', 'engine'),
            able,
        )


def _source_serves_the_space(space: SpaceSection, propose: Propose) -> Iterator[ContradictionError]:
    able = [name for name, source in registry.parts('sources').items() if space.kind in source.spaces]
    for name in propose.shares:
        served = registry.part('sources', name).spaces
        if space.kind not in served:
            yield ContradictionError(
                f'proposes {" or ".join(served)}, and the space is of the kind {space.kind!r}: expected '
                f'{", ".join(able) or "a source of an installed package"}',
                ('propose', 'method') if propose.sources is None else ('propose', 'sources', name),
                able,
            )


def _screens_serve_the_space(space: SpaceSection, screen: Screening) -> Iterator[ContradictionError]:
    if screen.potential is not None and not space.of_crystals:
        yield ContradictionError(
            f'relaxes crystals, and the space is of the kind {space.kind!r}: leave it out', ('screen', 'potential')
        )
    for name, settings in screen.further.items():
        part = registry.part('screens', name)
        served = part.spaces
        if served and space.kind not in served:
            yield ContradictionError(
                f'judges {" or ".join(served)}, and the space is of the kind {space.kind!r}: leave it out',
                ('screen', name),
            )
            continue
        for found in part.contradictions(settings, space):
            yield ContradictionError(str(found), ('screen', name, *found.location), found.words)


def _potential_knows_the_elements(space: SpaceSection, screen: Screening) -> Iterator[ContradictionError]:
    if screen.potential is None:
        return
    location = ('screen', 'potential')
    try:
        known = potential(screen.potential).elements
    except PartError as error:
        yield ContradictionError(str(error), location)
        return
    missing = sorted(space.elements_used - known) if known else []
    if missing:
        yield ContradictionError(f'does not know {", ".join(missing)}: take another potential', location)


def _estimates_are_chosen(goal: Goal, screen: Screening) -> Iterator[ContradictionError]:
    if screen.potential is None or screen.estimate_cost is None:
        return
    wanted = goal.objectives[0].property
    if len(goal.objectives) > 1 or wanted not in screen.estimated(goal.properties):
        yield ContradictionError(
            'needs a goal with one objective that the potential computes: leave it out, and all candidates are asked '
            'about',
            ('screen', 'estimate_cost'),
        )


def _jobs_have_generations(propose: Propose, screen: Screening, select: Select) -> Iterator[ContradictionError]:
    asked = {('screen', 'potential'): screen.potential, ('propose', 'external'): propose.external}
    for location, section in asked.items():
        if section is not None and select.schedule != 'generations':
            yield ContradictionError(
                'only with select.schedule generations: the asynchronous schedule makes its decisions at once', location
            )


def _acquisition_fits(goal: Goal, select: Select) -> Iterator[ContradictionError]:
    name, location = select.acquisition, ('select', 'acquisition')
    # what auto takes always fits: nothing is imported for it
    if name in ('auto', 'random'):
        return
    try:
        reason = acquisition(resolve(name, goal)).refuses(goal)
    except PartError as error:
        reason = str(error)
    if reason:
        yield ContradictionError(reason, location)


def _surrogate_has_its_source(learn: Learn) -> Iterator[ContradictionError]:
    yield from _lacking(learn, 'source', not (learn.source or learn.earlier))
    if learn.earlier and learn.surrogate != 'auto' and not _kind_takes_priors(learn.surrogate):
        yield ContradictionError(
            f'has no effect with surrogate: {learn.surrogate}; write auto or transfer', ('learn', 'from')
        )


def _kind_takes_priors(name: str) -> bool:
    try:
        return surrogate_kind(name).takes_priors
    except PartError:
        # that it cannot be asked is said of the surrogate
        return True


def _surrogate_has_several_properties(goal: Goal, learn: Learn) -> Iterator[ContradictionError]:
    yield from _lacking(learn, 'properties', len(goal.properties) == 1)


def _curves_are_learned(goal: Goal, learn: Learn) -> Iterator[ContradictionError]:
    asked = goal.functionals
    yield from _lacking(learn, 'curves', not any(name in asked for name in goal.properties))
    if learn.curves != 'auto' and (not asked or learn.surrogate not in ('auto', 'mixture', 'curves')):
        yield ContradictionError(
            'has no effect: ' + ('write surrogate: auto or curves' if asked else 'the goal asks for no functional'),
            ('learn', 'curves'),
        )


def _lacking(learn: Learn, need: Need, lacks: bool) -> Iterator[ContradictionError]:
    """That the surrogate needs what the file lacks, or that it cannot be asked."""
    name, location = learn.surrogate, ('learn', 'surrogate')
    if name == 'auto':
        return
    try:
        if lacks and need in surrogate_kind(name).needs:
            yield ContradictionError(LACKS[need], location)
    except PartError as error:
        yield ContradictionError(str(error), location)


def _schedule_has_no_generations(select: Select, budget: Budget) -> Iterator[ContradictionError]:
    if select.schedule == 'asynchronous' and budget.generations is not None:
        yield ContradictionError(
            'has no effect with select.schedule asynchronous: limit evaluations instead', ('budget', 'generations')
        )


def _budget_covers_an_evaluation(
    goal: Goal, space: SpaceSection, evaluate: EngineSection, budget: Budget
) -> Iterator[ContradictionError]:
    one, references = least_cost.of_evaluation(goal, evaluate), least_cost.of_references(goal, space, evaluate)
    for name, words, digits in (('dft_calculations', 'DFT calculations', ''), ('core_hours', 'core-hours', '.2g')):
        given, own, theirs = getattr(budget, name), getattr(one, name), getattr(references, name)
        if given is None or given >= own + theirs:
            continue
        text = f'is less than one evaluation needs: {own:{digits}} {words}'
        if theirs:
            text += f', and {theirs:{digits}} for the energies of its elements, which formation energies refer to'
        yield ContradictionError(text, ('budget', name))


def _hits_are_defined(goal: Goal, budget: Budget) -> Iterator[ContradictionError]:
    if budget.hits is not None and not goal.defines_hits:
        yield ContradictionError(
            'needs a threshold: add hit to each objective that is maximised or minimised', ('budget', 'hits')
        )


def _repeats_tell_something(goal: Goal, select: Select, evaluate: EngineSection) -> Iterator[ContradictionError]:
    if select.replicate is None:
        return
    location = ('select', 'replicate')
    if not engine_named(evaluate.engine).noisy:
        able = [other.name for other in installed().values() if other.noisy]
        yield ContradictionError(
            f'repeats an evaluation, and the engine {evaluate.engine} gives the same value again: remove it (engines '
            f'that measure: {", ".join(able) or "none is installed"})',
            location,
        )
    elif select.replicate == 'auto' and (len(goal.objectives) > 1 or goal.objectives[0].kind in ('target', 'window')):
        yield ContradictionError(
            'auto needs one objective that is maximised or minimised: write how often the best is measured, e.g. 3',
            location,
        )


#: In no order of importance: problems are reported in the order of the file.
CHECKS: tuple[Callable[..., Iterator[ContradictionError]], ...] = (
    _engine_has_curves,
    _properties_are_known,
    _engine_yields_them,
    _engine_serves_the_space,
    _source_serves_the_space,
    _screens_serve_the_space,
    _potential_knows_the_elements,
    _estimates_are_chosen,
    _jobs_have_generations,
    _acquisition_fits,
    _surrogate_has_its_source,
    _surrogate_has_several_properties,
    _curves_are_learned,
    _schedule_has_no_generations,
    _repeats_tell_something,
    _budget_covers_an_evaluation,
    _hits_are_defined,
)
