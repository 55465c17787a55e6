"""How many of the molecules that a generator proposes lie in a region of properties, and how well these are predicted.

Regressions (a surrogate of this package on the descriptors of the space) learn from four fifths of a data set; the
other fifth tells how well. They lead every generator. Whether a molecule lies in the region is also judged by forests
of scikit-learn on other descriptors (2 048 bits of Morgan fingerprints beside RDKit's numbers), which lead none.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from aiida_inversedesign.arrays import Array
from aiida_inversedesign.audit.metrics.intervals import share
from aiida_inversedesign.audit.metrics.predictions import COVERAGES
from aiida_inversedesign.benchmarks.common import Report
from aiida_inversedesign.benchmarks.search.molecule_pool import listed_molecules
from aiida_inversedesign.benchmarks.search.statistics import mean_over_seeds
from aiida_inversedesign.campaign.contracts import registry
from aiida_inversedesign.errors import InverseDesignError
from aiida_inversedesign.learn.calibrate import deviation_factor
from aiida_inversedesign.learn.fit import fit_on_features
from aiida_inversedesign.propose.molecules.anneal import Score, anneal
from aiida_inversedesign.propose.molecules.region import scorer
from aiida_inversedesign.propose.molecules.source import MOST_DRAWS, MoleculeSource, Task
from aiida_inversedesign.spaces.molecules.features import count_properties, featurize
from aiida_inversedesign.spaces.molecules.molecule import Molecule
from aiida_inversedesign.spaces.molecules.space import MoleculeSpace

Bounds = Mapping[str, tuple[float, float]]

ARMS = ('language', 'iqspr', 'mutation', 'mcts')
#: Trees of the forests that are compared with; share of the columns that a split may use, as in ours.
TREES, COLUMNS = 100, 1 / 3
#: Bits of their fingerprints.
BITS = 2048
#: Molecules that they learn from at most: their splits of 2 000 columns take minutes, in proportion to the rows.
MOST_JUDGED = 1000
#: Rows to which length scales and noise of a Gaussian process are fitted; it then learns from all. A fit to 1 500 rows
#: takes minutes, and predicts gaps of others hardly better: R² 0.84, with 600 rows 0.82 (600 others).
MOST_FITTED = 600
#: Molecules of the other fifth that are predicted.
MOST_TESTED = 1000


@dataclass(frozen=True)
class Data:
    """Molecules with all properties.

    :param values: by property, shape (n,).
    """

    molecules: Sequence[Molecule]
    values: Mapping[str, Array]


@dataclass(frozen=True)
class Plan:
    """What is compared.

    :param bounds: lowest and highest value of each property in the region.
    :param start: molecule from which searches begin.
    :param number: of molecules that each search returns. :param rows: most molecules that are learned from.
    :param kind: of surrogate that leads them. :param split: seed of which molecules are learned from.
    """

    bounds: Bounds
    start: Molecule
    arms: Sequence[str]
    seeds: int
    number: int
    rows: int
    kind: str = 'gp'
    split: int = 0


def split(data: Data, rows: int, seed: int = 0) -> tuple[list[int], list[int]]:
    """Integers of at most ``rows`` molecules that are learned from, and of a fifth (1 000 at most) to predict."""
    order = np.random.default_rng(seed).permutation(len(data.molecules)).tolist()
    fifth = len(order) // 5
    return order[fifth:][:rows], order[:fifth][: min(rows, MOST_TESTED)]


def run_molecules(data: Data, plan: Plan, report: Report) -> dict[str, Any]:
    """All figures, plain data.

    :raises InverseDesignError: if there are fewer than ten molecules with all properties.
    """
    if len(data.molecules) < 10:
        raise InverseDesignError(f'{len(data.molecules)} molecules have all properties, at least 10 are needed')
    space = MoleculeSpace(kind='molecules')
    train, test = split(data, plan.rows, plan.split)
    ours, judge = Ours(data, train, space, plan.kind, report), Judge(data, train[:MOST_JUDGED], report)
    figures: dict[str, Any] = {
        'schema': 'inversedesign/1',
        'molecules': len(data.molecules),
        'surrogate': plan.kind,
        'learned_from': len(train),
        'split': plan.split,
        'region': {name: list(bounds) for name, bounds in plan.bounds.items()},
        'in_region': int(_inside(data.values, plan.bounds).sum()),
        'start': plan.start.smiles,
        'regressions': {name: _quality(data, test, ours, judge, name) for name in data.values},
        'arms': {},
    }
    known = {molecule.inchikey for molecule in data.molecules}
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in plan.arms}
    for seed in range(plan.seeds):
        for index, arm in enumerate(plan.arms):
            report(f'{arm}, seed {seed}', (seed + index / len(plan.arms)) / plan.seeds)
            rng = random.Random(f'{arm} {seed}')  # noqa: S311
            task = Task(space, data.molecules, [plan.start], ours.score(plan.bounds), plan.number, rng)
            found = _proposed(arm, task)
            distinct = list({molecule.inchikey: molecule for molecule in found}.values())
            number = max(len(found), 1)
            runs[arm].append(
                {
                    'valid': task.tally.valid / max(task.tally.written, 1),
                    'distinct': len(distinct) / number,
                    'novel': sum(item.inchikey not in known for item in distinct) / number,
                    'in_region': _share(ours, distinct, plan.bounds) * len(distinct) / number,
                    'in_region_judged': _share(judge, distinct, plan.bounds) * len(distinct) / number,
                }
            )
    for arm, items in runs.items():
        figures['arms'][arm] = {
            key: {**vars(mean_over_seeds([item[key] for item in items])), 'n': len(items)} for key in items[0]
        }
    return figures


def _proposed(arm: str, task: Task) -> list[Molecule]:
    """As many molecules as are wanted; ``iqspr`` begins from the start alone, not from the library as well."""
    writer = task.writer()
    if arm == 'iqspr' and task.score is not None:
        return anneal(writer, task.best, task.score, task.number)[: task.number]
    if arm == 'language':
        drawn = (writer.molecule(writer.regrown((), 0)) for _ in range(MOST_DRAWS * task.number))
        return list(islice((molecule for molecule in drawn if molecule is not None), task.number))
    source = registry.make('sources', arm, MoleculeSource)  # type: ignore[type-abstract]
    return [molecule for molecule, _ in islice(source.search(task), task.number)]


class Ours:
    """The regressions that lead the generators."""

    def __init__(self, data: Data, train: Sequence[int], space: MoleculeSpace, kind: str, report: Report) -> None:
        report('learning from molecules', 0.0)
        molecules = [data.molecules[index] for index in train]
        features, names = space.describe(molecules, [None] * len(molecules))
        fitted = min(len(train), MOST_FITTED if kind == 'gp' else len(train))
        if (chosen := space.columns(names, fitted)) is not None:
            features, names = features[:, chosen], [names[index] for index in chosen]
        targets = {name: values[list(train)] for name, values in data.values.items()}
        first = {name: values[:fitted] for name, values in targets.items()}
        surrogate = fit_on_features(features[:fitted], first, kind=kind, names=names)
        if fitted < len(train):
            inputs = surrogate.standardise(features)
            models = {name: _with_all(model, inputs, targets[name]) for name, model in surrogate.models.items()}
            surrogate = replace(surrogate, models=models)
        self.space, self.surrogate = space, surrogate

    def predict(self, molecules: Sequence[Molecule]) -> Mapping[str, tuple[Array, Array]]:
        """Mean and deviation of each property."""
        return self.surrogate.predict(self.space, molecules, [None] * len(molecules))

    def mean(self, name: str, molecules: Sequence[Molecule]) -> Array:
        """Mean of a property, shape (n,)."""
        return self.predict(molecules)[name][0]

    def score(self, bounds: Bounds) -> Score:
        """Log-likelihoods of a region."""
        return scorer(self.surrogate, self.space, dict(bounds))


def _with_all(model: Any, inputs: Array, values: Array) -> Any:
    """A Gaussian process that was fitted to some rows, of all rows: its deviations are calibrated on each left out."""
    process = model.with_rows(inputs, values).with_factor(1.0)
    means, deviations = process.left_out()
    return process.with_factor(deviation_factor((values - means) / deviations))


class Judge:
    """Random forests on Morgan fingerprints and RDKit's numbers."""

    def __init__(self, data: Data, train: Sequence[int], report: Report) -> None:
        from sklearn.ensemble import RandomForestRegressor

        report('learning from molecules', 0.5)
        inputs = self._inputs([data.molecules[index] for index in train])
        self._forests = {
            name: RandomForestRegressor(TREES, max_features=COLUMNS, random_state=0).fit(inputs, values[list(train)])
            for name, values in data.values.items()
        }

    def mean(self, name: str, molecules: Sequence[Molecule]) -> Array:
        """Mean of a property, shape (n,)."""
        return np.asarray(self._forests[name].predict(self._inputs(molecules)), dtype=np.float64)

    @staticmethod
    def _inputs(molecules: Sequence[Molecule]) -> Array:
        from rdkit.Chem import rdFingerprintGenerator

        generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=BITS)
        bits = np.array([generator.GetFingerprintAsNumPy(molecule.mol) for molecule in molecules], dtype=np.float64)
        return np.column_stack([featurize(molecules)[0][:, : count_properties()], bits])


