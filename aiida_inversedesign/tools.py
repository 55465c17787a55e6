"""What ``node.tools`` offers on a campaign's node: its figures, tables and checks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiida.tools.workflows import WorkflowTools

if TYPE_CHECKING:
    from pandas import DataFrame

    from aiida_inversedesign.audit.record import CampaignRecord


class CampaignTools(WorkflowTools):
    """Figures and tables of a campaign, those it resumed included; nothing is changed.

    The tables are those of :mod:`aiida_inversedesign.audit.frames`; ``table.attrs['units']`` has their units.

    Example::

        from aiida.orm import load_node

        campaign = load_node(1234)
        campaign.tools.audit()['hit_rate']
        campaign.tools.evaluations().query('hit == True')[['formula', 'bulk_modulus']]
    """

    _record: CampaignRecord | None = None

    def record(self) -> CampaignRecord:
        """Everything the provenance says of the campaign, as plain values; read once when it has ended."""
        from aiida_inversedesign.audit.load import load_record

        if self._record is None or not self._record.has_ended:
            self._record = load_record(self._node)
        return self._record

    def audit(self, verify: bool = False) -> dict[str, Any]:
        """Every figure of the campaign, as ``aiida-inversedesign audit --format json`` prints it.

        :param verify: re-run every decision first, for the reproducibility; this takes a while.
        """
        from aiida_inversedesign.audit.audit import audit

        return audit(self.record(), verified=self.verify() if verify else None)

    def verify(self, sample: int | None = None, jobs: int = 1, seed: int = 0) -> dict[str, Any]:
        """What ``aiida-inversedesign verify`` finds: every decision made again from its stored inputs, and compared.

        :param sample: run no more than this many of each kind again, drawn at random.
        :param jobs: processes to use. :param seed: of the sample.
        """
        from aiida_inversedesign.verify import verify

        return verify(self._node, sample=sample, jobs=jobs, seed=seed)

    def status(self) -> dict[str, Any]:
        """Where it stands, as ``aiida-inversedesign status --format json`` prints it; fast, for running ones."""
        from aiida_inversedesign.audit.status import describe

        return describe(self._node)

    def evaluations(self) -> DataFrame:
        """One row for each evaluation, in the order of the launches."""
        from aiida_inversedesign.audit import frames

        return frames.evaluations(self.record())

    def hits(self) -> DataFrame:
        """The evaluations that are hits, in the order of the launches."""
        from aiida_inversedesign.audit import frames

        return frames.hits(self.record())

    def best(self, number: int = 10) -> DataFrame:
        """The completed evaluations that keep the constraints, the best first."""
        from aiida_inversedesign.audit import frames

        return frames.best(self.record(), number)

    def jobs(self) -> DataFrame:
        """One row for each calculation job, references, restarts, failures and cache copies included."""
        from aiida_inversedesign.audit import frames

        return frames.jobs(self.record())

    def candidates(self) -> DataFrame:
        """One row for each candidate that was considered, rejected ones included."""
        from aiida_inversedesign.audit import frames

        return frames.candidates(self.record())

    def equations_of_state(self) -> DataFrame:
        """One row for each form of the equation of state of each evaluation: B0, its error, probability of the form.

        Evaluations of earlier versions have one form, without an error.
        """
        from aiida.orm import load_node
        from pandas import DataFrame

        rows = []
        for item in self.record().evaluations:
            outputs = load_node(item.uuid).outputs
            known = outputs.equation_of_state.get_dict() if 'equation_of_state' in outputs else {}
            for form, values in known.get('forms', {'birch_murnaghan': known} if known else {}).items():
                own = {name: values.get(name) for name in ('B0', 'error', 'B0_prime', 'residual', 'probability')}
                rows.append({'candidate': item.candidate, 'formula': item.key, 'form': form, **own})
        frame = DataFrame(rows)
        frame.attrs = {'campaign': self.record().uuid, 'units': {'B0': 'GPa', 'error': 'GPa', 'residual': 'eV/atom'}}
        return frame

    def generations(self) -> DataFrame:
        """One row for each generation."""
        from aiida_inversedesign.audit import frames

        return frames.generations(self.record())
