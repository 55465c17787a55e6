"""The contract of an engine: what evaluates candidates, as plain data and small pure functions. Imports no aiida.

A package adds an engine with an entry point in the group ``aiida_inversedesign.engines`` that names a subclass of
:class:`Engine` or an instance of one. Everything has a default but ``name``, ``section``, ``workchain`` and
``properties``. Where AiiDA is needed the descriptor names a function as ``'module:function'``, which is imported when
it is called.
"""

from __future__ import annotations

import functools
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from aiida_inversedesign.campaign.contracts import registry
from aiida_inversedesign.campaign.curves.functionals import Functional
from aiida_inversedesign.campaign.engine_settings import EngineSection
from aiida_inversedesign.campaign.properties import PROPERTIES, own_stages
from aiida_inversedesign.campaign.section import ContradictionError

#: Settings of every engine that say where and how often something runs, not what comes out.
NOT_PHYSICAL = frozenset(('reuse', 'caching', 'options', 'clean_workdir', 'free_space_gb'))

#: A job shorter than this is not worth launching, seconds.
LEAST_SECONDS = 30

#: Codes that people ask for and of which no package is known that brings an engine.
WITHOUT_PACKAGE = frozenset(
    [
        'abinit',
        'castep',
        'cp2k',
        'crystal',
        'exciting',
        'fhi-aims',
        'fleur',
        'gaussian',
        'gpaw',
        'nwchem',
        'orca',
        'siesta',
        'vasp',
        'wien2k',
    ]
)


@dataclass(frozen=True)
class Need:
    """A node that an engine computes with, found in the profile by a label of the campaign file.

    :param port: the input ``engine.<port>`` of its work chain.
    :param kind: ``code``, or ``library`` for a data set.
    :param path: the key of the campaign file that names it, e.g. ``evaluate.code``.
    :param plugin: entry point of the CalcJob that a code is for.
    """

    port: str
    kind: Literal['code', 'library']
    path: str
    label: str
    plugin: str = ''


@dataclass(frozen=True)
class Trial:
    """How ``check`` and ``doctor`` see within seconds that a code can do its work, in a new folder on its computer.

    What the program writes in lines that begin with ``warning:`` is shown as a warning.

    :param port: of the :class:`Need` whose code is tried.
    :param arguments: of its executable.
    :param files: that are there when it starts: text by name.
    :param expects: pattern in what it writes that says that it works; without one its exit code has to be 0.
    :param is_light: whether it may be started on the login node of a cluster, without MPI.
    """

    port: str
    arguments: tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    expects: str = ''
    is_light: bool = False


@dataclass(frozen=True)
class Jobs:
    """Calculation jobs of one evaluation.

    :param charged: those that count against ``budget.dft_calculations``.
    """

    total: int
    charged: int


@dataclass(frozen=True)
class Settled:
    """Settings that the campaign file leaves open and the profile decides, once for all evaluations.

    :param values: keys of the section, recorded with the campaign's settings.
    :param words: what they are and where they come from.
    """

    values: Mapping[str, Any]
    words: str


@dataclass(frozen=True)
class JobKind:
    """A kind of calculation job.

    :param process_type: of the job, e.g. ``aiida.calculations:vasp.vasp``.
    :param name: short, for tables, e.g. ``relax``.
    :param words: for readers, e.g. ``relaxation``.
    :param path: pattern that the call link labels from the evaluation down to the job, joined by ``/``, must match.
    :param is_dft: whether it is charged to ``budget.dft_calculations``.
    :param accepted: exit statuses besides 0 that are not failures.
    :param residual: those of them with which a job has converged, but for forces or a pressure above their thresholds
        in its final calculation.
    """

    process_type: str
    name: str
    words: str
    path: str = '.*'
    is_dft: bool = False
    accepted: frozenset[int] = frozenset()
    residual: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Repeatable:
    """A calculation function that ``verify`` may run again.

    :param kind: what it decides (``proposal`` … ``references``), or ``evaluation`` for a property of one candidate.
    :param tolerance: relative deviation that is allowed; the default is that of copies and closed forms.
    :param finding: kind of finding where an evaluation's function gives another result.
    :param entry_point: its process type where AiiDA knows it by an entry point.
    """

    kind: str
    module: str
    name: str
    tolerance: float = 1e-8
    finding: str = ''
    entry_point: str = ''

    @property
    def process_types(self) -> tuple[str, ...]:
        """What AiiDA records as the process type of its runs."""
        return tuple(filter(None, (f'{self.module}.{self.name}', self.entry_point)))