def _inside(values: Mapping[str, Array], bounds: Bounds) -> Array:
    return np.all([(values[name] >= low) & (values[name] <= high) for name, (low, high) in bounds.items()], axis=0)


def _share(model: Any, molecules: Sequence[Molecule], bounds: Bounds) -> float:
    if not molecules:
        return 0.0
    return float(_inside({name: model.mean(name, molecules) for name in bounds}, bounds).mean())


def _quality(data: Data, test: Sequence[int], ours: Any, judge: Any, name: str) -> dict[str, Any]:
    """R² on molecules that were left out, and the share of their values within central intervals of ours."""
    from scipy.special import ndtri

    molecules, values = [data.molecules[index] for index in test], data.values[name][test]
    spread = float(((values - values.mean()) ** 2).sum()) or 1.0
    mean, deviation = ours.predict(molecules)[name]
    z = np.abs(values - mean) / deviation
    return {
        'ours': 1 - float(((mean - values) ** 2).sum()) / spread,
        'random_forest': 1 - float(((judge.mean(name, molecules) - values) ** 2).sum()) / spread,
        'coverage': {f'{level:g}': share(int((z <= ndtri(0.5 + level / 2)).sum()), len(z)) for level in COVERAGES},
        'n': len(test),
    }


def read_data(path: Path, properties: Sequence[str]) -> Data:
    """The molecules of a file within the limits of the space that have all properties.

    :raises PoolError: if the file cannot be read, or has no such properties.
    """
    space = MoleculeSpace(kind='molecules')
    found = [item for item in listed_molecules(path, properties)[0] if not space.violation(item.content)]
    values = {name: np.array([item.values[name] for item in found]) for name in properties}
    return Data([item.content for item in found], values)
