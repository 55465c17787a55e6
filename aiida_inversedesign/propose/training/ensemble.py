"""The networks of an ensemble, one after the other or side by side."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

from aiida_inversedesign.parallel import mapped

#: Called with what is being done, and the fraction done.
Progress = Callable[[str, float], None]
Member = TypeVar('Member', covariant=True)


class TrainMember(Protocol[Member]):
    """Trains the network of a number, from 0, and says how far it is; a partial of a module's function."""

    def __call__(self, number: int, /, report: Callable[[float], None] | None = None) -> Member: ...


def ensemble(train: TrainMember[Member], members: int, progress: Progress, jobs: int = 1) -> list[Member]:
    """All networks, in their order; those of several jobs are trained in as many processes of one thread each.

    :param progress: with several jobs it is called only as each network is ready.
    """
    names = [f'network {number} of {members}' for number in range(1, members + 1)]
    if jobs <= 1:
        return [
            train(number, lambda done, name=name: progress(name, done))  # type: ignore[misc]
            for number, name in enumerate(names)
        ]
    found = []
    progress(names[0], 0.0)
    for name, member in zip(names, mapped(train, range(members), jobs), strict=True):
        progress(name, 1.0)
        found.append(member)
    return found
