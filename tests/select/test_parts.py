"""Surrogates and acquisitions of other packages: found, used, and named where they are missing or broken."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pytest

from aiida_inversedesign.campaign.contracts import registry
from aiida_inversedesign.campaign.contracts.acquisition import Acquisition, acquisition
from aiida_inversedesign.campaign.contracts.surrogate import SurrogateKind, surrogate_kind
from aiida_inversedesign.campaign.goal import Goal
from aiida_inversedesign.campaign.load import validate_campaign
from aiida_inversedesign.campaign.spec import CampaignSpec
from aiida_inversedesign.campaign.text.problems import CampaignFileError
from aiida_inversedesign.learn.choice import fit_chosen
from aiida_inversedesign.learn.fit import fit_on_features
from aiida_inversedesign.learn.models.plain import PlainRegressor
from aiida_inversedesign.learn.regressor import RegressorError, regressor_from_state
from aiida_inversedesign.learn.surrogate import Surrogate
from aiida_inversedesign.paper import citations
from aiida_inversedesign.select.batch import choose_points
from aiida_inversedesign.select.observed import Observed, SelectError

GOAL = Goal.model_validate({'objectives': [{'property': 'y', 'maximize': True}]})


@dataclass(frozen=True)
class NearestModel(PlainRegressor):
    """The value of the nearest row; the deviation grows with its distance."""

    X: np.ndarray
    y: np.ndarray
    kind = 'nearest'

    def predict(self, X):
        distances = np.linalg.norm(X[:, None] - self.X[None], axis=2)
        return self.y[distances.argmin(axis=1)], self.scale * (0.05 + 0.4 * distances.min(axis=1))

    def state(self):
        return {'kind': 'nearest', 'X': self.X.tolist(), 'y': self.y.tolist()}

    @classmethod
    def from_state(cls, state):
        return cls(np.array(state['X']), np.array(state['y']))


class Nearest(SurrogateKind):
    name = 'nearest'
    regressor = NearestModel
    words = 'nearest neighbours'
    citations = (
        '@article{cover1967,\n  author = {Cover, T.},\n  title = {Nearest neighbor pattern classification},\n}',
        'no_such_key',
    )

    def fit(self, X, y, setting):
        return NearestModel(X, y)


class Farthest(Acquisition):
    name = 'farthest'
    words = 'the distance to what is known'

    def refuses(self, goal):
        return 'is for one objective' if len(goal.objectives) > 1 else ''

    def score(self, problem, inputs, pending):
        known = np.concatenate([problem.observed.inputs, pending])
        return np.linalg.norm(inputs[:, None] - known[None], axis=2).min(axis=1)


class Misshapen(Farthest):
    name = 'misshapen'

    def score(self, problem, inputs, pending):
        return np.zeros(1)


PARTS = {
    'surrogates': {'nearest': 'test_parts:Nearest', 'broken': 'no_such_package.models:Broken'},
    'acquisitions': {
        'farthest': 'test_parts:Farthest',
        'misshapen': 'test_parts:Misshapen',
        'misnamed': 'test_parts:Farthest',
        'function': 'test_parts:rows',
        'broken': 'no_such_package.acquisitions:Broken',
    },
}


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The parts above as if a package had brought them."""
    own = registry._points

    def points(station):
        brought = PARTS.get(station, {}).items()
        group = f'aiida_inversedesign.{station}'
        return {**own(station), **{name: EntryPoint(name, value, group) for name, value in brought}}

    monkeypatch.setattr(registry, '_points', points)
    registry.part.cache_clear()
    yield
    registry.part.cache_clear()


