"""The contract of a property: a number that a campaign may ask for, and where it comes from. Imports no aiida.

A package adds properties with an entry point in the group ``aiida_inversedesign.properties`` that names a
:class:`Property` or a tuple of them. A property that an engine does not compute by itself says how it is had: with
``compute`` it is derived from the relaxed candidate and the properties known so far; with a :class:`Stage` an engine
with DFT jobs launches further ones for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from aiida_inversedesign.campaign.curves.curve import Axis, Curve


@dataclass(frozen=True)
class Stage:
    """Calculation jobs of its own that a property needs after the relaxation.

    :param inputs: ``module:function``, called with ``code``, ``structure`` (relaxed), ``settings`` (the section
        ``evaluate`` as a dictionary, with the electronic type that the relaxation has shown) and ``allotment``
        (:class:`~aiida_inversedesign.engines.common.limits.Allotment`: most jobs of each chain and most seconds of each
        job); returns the process class and its inputs.
    :param gather: ``module:calcfunction``, called with ``structure`` and the named outputs; returns a ``Dict`` of
        values by property name, in which ``reason`` says why others of the stage's properties have none. It may return
        it as ``result`` beside further nodes, of which those become outputs of the evaluation that it declares:
        ``curves`` (:func:`aiida_inversedesign.nodes.curves.arrays_of`) for properties that are functions.
    :param outputs: outputs of the process that ``gather`` takes.
    :param jobs: jobs of the stage without restarts; each may be restarted as the engine's own. Where their number
        depends on the crystal, the most: so many are kept free in the budget.
    :param uncharged: further jobs, which are not DFT calculations.
    :param codes: inputs ``engine.<port>`` that ``inputs`` is also called with, as far as the evaluation has them.
    :param least: the fewest jobs; 0: always ``jobs``.
    :param name: what it is called, if several properties come from it: it is launched once for all of them. Default:
        the name of the property.
    :param crystals: ``module:calcfunction``, called with ``structure`` (relaxed), for a stage of several jobs: returns
        the crystal of each by a label. ``inputs`` is then called for each with ``structure`` and with ``relaxed``, and
        ``gather`` gets the outputs as ``<label>_<output>``. All have to succeed.
    :param with_settings: whether ``crystals`` and ``gather`` are also called with ``settings``, the section
        ``evaluate`` as a ``Dict``.
    """

    inputs: str
    gather: str
    outputs: tuple[str, ...] = ('output_parameters',)
    jobs: int = 1
    uncharged: int = 0
    codes: tuple[str, ...] = ()
    least: int = 0
    name: str = ''
    crystals: str = ''
    with_settings: bool = False


@dataclass(frozen=True)
class Property:
    """A property with a fixed meaning and unit.

    :param kind: ``scalar``, or ``function`` of ``axis``: a goal then asks for a number of the curve.
    :param axis: name of the axis. :param axis_unit: its unit.
    :param span: lowest and highest point of the axis that curves can have.
    :param stage: what an engine has to compute: ``relax`` (comes with the relaxation), ``eos`` (an equation of state),
        ``references`` (energies of the elements), or jobs of its own.
    :param electronic: whether it depends on electrons, which calculators of energies and forces need not know.
    :param spin: whether it is 0 by construction unless the engine computes with spin.
    :param bands: whether it is read from the bands on a k-mesh, which must be fine enough to tell their extrema.
    :param codes: keys of the engine's section that have to name a code for it.
    :param cell: whether it is only found if the engine relaxes the cell.
    :param stress: whether it needs the stress.
    :param collective: whether it is found from all evaluations together, not from one.
    :param engines: names of the engines that it can be had with; empty: with every engine that can follow ``compute``
        or ``stage``.
    :param credible: range outside of which the value casts doubt on the whole evaluation, which is then flagged.
    :param compute: ``module:calcfunction``, called with ``structure`` (relaxed) and ``properties`` (known so far);
        returns a ``Dict`` of values by property name.
    """

    name: str
    unit: str
    description: str
    kind: Literal['scalar', 'function'] = 'scalar'
    axis: str = ''
    axis_unit: str = ''
    span: tuple[float, float] = (0.0, 1.0)
    stage: Literal['relax', 'eos', 'references'] | Stage = 'relax'
    electronic: bool = False
    spin: bool = False
    bands: bool = False
    codes: tuple[str, ...] = ()
    cell: bool = False
    stress: bool = False
    collective: bool = False
    engines: tuple[str, ...] = ()
    compute: str = ''
    credible: tuple[float, float] | None = None

    @property
    def curve_axis(self) -> Axis:
        """The axis of a property that is a function."""
        return Axis(self.axis, self.axis_unit)

    def on_axis(self) -> Curve:
        """A constant curve of it, to see what can be asked of curves."""
        return Curve.of(self.name, self.span, (1.0, 1.0), self.curve_axis, self.unit)