class Engine:
    """What evaluates candidates.

    The hooks, each ``'module:function'`` or empty:

    - ``prepare(spec, inputs, problems)``: further inputs ``engine.<port>`` by port; problems of the profile are added.
    - ``examine(codes)``: what ``doctor`` looks for: its name, the labels of what the profile has, and a remedy.
    - ``settle(spec, elements)``: :class:`Settled`, what of its section the profile decides once for all evaluations.
    - ``tries(spec, inputs)``: a :class:`Trial` for each code that can be tried; of others only the executable is
      looked for.
    - ``equal(node, candidate, settings)``: whether an earlier evaluation used what this one would use.
    - ``answers(section, library, candidates, properties, same)``: what every candidate would give, if that is known.
    - ``methods(facts, cite)`` and ``citations(facts)``: sentences for the methods section, keys of publications.
    - ``later(generation)``: candidates of which more is known than their evaluation returned, by name, each with a
      number that grows: they are evaluated again and their rows replaced.
    - ``waits_for(evaluations, settings)``: what those that run wait for, in words, by PK, for ``status``;
      ``settings`` is the node.
    - ``bibtex()``: a list of BibTeX entries, of those that the package does not have.
    """

    name: str = ''
    #: Kinds of candidates that it evaluates; empty: any.
    spaces: tuple[str, ...] = ('crystals',)
    section: type[EngineSection] = EngineSection
    #: Entry point of its work chain in the group ``aiida.workflows``.
    workchain: str = ''
    #: Whether answers are given and not computed: looked up in a data set or measured, which says what properties
    #: there are.
    looks_up: bool = False
    #: Whether evaluating a candidate again may give another value, as measurements do.
    noisy: bool = False
    #: Whether it follows ``Property.compute`` and launches the stages of properties.
    runs_derived: bool = True
    runs_stages: bool = False
    job_kinds: tuple[JobKind, ...] = ()
    #: Call link label of the child that every evaluation has once its inputs were accepted; empty: none.
    first_child: str = ''
    #: Its own settings that do not change results, or that ``equal`` compares by what was computed with.
    not_physical: frozenset[str] = frozenset()
    repeatable: tuple[Repeatable, ...] = ()
    #: Package with a file ``protocols.yaml``, if the section has a key ``protocol``.
    protocols: str = ''
    prepare: str = ''
    settle: str = ''
    examine: str = ''
    tries: str = ''
    equal: str = ''
    answers: str = ''
    later: str = ''
    waits_for: str = ''
    methods: str = ''
    citations: str = ''
    bibtex: str = ''

    @property
    def process_type(self) -> str:
        """What AiiDA records as the process type of its evaluations."""
        return f'aiida.workflows:{self.workchain}'

    @property
    def makes_dft(self) -> bool:
        """Whether it has jobs that are charged to ``budget.dft_calculations``."""
        return any(kind.is_dft for kind in self.job_kinds)

    def properties(self, section: Any) -> frozenset[str] | None:
        """Names of the properties that it computes by itself; None: whatever its data holds."""
        return None if self.looks_up else frozenset()

    def units(self, section: Any) -> Mapping[str, str] | None:
        """Units that the section declares for properties of its data, or that numbers of curves have."""
        if self.looks_up:
            return getattr(section, 'units', {})
        return {
            name: Functional.from_dict(asked).unit(
                PROPERTIES[asked['property']].unit, PROPERTIES[asked['property']].curve_axis
            )
            for name, asked in getattr(section, 'functionals', {}).items()
        }

    def computed(self, section: Any, properties: Iterable[str]) -> list[str]:
        """The properties that have to be computed for these: for a number of a curve, the curve."""
        functionals = getattr(section, 'functionals', {})
        return list(dict.fromkeys(functionals.get(name, {}).get('property', name) for name in properties))

    def needs(self, section: Any) -> tuple[Need, ...]:
        """What has to be in the profile for its inputs."""
        return ()

    def jobs(self, section: Any, properties: Iterable[str]) -> Jobs:
        """Jobs of one evaluation that needs no restart; where their number depends on the candidate, the most."""
        return Jobs(1, int(self.makes_dft))

    def least_jobs(self, section: Any, properties: Iterable[str]) -> Jobs:
        """The same with the fewest jobs, where their number depends on the candidate."""
        return self.jobs(section, properties)

    def most_jobs(self, section: Any, properties: Iterable[str]) -> Jobs:
        """Jobs of one evaluation in which everything is restarted as often as is allowed."""
        return self.jobs(section, properties)

    def least_core_hours(self, section: EngineSection, properties: Iterable[str]) -> float:
        """Core-hours without which an evaluation is not launched: each of its jobs with the least wall time."""
        options = section.options
        processes = (options.num_machines or 1) * (options.num_mpiprocs_per_machine or 1)
        seconds = min(LEAST_SECONDS, options.max_wallclock_seconds or LEAST_SECONDS)
        return self.jobs(section, properties).total * seconds * processes / 3600

    def slots(self, section: Any, properties: Iterable[str], queued: bool) -> tuple[int, int]:
        """Process slots that one evaluation holds at most: those of parents that wait, and those of jobs.

        :param queued: whether a scheduler queues its jobs.
        """
        return 1, min(1, self.jobs(section, properties).total)

    def explain(self, process_type: str, exit_status: int | None) -> str:
        """Why one of its processes ended with this exit status, in plain words; empty if its message says it best.

        What is a guess stands at the end as `` (perhaps …)``: it is left out where the program itself said more.
        """
        return ''

    def quote(self, process_type: str, text: str) -> str:
        """The sentence of a program's output by which it says why it stopped; empty if it is not there.

        :param process_type: of the job; a program may be run by another plug-in's.
        :param text: the end of its output or error stream.
        """
        return ''

    def contradictions(self, section: Any, others: Mapping[str, Any]) -> Iterator[ContradictionError]:
        """What does not go together in its section and the others.

        :param others: the sections that are right by themselves, by name.
        """
        return iter(())

    def unanswered(self, section: Any, name: str) -> str:
        """Why its settings do not give a property that it can compute, and what to change; empty if they do.

        :param name: of an installed property that :meth:`yields`.
        """
        return ''

    def remarks(self, section: Any, properties: Iterable[str], elements: Collection[str]) -> Iterator[tuple[str, str]]:
        """What a reader must know of results with these settings, as ``check``, audit, report and paper print it.

        :param properties: those that are asked for.
        :param elements: those that the space can lead to, or that were evaluated.
        :returns: of each a sentence without its full stop, and what to change in the file; empty if nothing.
        """
        return iter(())

    def gives_up(self, section: Any) -> bool:
        """Whether it ends an evaluation early that cannot come below the goal's highest formation energy."""
        return False

    def yields(self, section: Any, name: str) -> bool:
        """Whether a property can be had with it, be it as a derived one or by a stage of its own."""
        (name,) = self.computed(section, [name])
        own = self.properties(section)
        if own is None or name in own:
            return True
        item = PROPERTIES.get(name)
        if item is None or (item.engines and self.name not in item.engines):
            return False
        if item.collective:
            return 'energy' in own
        return bool(item.compute and self.runs_derived) or bool(own_stages([name]) and self.runs_stages)