def rows(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    X = np.random.default_rng(seed).normal(size=(n, 2))
    return X, 10 * X[:, 0] + np.sin(3 * X[:, 1])


def campaign(**sections: object) -> dict[str, object]:
    return {
        'name': 'plain',
        'goal': {'objectives': [{'property': 'bulk_modulus', 'maximize': True}]},
        'space': {'formulas': ['BN']},
        'evaluate': {'engine': 'table', 'data': 'demo'},
        'budget': {'evaluations': 4},
        **sections,
    }


@pytest.mark.parametrize('name', registry.names('surrogates'))
def test_every_surrogate_keeps_the_contract(name: str) -> None:
    kind = surrogate_kind(name)
    assert (kind.name, bool(kind.words)) == (name, True)
    assert len(citations.of_part('surrogates', name)) == len(kind.citations) > 0


@pytest.mark.parametrize('name', registry.names('acquisitions'))
def test_every_acquisition_keeps_the_contract(name: str) -> None:
    part = acquisition(name)
    assert (part.name, bool(part.words)) == (name, True)
    assert len(citations.of_part('acquisitions', name)) == len(part.citations)


@pytest.mark.usefixtures('installed')
def test_a_surrogate_of_few_lines_is_calibrated_and_comes_back() -> None:
    X, y = rows(40)
    model, record = fit_chosen(X, y, 'nearest')
    assert (model.kind, record['chosen'], list(record['candidates'])) == ('nearest', 'nearest', ['nearest'])
    test, values = rows(300, 1)
    mean, deviation = model.predict(test)
    assert 0.6 < (np.abs(values - mean) < 1.2816 * deviation).mean() < 0.95
    # what is derived from mean and deviation
    pending = test[:3]
    updated = model.condition(pending)
    assert np.array_equal(updated.predict(test)[0], mean)
    assert (updated.predict(test)[1] <= deviation).all()
    assert (updated.predict(pending)[1] < 0.6 * deviation[:3]).all()
    assert np.array_equal(updated.X[-3:], pending)
    assert (updated.scale, updated.offset) == (model.scale, model.offset)
    drawn = model.sample(test, 2000, 3)
    assert np.abs(drawn.std(axis=0) / deviation - 1).max() < 0.15
    near = np.array([[0.0, 0.0], [0.01, 0.0], [4.0, 4.0]])
    correlation = np.corrcoef(model.sample(near, 2000, 3).T)
    assert correlation[0, 1] > 0.8
    assert abs(correlation[0, 2]) < 0.3
    assert np.allclose(sum(model.within(test, *edges) for edges in ((-np.inf, 0), (0, 5), (5, np.inf))), 1)
    for one in (model, updated):
        again = regressor_from_state(json.loads(json.dumps(one.state())))
        assert np.allclose(again.predict(test)[1], one.predict(test)[1], rtol=1e-12)
    # further rows: the factor is kept
    more = model.with_rows(*rows(60))
    assert len(more.y) == 60
    assert more.predict(rows(60)[0])[1] == pytest.approx(model.factor * 0.05 * more.scale)


@pytest.mark.usefixtures('installed')
def test_a_surrogate_and_an_acquisition_choose_a_batch() -> None:
    X, y = rows(25)
    surrogate = fit_on_features(X, {'y': y}, kind='nearest')
    surrogate = Surrogate.from_state(json.loads(json.dumps(surrogate.state())))
    observed = Observed(surrogate.standardise(X), {'y': y}, np.zeros(25, dtype=bool))
    pool = np.array([[0.0, 0.0], [3.0, 3.0], [2.9, 3.0], [-3.0, 0.0]])
    inputs = surrogate.standardise(pool)
    places = choose_points('farthest', GOAL, surrogate, observed, inputs, 2, seed=0)
    # the second counts the first as known
    assert [place.index for place in places] == [1, 3]
    assert {place.acquisition for place in places} == {'farthest'}
    assert len(choose_points('ucb', GOAL, surrogate, observed, inputs, 2, seed=0)) == 2
    with pytest.raises(SelectError, match=r'misshapen gives scores of shape \(1,\) for 4 candidates'):
        choose_points('misshapen', GOAL, surrogate, observed, inputs, 1, seed=0)


@pytest.mark.usefixtures('installed')
def test_the_campaign_file_takes_what_is_installed() -> None:
    data = campaign(select={'acquisition': 'farthest'}, learn={'surrogate': 'nearest'})
    spec = validate_campaign(data)
    assert (spec.select.acquisition, spec.learn.surrogate) == ('farthest', 'nearest')
    sections = CampaignSpec.model_json_schema()['$defs']
    assert {'auto', 'random', 'farthest', 'log_ei'} <= set(sections['Select']['properties']['acquisition']['enum'])
    assert {'auto', 'nearest', 'gp'} <= set(sections['Learn']['properties']['surrogate']['enum'])
    data['goal']['objectives'].append({'property': 'density', 'minimize': True})
    with pytest.raises(CampaignFileError, match=r"select.acquisition = 'farthest': is for one objective"):
        validate_campaign(data)


def test_what_is_not_installed_is_refused() -> None:
    data = campaign(select={'acquisition': 'farthes'}, learn={'surrogate': 'fores'})
    with pytest.raises(CampaignFileError) as caught:
        validate_campaign(data)
    problems = {problem.path: problem for problem in caught.value.problems}
    assert set(problems) == {'select.acquisition', 'learn.surrogate'}
    assert problems['learn.surrogate'].nearest == 'forest'
    assert problems['learn.surrogate'].expected.startswith("there is no surrogate 'fores': installed are")
    assert 'Install the package that brings it' in problems['select.acquisition'].expected
    assert str(caught.value).count('did you mean') == 1
    assert citations.words_of('acquisitions', 'farthes') == 'farthes'
    assert citations.of_part('surrogates', 'fores') == []
    with pytest.raises(RegressorError, match=r"no surrogate 'nearest'.*aiida_inversedesign.surrogates"):
        regressor_from_state(NearestModel(*rows(3)).state())


@pytest.mark.usefixtures('installed')
@pytest.mark.parametrize(
    ('name', 'message'),
    [
        ('broken', r"acquisition 'broken' .* cannot be imported \(ModuleNotFoundError: No module named 'no_such_pack"),
        ('misnamed', "does not keep its contract: test_parts:Farthest must be a subclass of .*name = 'misnamed'"),
        ('function', 'test_parts:rows must be a subclass of .*Acquisition'),
        ('farthst', "no acquisition 'farthst'; did you mean 'farthest'"),
    ],
)
def test_what_cannot_be_used_is_named(name: str, message: str) -> None:
    with pytest.raises(registry.PartError, match=message):
        acquisition(name)
    with pytest.raises(CampaignFileError, match=message if name != 'farthst' else "did you mean 'farthest'"):
        validate_campaign(campaign(select={'acquisition': name}))


@pytest.mark.usefixtures('installed')
def test_a_surrogate_that_cannot_be_imported_is_named() -> None:
    with pytest.raises(CampaignFileError, match=r"learn.surrogate = 'broken': .*cannot be imported"):
        validate_campaign(campaign(learn={'surrogate': 'broken'}))
    with pytest.raises(RegressorError, match='cannot be imported'):
        fit_chosen(*rows(12), 'broken')


@pytest.mark.usefixtures('installed')
def test_a_paper_names_and_cites_what_a_package_brings() -> None:
    assert citations.words_of('surrogates', 'nearest') == 'nearest neighbours'
    assert citations.of_part('surrogates', 'nearest') == ['cover1967']
    assert citations.sentence('cover1967').startswith('T. Cover: Nearest neighbor')
    assert '@article{cover1967' in citations.bibliography(['cover1967'])
    assert citations.words_of('surrogates', 'broken') == 'broken'


def test_to_check_a_file_no_part_is_imported_that_it_does_not_name() -> None:
    code = (
        'import json, sys\n'
        'from aiida_inversedesign.campaign.load import validate_campaign\n'
        'validate_campaign(json.loads(sys.argv[1]))\n'
        "print([name for name in sys.modules if 'select.acquisitions' in name or 'learn.models.forest' in name])"
    )
    done = subprocess.run(
        [sys.executable, '-c', code, json.dumps(campaign())],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parent,
    )
    assert done.stdout.strip() == '[]'
