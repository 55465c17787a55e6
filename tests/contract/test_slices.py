"""Relaxations with a real pw.x in slices: the same crystal, within the limits, and given up when they are hopeless."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from agreement import check_agreement
from aiida import orm
from aiida.engine import ExitCode, run_get_node
from ase.build import bulk

from aiida_inversedesign.engines.common.limits import Allotment, LimitError
from aiida_inversedesign.engines.quantumespresso.settings import QuantumEspresso
from aiida_inversedesign.engines.quantumespresso.workchain import QuantumEspressoEvaluateWorkChain
from aiida_inversedesign.graph.diagnosis import jobs_below

pytestmark = pytest.mark.pw

#: eV/atom, 0.05 below relaxed diamond at the settings of these tests
ELEMENT = {'C': -250.793}


def evaluate(
    code: orm.InstalledCode,
    slices: dict[str, Any] | None,
    limits: dict[str, Any] | None = None,
    energy_limit: float | None = None,
    process_class: type[QuantumEspressoEvaluateWorkChain] = QuantumEspressoEvaluateWorkChain,
) -> Any:
    """Diamond, stretched by 9 %."""
    section = QuantumEspresso(
        engine='quantumespresso', pw=code.full_label, pseudos='debian-pbe', protocol='fast', kpoints_distance=0.8,
        slices=slices,
    )  # fmt: skip
    inputs = {}
    if energy_limit is not None:
        limit = {'value': energy_limit, 'condition': f'formation_energy of at most {energy_limit:g} eV/atom'}
        inputs = {'energy_limit': orm.Dict(limit), 'references': orm.Dict(ELEMENT)}
    return run_get_node(
        process_class,
        candidate=orm.StructureData(ase=bulk('C', 'diamond', 3.9)),
        properties=orm.List(['volume']),
        settings=orm.Dict(section.model_dump(mode='json')),
        limits=orm.Dict(limits or {}),
        engine={'code': code},
        **inputs,
    ).node


def children(node: Any) -> dict[str, Any]:
    return {link.link_label: link.node for link in node.base.links.get_outgoing().all()}


@pytest.mark.slow
def test_slices_lead_to_the_same_crystal_as_one_piece(pw: orm.InstalledCode) -> None:
    whole = evaluate(pw, None)
    # a limit that it keeps, though it begins 0.45 eV/atom above
    sliced = evaluate(pw, {'steps': 3}, energy_limit=0.2)
    assert whole.is_finished_ok, whole.exit_message
    assert sliced.is_finished_ok, sliced.exit_message
    for name, tolerance in (('volume', 0.005), ('energy', 0.0005)):
        expected = whole.outputs.properties[name]['value']
        assert sliced.outputs.properties[name]['value'] == pytest.approx(expected, abs=tolerance)
    below, jobs = children(sliced), list(jobs_below(sliced))
    assert [job.caller.caller.pk for job in jobs] == [sliced.pk] * len(jobs)
    assert {'relax', 'relax_slice_2', 'outlook_1', 'outlook_2'} <= set(below)
    assert jobs[0].exit_status == 502
    assert all(len(job.outputs.output_trajectory.get_cells()) <= 3 for job in jobs)
    # each slice begins where the last one ended, the properties are those of the last
    for earlier, later in pairwise(jobs):
        assert later.inputs.structure.uuid == earlier.outputs.output_structure.uuid
    assert sliced.outputs.relaxed.uuid == jobs[-1].outputs.output_structure.uuid
    outlook = below['outlook_1'].outputs.result.get_dict()
    assert outlook['steps'] == 3
    assert outlook['optimistic_formation_energy'] < sliced.outputs.properties['formation_energy']['value']
    assert not outlook['hopeless']


def test_a_hopeless_relaxation_is_given_up(pw: orm.InstalledCode) -> None:
    node = evaluate(pw, {'steps': 4}, energy_limit=-1.0)
    assert node.exit_status == 313
    assert 'was given up: after 4 ionic steps the formation energy is 0.0' in node.exit_message
    assert 'the goal asks for formation_energy of at most -1 eV/atom' in node.exit_message
    assert 'relaxed' not in node.outputs
    # one slice; the test above needs four to the end
    assert len(list(jobs_below(node))) == 1
    assert children(node)['outlook_1'].inputs.energy_limit.uuid == node.inputs.energy_limit.uuid


class StepsRunTwice(QuantumEspressoEvaluateWorkChain):
    """An evaluation whose daemon dies after it has submitted a relaxation, and before its checkpoint is written."""

    def run_slice(self) -> Any:
        before = self.ctx.get('slices', 0)
        first = super().run_slice()
        self.ctx.slices = before
        return self._again(first, super().run_slice)

    def run_relax(self) -> Any:
        return self._again(super().run_relax(), super().run_relax)

    def _again(self, first: Any, step: Callable[[], Any]) -> Any:
        # by then the relaxation has its own jobs, which count: another would not fit
        self.ctx.has_jobs = not isinstance(first, ExitCode)
        second = first if isinstance(first, ExitCode) else step()
        self.ctx.has_jobs = False
        return second

    def _allot(self, chains: int, later: int) -> Allotment:
        if self.ctx.get('has_jobs'):
            raise LimitError('nothing is left')
        return super()._allot(chains, later)


def test_limits_hold_and_a_step_that_runs_again_launches_nothing(pw: orm.InstalledCode) -> None:
    node = evaluate(pw, {'steps': 2}, {'dft_calculations': 2}, process_class=StepsRunTwice)
    # after the first slice one job is left, which the final relaxation needs: there is no second slice of the loose one
    assert node.exit_status == 303
    assert '1 more calculation jobs are allowed for this evaluation, but 2 are needed' in node.exit_message
    assert len(list(jobs_below(node))) == 1
    assert [name for name in children(node) if name.startswith('relax') and name != 'relaxed'] == ['relax']


def test_a_relaxation_in_one_piece_is_not_launched_again_either(pw: orm.InstalledCode) -> None:
    node = evaluate(pw, None, {'dft_calculations': 2}, process_class=StepsRunTwice)
    assert node.is_finished_ok, node.exit_message
    assert [name for name in children(node) if name.startswith('relax') and name != 'relaxed'] == ['relax']


def test_a_relaxation_that_does_not_converge_in_its_slices_has_failed(pw: orm.InstalledCode) -> None:
    node = evaluate(pw, {'steps': 2, 'at_most': 2})
    assert node.exit_status == 310
    assert 'did not converge in 2 slices: raise evaluate.slices.at_most' in node.exit_message
    assert len(list(jobs_below(node))) == 2


def test_without_core_hours_nothing_starts(pw: orm.InstalledCode) -> None:
    node = evaluate(pw, {'steps': 3}, {'core_hours': 0.001})
    assert node.exit_status == 303
    assert '0.001 core-hours are left' in node.exit_message
    assert not list(jobs_below(node))


@pytest.mark.slow
def test_a_campaign_gives_up_what_its_goal_cannot_use_and_the_audit_says_so(pw: orm.InstalledCode) -> None:
    from aiida_inversedesign.audit.audit import audit
    from aiida_inversedesign.audit.load import load_record
    from aiida_inversedesign.campaign.load import validate_campaign
    from aiida_inversedesign.chemistry.crystal import Crystal
    from aiida_inversedesign.libraries.library import Library, Template
    from aiida_inversedesign.nodes.library_data import LibraryData
    from aiida_inversedesign.verify import verify
    from aiida_inversedesign.verify.run import is_sound
    from aiida_inversedesign.workchains.build import build_campaign
    from aiida_inversedesign.workchains.foreground import run_campaign

    atoms = bulk('Si', 'fcc', 4.2)
    crystal = Crystal(atoms.cell[:], ('Si',), atoms.get_scaled_positions())
    LibraryData.from_library(Library([Template('fcc', crystal, 'made up', 'CC0')]), label='one').store()
    spec = validate_campaign(
        {
            'name': 'no silicon in fcc',
            'goal': {
                'objectives': [{'property': 'volume', 'minimize': True, 'hit': 30.0}],
                'constraints': [{'property': 'e_above_hull', 'max': 0.02}],
            },
            'propose': {'library': 'one', 'method': 'library'},
            'evaluate': {
                'engine': 'quantumespresso', 'pw': pw.full_label, 'pseudos': 'debian-pbe', 'protocol': 'fast',
                'kpoints_distance': 0.5, 'slices': {'steps': 4},
            },
            'budget': {'evaluations': 1},
        }
    )  # fmt: skip
    node = run_campaign(build_campaign(spec))
    check_agreement(node)
    (row,) = node.outputs.table.get_rows()
    assert row.status == 'failed'
    assert 'was given up' in row.reason
    assert 'e_above_hull of at most 0.02 eV/atom' in row.reason
    record = load_record(node)
    assert [item.reason for item in record.evaluations] == [row.reason]
    given_up = [job for job in record.jobs if not job.is_reference]
    assert {job.kind for job in given_up} == {'relax'}
    # the reference is relaxed to its end, whatever its energy
    assert set(node.outputs.references.get_dict()) == {'Si'}
    figures = audit(node)
    assert figures['evaluations']['failed'] == 1
    assert figures['dft_calculations']['failed'] == sum(job.has_failed for job in record.jobs if job.is_dft)
    verified = verify(node)
    assert is_sound(verified), verified['findings']
    # whether the relaxation was hopeless was looked at again
    looks = [item for item in node.called_descendants if item.process_label == 'relaxation_outlook']
    assert looks
    again = verified['evaluations']
    assert again['identical'] + again['within_tolerance'] == again['calculations'] > len(looks)
