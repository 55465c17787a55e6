"""The source ``substitution``: formulas in the structures whose elements they replace most probably, several at once.

The score of a template is the product over its elements of the probability that the formula's element replaces it
(:mod:`aiida_inversedesign.propose.replaceability`); templates of one prototype are one proposal.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from aiida_inversedesign.campaign.candidate import Candidate
from aiida_inversedesign.campaign.contracts.source import ProposalError, SourceRequest
from aiida_inversedesign.chemistry.formulas import ratio_label
from aiida_inversedesign.libraries.prototype_labels import label_of
from aiida_inversedesign.propose.assign import dissimilarities
from aiida_inversedesign.propose.build import LISTED, build, widened
from aiida_inversedesign.propose.proposal_model import ProposalModel, shipped_model
from aiida_inversedesign.propose.rankers.ranking import Counts, Group, Templates
from aiida_inversedesign.propose.replaceability import Replaceability, best_mapping, learned
from aiida_inversedesign.propose.sources.formulas import FormulaSource, candidate_of, crystals_of, for_each, unbuilt
from aiida_inversedesign.propose.volumes.volume import ElementVolumes, Volumes

#: Templates that are scored for a formula, those with the most similar elements; and those whose prototypes are told
#: separate for each crystal that is wanted.
SCORED, LABELLED = 500, 8
#: Probability that any of the templates is right. Of 0.7, 0.8, 0.9 and 0.94 the middle two had the least log loss
#: on 800 stable compounds of the Materials Project whose formulas were removed (``benchmark proposal``: calibration).
COVERED = 0.85


class Substitution(FormulaSource):
    """Templates by the probability of replacing their elements, ions by Hautier's, others by the library's own."""

    name = 'substitution'
    in_auto = True
    needs = ('library', 'model')
    same_ratio: ClassVar[bool] = True
    words = 'the probability that their elements replace those of the structures, of ions as known or as in the library'
    citations = ('substitution2011', 'replaceability2016', 'similarity2021')

    def for_formulas(self, request: SourceRequest, formulas: Sequence[Counts]) -> list[Candidate]:
        """See :meth:`FormulaSource.for_formulas`.

        :raises ProposalError: if the library has no template for any of the formulas.
        """
        most = crystals_of(request.spec).max_sites
        templates = Templates(request.library, most, request.exclude)
        wanted = {ratio_label(counts) for counts in formulas}
        if not wanted & set(templates.labels):
            raise ProposalError(
                f'the library has no template of the ratio {", ".join(sorted(wanted))} with at most {most} sites: '
                'take another library, or other ratios'
            )
        chances = learned(request.library, request.exclude)
        trained = request.model or shipped_model()
        volumes = trained.volumes if isinstance(trained, ProposalModel) else ElementVolumes()

        def crystals(counts: dict[str, int]) -> list[Candidate]:
            group = templates.group(ratio_label(counts))
            if group is None:
                reason = f'no template of ratio {ratio_label(counts)} with at most {most} sites'
                return [unbuilt(counts, self.name, template=reason)]
            return self._crystals(request, counts, group, chances, volumes)

        return for_each(request, 'substitutions', formulas, crystals)

    def _crystals(
        self, request: SourceRequest, counts: dict[str, int], group: Group, chances: Replaceability, volumes: Volumes
    ) -> list[Candidate]:
        top_k = request.spec.propose.top_k
        nearest = np.argsort(dissimilarities(counts, group.rows), kind='stable')[:SCORED]
        scored = []
        for position in nearest.tolist():
            logs, _ = chances.table(group.counts[position], counts)
            mapping, score = best_mapping(group.counts[position], counts, logs)
            scored.append((score, int(group.order[position]), position, mapping))
        scored.sort(key=lambda item: (-item[0], item[1]))
        total = sum(math.exp(score) for score, *_ in scored)
        # of one prototype the best template stands for all
        alike: dict[str, list[tuple[float, int, dict[str, str]]]] = defaultdict(list)
        for score, _, position, mapping in scored[: LABELLED * max(top_k, 10)]:
            template = group.library[int(group.indices[position])]
            alike[label_of(template) or template.id].append((score, position, mapping))
        summed = {label: sum(math.exp(score) for score, *_ in items) / total for label, items in alike.items()}
        found: list[Candidate] = []
        for label in sorted(alike, key=lambda label: -summed[label])[:top_k]:
            _, position, mapping = alike[label][0]
            index = int(group.indices[position])
            built = next(
                (one for one in build(counts, [index], group, volumes, alternatives=LISTED) if one.mapping == mapping),
                None,
            )
            # of too many elements to list only the most similar assignment is built
            built = built or build(counts, [index], group, volumes)[0]
            fitting = widened(built, request.spec.propose.min_distance)
            template = group.library[fitting.index]
            chance = COVERED * summed[label]
            found.append(candidate_of(fitting, template, self.name, chance, len(found) + 1, label_of(template)))
        return found
