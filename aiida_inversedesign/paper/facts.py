"""What a paper says of a campaign beyond its record: how its jobs were set up, and which software took part."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from aiida_inversedesign.audit.record import CampaignRecord
from aiida_inversedesign.campaign.demands import engine_section
from aiida_inversedesign.learn.models.mixture import COMPETITORS


@dataclass(frozen=True)
class Facts:
    """The campaign as a paper tells it.

    :param record: everything the provenance says.
    :param report: the audit's figures.
    :param parameters: different parameter sets of its pw.x jobs (cutoffs and degauss in Ry).
    :param meshes: different k-point meshes of them.
    :param pseudopotentials: element, file and MD5 of each.
    :param explained: what the model has learned, or the ``reason`` why that is not known.
    """

    record: CampaignRecord
    report: dict[str, Any]
    parameters: list[dict[str, Any]] = field(default_factory=list)
    meshes: list[tuple[int, int, int]] = field(default_factory=list)
    pseudopotentials: list[dict[str, Any]] = field(default_factory=list)
    explained: dict[str, Any] = field(default_factory=dict)

    @property
    def section(self) -> dict[str, Any]:
        """The section ``evaluate`` of the campaign file."""
        return engine_section(self.record.settings)

    @property
    def acquisitions(self) -> list[str]:
        """What candidates were chosen by, as recorded, in the order of first use."""
        return list(dict.fromkeys(item.acquisition for item in self.record.evaluations if item.acquisition))

    @property
    def models(self) -> list[str]:
        """Kinds of model that the surrogates consisted of, in the order of first use."""
        fitted = [generation.surrogate for generation in self.record.generations if generation.surrogate]
        return list(dict.fromkeys(kind for surrogate in fitted for kind in surrogate.models.values()))

    @property
    def competitors(self) -> list[str]:
        """Kinds of model that competed for the surrogates, whichever won."""
        learn = self.record.settings.learn
        if learn.surrogate != 'auto' or not self.models:
            return []
        lacking = {'transfer': not learn.source, 'curves': not self.record.goal.functionals}
        return [kind for kind in COMPETITORS if not lacking.get(kind)]

    @property
    def generators(self) -> list[str]:
        """What found the formulas that were considered, in the order of first use."""
        return list(dict.fromkeys(item.generator for item in self.record.candidates if item.generator))

    @property
    def proposers(self) -> list[str]:
        """What proposed the structures that were considered, in the order of first use."""
        return list(dict.fromkeys(item.proposer for item in self.record.candidates if item.proposer))

    @property
    def functional(self) -> str:
        """The exchange-correlation functional that the name of the pseudopotential family tells; empty if none."""
        family = str(self.section.get('pseudos', ''))
        found = re.search(r'pbesol|pbe|lda', family, re.IGNORECASE)
        return {'pbesol': 'PBEsol', 'pbe': 'PBE', 'lda': 'LDA'}[found.group().lower()] if found else ''

    @property
    def used_dft(self) -> bool:
        """Whether a job of pw.x ran."""
        return any(job.is_dft for job in self.record.jobs)


def collect_facts(node: Any, structures: Any = 'auto') -> Facts:
    """The facts of a campaign, from the loaded profile or archive.

    :param node: the campaign's ``WorkChainNode``.
    :param structures: whose crystals are compared, as :func:`aiida_inversedesign.audit.audit.audit` takes it.
    """
    from aiida_inversedesign.audit.audit import audit
    from aiida_inversedesign.audit.explanation import explanation_or_reason
    from aiida_inversedesign.audit.load import load_record
    from aiida_inversedesign.graph import job_inputs as inputs

    record = load_record(node)
    # denser meshes, and those of supercells
    others = ('density_of_states', 'phonons')
    jobs = [job.id for job in record.jobs if job.is_dft and job.kind not in others]
    return Facts(
        record=record,
        report=audit(record, structures),
        parameters=inputs.pw_parameters(jobs) if jobs else [],
        meshes=inputs.kpoint_meshes(jobs) if jobs else [],
        explained=explanation_or_reason(node),
        pseudopotentials=inputs.pseudopotentials(jobs) if jobs else [],
    )
