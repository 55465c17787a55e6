"""Models of one property by name, and what those of one table share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from aiida_inversedesign.learn.models.bootstrap import fit_bootstrap
from aiida_inversedesign.learn.models.ensemble import Ensemble
from aiida_inversedesign.learn.models.forest import fit_forest
from aiida_inversedesign.learn.models.gp import GaussianProcess, fit_gp
from aiida_inversedesign.learn.models.hurdle import fit_hurdle
from aiida_inversedesign.learn.models.multitask import MultiTask, Task, fit_multitask
from aiida_inversedesign.learn.models.transfer import Prior, Transfer, fit_transfer
from aiida_inversedesign.learn.regressor import Regressor, RegressorError

Array = NDArray[np.float64]

#: What a campaign file may ask for.
KINDS = ('auto', 'gp', 'forest', 'bootstrap', 'transfer', 'multitask', 'hurdle')
#: What ``auto`` leaves out.
_NOT_COMPARED = ('hurdle', 'multitask')


@dataclass(frozen=True, eq=False)
class Other:
    """Another property of the table.

    :param name: of the property.
    :param X: inputs of the rows that have a value of it, shape (m, d), standardised as those of the property itself.
    :param y: the values, shape (m,).
    :param shared: which of these rows have a value of the property itself too, shape (m,).
    """

    name: str
    X: Array
    y: Array
    shared: NDArray[np.bool_]

    def beside(self, X: Array) -> Task:
        """What may be known of it while the property itself is known of the rows ``X`` alone, shape (n, d).

        A row that is left out is left out as a whole: of a candidate nothing is known.
        """
        known = {row.tobytes() for row in X}
        keep = np.array([not both or row.tobytes() in known for row, both in zip(self.X, self.shared, strict=True)])
        return Task(self.name, self.X[keep], self.y[keep])


@dataclass(frozen=True)
class Setting:
    """What models of one table share.

    :param seed: of forests and bootstrap ensembles, and of the folds.
    :param composition: which columns describe the composition, or None where that means nothing.
    :param priors: functions of raw descriptors, learned from other data.
    :param center: by which the inputs were standardised, shape (d,); None: they are raw.
    :param width: likewise.
    :param others: the other properties of the table, for a model of several.
    """

    seed: int = 0
    composition: NDArray[np.bool_] | None = None
    priors: tuple[Prior, ...] = ()
    center: Array | None = None
    width: Array | None = None
    others: tuple[Other, ...] = ()


Fit = Callable[[Array, Array, Setting], Regressor]

#: Models by name, the simpler first. The name is the kind and, after a slash, the kernel.
RECIPES: dict[str, Fit] = {
    'gp/iso': lambda X, y, setting: fit_gp(X, y, form='iso'),
    'gp/ard': lambda X, y, setting: fit_gp(X, y, form='ard'),
    'gp/mixed': lambda X, y, setting: fit_gp(X, y, form='mixed', composition=setting.composition),
    'transfer': lambda X, y, setting: fit_transfer(X, y, setting.priors, setting.center, setting.width),
    'forest': lambda X, y, setting: fit_forest(X, y, setting.seed),
    'bootstrap': lambda X, y, setting: fit_bootstrap(X, y, setting.seed, form='ard'),
    'multitask': lambda X, y, setting: fit_multitask(X, y, [other.beside(X) for other in setting.others]),
    'hurdle': lambda X, y, setting: fit_hurdle(X, y, setting.seed),
}


def kind_of(name: str) -> str:
    """The kind of a model by its name."""
    return name.split('/')[0]


def recipes(kind: str, setting: Setting) -> list[str]:
    """Names of the models that compete for a kind.

    :raises RegressorError: if the kind is unknown, ``transfer`` has nothing to transfer from, or ``multitask`` no
        second property.
    """
    if kind not in KINDS:
        raise RegressorError(f'unknown surrogate {kind!r}: use {", ".join(KINDS[:-1])} or {KINDS[-1]}')
    if kind == 'transfer' and not setting.priors:
        raise RegressorError('transfer needs other data to learn from: name learn.source, or use another surrogate')
    if kind == 'multitask' and not setting.others:
        raise RegressorError('multitask learns several properties together, and there is one: use another surrogate')
    if kind == 'multitask':
        # a property that has nothing to do with it would spoil the scales and the noise that they share
        return ['multitask', 'gp/ard']
    # a hurdle gives probabilities where the others give densities: it is not compared with them; of properties that
    # are known of the same crystals several tell no more than one
    names = [name for name in RECIPES if kind_of(name) == kind or (kind == 'auto' and name not in _NOT_COMPARED)]
    mask = setting.composition
    if mask is None or mask.all() or not mask.any():
        names = [name for name in names if name != 'gp/mixed']
    return names if setting.priors else [name for name in names if name != 'transfer']


def with_factor(model: Regressor, factor: float) -> Regressor:
    """The model with another factor on its deviations.

    Its own comes from rows that were left out after the hyperparameters had seen them.
    """
    if isinstance(model, GaussianProcess):
        return replace(model, outputscale=factor**2)
    if isinstance(model, Transfer | MultiTask):
        return replace(model, process=replace(model.process, outputscale=factor**2))
    if isinstance(model, Ensemble):
        return replace(model, factor=factor)
    raise RegressorError(f'a {model.kind} has no factor on its deviations')
