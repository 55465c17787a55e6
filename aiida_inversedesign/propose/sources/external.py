"""The source ``external``: crystals that a program of the user's generated before the proposal."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from aiida_inversedesign.campaign.candidate import Candidate
from aiida_inversedesign.campaign.contracts.source import ProposalError, SourceRequest
from aiida_inversedesign.campaign.generator import EXTERNAL
from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.chemistry.formulas import reduced_formula
from aiida_inversedesign.propose.sources.formulas import FormulaSource, crystal_candidate, unbuilt
from aiida_inversedesign.spaces.crystals.formula_space import Counts

#: What the crystals of a formula are worth together, as those of ``symmetric``: about the share of stable compounds
#: that no template has.
SHARE = 0.1


class External(FormulaSource):
    """Crystals of a generator that runs as a job (``propose.external``)."""

    name = EXTERNAL
    needs = ()
    words = 'a program that generates crystals'

    def for_formulas(self, request: SourceRequest, formulas: Sequence[Counts]) -> list[Candidate]:
        """See :meth:`FormulaSource.for_formulas`; the best score first, without scores in the program's order."""
        generated = request.generated
        if generated is None:
            raise ProposalError('the generator (propose.external) left no results: see its job')
        of_formula: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
        for record in generated['records']:
            of_formula[record['formula']].append(record)
        wanted = {reduced_formula(counts) for counts in formulas}
        if not wanted & set(of_formula):
            raise ProposalError(f'the generator gave no usable crystal of these formulas: {_reasons(generated)}')
        out = []
        for counts in formulas:
            # sorting is stable: equal scores keep the program's order
            found = sorted(of_formula.get(reduced_formula(counts), ()), key=lambda item: -_score(item))
            found = found[: request.spec.propose.top_k]
            total = sum(1 / rank for rank in range(1, len(found) + 1))
            out += [
                crystal_candidate(Crystal.from_dict(record), self.name, SHARE / rank / total, rank)
                for rank, record in enumerate(found, 1)
            ]
            if not found:
                out.append(unbuilt(dict(counts), self.name, generator=f'no crystal: {_reasons(generated)}'))
        return out


def _score(record: Mapping[str, Any]) -> float:
    return -float('inf') if record['score'] is None else float(record['score'])


def _reasons(generated: Mapping[str, Any]) -> str:
    """What became of the crystals that were not taken."""
    counted = ', '.join(f'{kind} ({number})' for kind, number in sorted(generated['refused'].items()))
    said = str(generated['status'].get('message') or '')
    return '; '.join(filter(None, (f'{generated["found"]} entries', counted, said)))
