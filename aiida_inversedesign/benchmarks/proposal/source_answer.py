"""What one arm answers to one query: its crystals, screened and compared with the truth."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from aiida_inversedesign.benchmarks.proposal.matching import Reference
from aiida_inversedesign.benchmarks.proposal.queries import Query
from aiida_inversedesign.benchmarks.proposal.scores import NEVER, first_hit
from aiida_inversedesign.benchmarks.proposal.source_figures import Found
from aiida_inversedesign.benchmarks.proposal.source_plan import Draw, SourceArm, SourcePlan
from aiida_inversedesign.benchmarks.proposal.uniform import UNIFORM, uniform_crystals
from aiida_inversedesign.campaign.candidate import Candidate
from aiida_inversedesign.campaign.spec import CampaignSettings
from aiida_inversedesign.chemistry.prototypes import prototype_label
from aiida_inversedesign.propose.next_candidates import ProposalError, propose_next, settings_of_a_proposal
from aiida_inversedesign.screen.potentials.judge import by_chance, judged, to_screen

if TYPE_CHECKING:
    from aiida_inversedesign.benchmarks.potentials.relaxer import Relaxer

#: Generations over which the share of a source is spread that goes on from screened crystals: a campaign has few.
ROUNDS = 4


class Answer:
    """The crystals of one arm for one query.

    A source that goes on from energies has its share in later generations, each screened with what was there before.
    """

    def __init__(self, query: Query, arm: SourceArm, plan: SourcePlan, draw: Draw, screen: Relaxer | None) -> None:
        self._query, self._arm, self._plan, self._draw, self._screen = query, arm, plan, draw, screen
        self._label, self._truth = prototype_label(query.crystal), Reference(query.crystal)
        self._candidates: list[Candidate] = []
        self._chances: list[tuple[float, bool]] = []
        self._failed: list[str] = []
        self._crystals = self._relaxations = 0
        self._seconds, self._charged = 0.0, screen.charged if screen else 0.0

    def found(self) -> Found:
        """Propose and screen, in as many generations as the sources need, and say what was right."""
        arm, screen = self._arm, self._screen
        as_proposed = None if screen is None or arm.goes_on else NEVER
        for generation in range(1, ROUNDS + 2 if arm.goes_on else 2):
            spec = self._settings(generation)
            if spec is None or not self._propose(spec, generation):
                break
            if screen is not None:
                if as_proposed is not None:
                    _, as_proposed = self._in_order()
                self._relax(spec, screen)
        ordered, position = self._in_order()
        dropped = (item for item in self._candidates if item.content is not None and not item.accepted)
        return Found(
            position,
            position != NEVER or any(self._is_right(item) for item in dropped),
            ordered[position].proposer if position != NEVER else '',
            self._crystals,
            self._relaxations,
            self._seconds,
            (screen.charged if screen else 0.0) - self._charged,
            [*self._failed, *(reason for item in self._candidates if item.content is None for reason in _why(item))],
            self._chances,
            as_proposed,
        )

    def _settings(self, generation: int) -> CampaignSettings | None:
        """The settings of a campaign that asks for this formula alone; None if no relaxation is left."""
        arm, plan = self._arm, self._plan
        shares = arm.first
        number = max(1, round(plan.crystals * sum(shares.values()) / sum(arm.shares.values())))
        if generation > 1:
            number = -(-(plan.crystals - self._relaxations) // (ROUNDS + 2 - generation))
            if number < 1:
                return None
            # beside it another one has the one further crystal of a formula, which it proposes only for new formulas
            later = {name: share for name, share in arm.shares.items() if name not in shares}
            shares, number = {**later, next(iter(shares)): 1e-6}, number + 1
        space = {'formulas': [self._query.formula], 'charge_neutral': 'off', 'max_sites': plan.max_sites}
        named = {'method': 'random'} if UNIFORM in shares else {'sources': shares, 'renew': 1}
        spec = settings_of_a_proposal(space, {**named, 'top_k': number}, self._draw.seed)
        if self._screen is None:
            return spec
        # nothing is dropped for its energy: the order says it
        section = {'potential': self._screen.potential.name, 'code': 'python@localhost', 'window': 1e3}
        return CampaignSettings.model_validate({**spec.model_dump(), 'screen': section})

    def _propose(self, spec: CampaignSettings, generation: int) -> bool:
        """Add the crystals of a generation; whether there was a proposal."""
        draw, before, begun = self._draw, self._candidates, time.process_time()
        try:
            if UNIFORM in self._arm.shares:
                found = uniform_crystals(self._query.counts, spec.propose.top_k, self._plan.max_sites, draw.seed)
            else:
                found = propose_next(spec, draw.templates, draw.model, generation, (), before, exclude=draw.formulas)
        except ProposalError as error:
            if generation == 1:
                self._failed.append(str(error))
            return False
        finally:
            self._seconds += time.process_time() - begun
        new = [item for item in found[len(before) :] if item.accepted]
        self._crystals += len(new)
        self._chances += [
            (item.probability, item.proto_label == self._label) for item in new if item.probability is not None
        ]
        self._candidates = found
        return True

    def _relax(self, spec: CampaignSettings, screen: Relaxer) -> None:
        """Screen the crystals; with a lower bound those of other prototypes only if one of the true one is right."""
        proposed, bound = self._candidates, self._plan.lower_bound
        wanted = to_screen(proposed, spec.propose.min_distance)
        begin = [item for item in wanted if prototype_label(item.content) == self._label] if bound else wanted
        results = _relaxed(begin, screen)
        self._candidates = judged(spec, proposed, results)
        if bound and any(item.accepted and self._is_right(item) for item in self._candidates):
            relaxed = {item.id for item in begin}
            results += _relaxed([item for item in wanted if item.id not in relaxed], screen)
            self._candidates = judged(spec, proposed, results)
        self._relaxations += len(results)

    def _in_order(self) -> tuple[list[Candidate], int]:
        """The accepted candidates, most probable first, and the position of the first right one."""
        order = sorted((item for item in self._candidates if item.accepted), key=by_chance)
        return order, first_hit(np.array([self._is_right(item) for item in order], dtype=bool))

    def _is_right(self, item: Candidate) -> bool:
        return bool(self._truth.matches(item.content) and self._truth.same_space_group(item.content))


def _relaxed(items: Sequence[Candidate], screen: Relaxer) -> list[dict[str, Any]]:
    records = screen.all_relaxed([item.content for item in items])
    return [{**record, 'id': item.id} for item, record in zip(items, records, strict=True)]


def _why(item: Candidate) -> list[str]:
    return [f'{item.proposer}: {name}' for name, verdict in item.verdicts.items() if not verdict.passed]