@functools.lru_cache(maxsize=4)
def _by_name(_: tuple[str, ...]) -> dict[str, Engine]:
    found = {name: _instance(item) for name, item in registry.parts('engines').items()}
    return {name: item for name, item in found.items() if not wrong_with(name, item)}


def _instance(item: Any) -> Any:
    """An entry point may name an instance or the class."""
    return item() if isinstance(item, type) else item


def wrong_with(name: str, item: Any) -> str:
    """Why an entry point does not bring an engine, in words; empty if it does."""
    if not isinstance(item, Engine):
        return f'it is not an instance of a subclass of {Engine.__module__}.Engine'
    if item.name != name:
        return f'its name is {item.name!r}'
    tag = item.section.model_fields.get('engine')
    if not issubclass(item.section, EngineSection) or tag is None or get_args(tag.annotation) != (name,):
        return f'its section must be an EngineSection with the key `engine: Literal[{name!r}]`'
    return ''


def installed() -> dict[str, Engine]:
    """Every engine of the installed packages by name, ours first."""
    return _by_name(registry.names('engines'))


def find(name: object) -> Engine | None:
    """The engine of a name, or None if it is not installed: for readers, who can do without."""
    return installed().get(str(name))


def engine_named(name: str) -> Engine:
    """The engine of a name.

    :raises PartError: if it is not installed, or its package is broken.
    """
    found = find(name)
    if found is None:
        raise registry.PartError(missing(name))
    return found


def engine_of(settings: Mapping[str, Any]) -> tuple[Engine, EngineSection]:
    """The engine of a section ``evaluate`` in plain data, and the section.

    :raises PartError: if the engine is not installed.
    """
    engine = engine_named(str(settings.get('engine', '')))
    return engine, engine.section.model_validate(settings)


def missing(name: str) -> str:
    """Why there is no engine of this name, and what to do, in words."""
    if name in registry.names('engines'):
        try:
            return f'the engine {name!r} of {registry.package_of("engines", name)} cannot be used: ' + wrong_with(
                name, _instance(registry.part('engines', name))
            )
        except registry.PartError as error:
            return str(error)
    known = list(installed())
    if name.lower() in WITHOUT_PACKAGE:
        return (
            f'no engine {name!r} is installed, and no package is known that brings one; installed are '
            f'{", ".join(known)} (a package brings one by an entry point in the group aiida_inversedesign.engines)'
        )
    return registry.not_installed('engines', name)
