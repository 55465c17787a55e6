"""The posterior of a physical model as a calculation: its inputs hold all that the samples follow from."""

from __future__ import annotations

from typing import Any

import numpy as np
from aiida.engine import ExitCode, calcfunction
from aiida.orm import ArrayData, Dict, Int, Str

from aiida_inversedesign.campaign.environment import environment
from aiida_inversedesign.errors import InverseDesignError
from aiida_inversedesign.learn.physics.infer import infer
from aiida_inversedesign.learn.physics.model import PhysicalModel, PhysicsError, model_named
from aiida_inversedesign.learn.physics.problem import Data

#: Exit status where there is no posterior.
NO_POSTERIOR = 300
#: Samples of each parameter that are stored, evenly taken from all: quantiles of 95 % intervals from them are uncertain
#: by 0.3 % of the probability; the summary is of all samples.
STORED = 4000


@calcfunction
def infer_model(
    model: Str, data: ArrayData | Dict, seed: Int, walkers: Int, steps: Int, priors: Dict | None = None
) -> Any:
    """Sample the posterior of a model's parameters.

    :param model: name of an installed one (entry points of the group ``aiida_inversedesign.physical_models``).
    :param data: arrays or lists by the names of the model's x and y, and ``error`` if the errors are known; the
        ``equation_of_state`` of an evaluation has those of the equations of state.
    :param seed: of all random numbers. :param walkers: of each of four ensembles. :param steps: that are kept.
    :param priors: of some parameters instead of the model's, e.g. ``{'E_g': {'uniform': [2.1, 2.2]}}``.
    :return: ``summary``, which says whether the chains converged and why not; ``samples``, one array per parameter;
        ``record``, the code and libraries that made them. Exit code ``NO_POSTERIOR`` if there is none.
    """
    try:
        chosen = model_named(model.value)
        given = {} if priors is None else priors.get_dict()
        posterior = infer(chosen, _data(chosen, data), seed.value, walkers.value, steps.value, priors=given)
    except InverseDesignError as error:
        return ExitCode(NO_POSTERIOR, str(error))
    samples = ArrayData({item.name: posterior.draws(STORED)[:, i] for i, item in enumerate(posterior.parameters)})
    return {'summary': Dict(posterior.summary()), 'samples': samples, 'record': Dict(environment())}


def _data(model: PhysicalModel, node: ArrayData | Dict) -> Data:
    """The data of a node.

    :raises PhysicsError: if it lacks what the model needs.
    """
    is_array = isinstance(node, ArrayData)
    known = {name: node.get_array(name) for name in node.get_arraynames()} if is_array else node.get_dict()
    names = [model.x[0], model.y[0]]
    if missing := [name for name in names if name not in known]:
        raise PhysicsError(
            f'the data of {model.name!r} need {" and ".join(names)}, {" and ".join(missing)} is missing: they have '
            f'{", ".join(sorted(known)) or "nothing"}'
        )
    names += ['error'] if 'error' in known else []
    try:
        columns: list[Any] = [np.asarray(known[name], dtype=np.float64) for name in names]
    except (TypeError, ValueError) as error:
        raise PhysicsError(f'{" and ".join(names)} must be lists of numbers: {error}') from error
    return Data.of(*columns)
