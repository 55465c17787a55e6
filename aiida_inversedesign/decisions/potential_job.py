"""A bundle of candidates relaxed with an interatomic potential, as a job on any computer."""

from __future__ import annotations

import json
from typing import Any

from aiida import orm
from aiida.engine import ExitCode

from aiida_inversedesign.campaign.contracts.potential import potential
from aiida_inversedesign.nodes.library_data import LibraryData
from aiida_inversedesign.nodes.pool_data import PoolData
from aiida_inversedesign.nodes.settings import settings_of
from aiida_inversedesign.processes.python_job import last_words
from aiida_inversedesign.processes.script_job import ScriptCalculation, ScriptParser
from aiida_inversedesign.screen.potentials import relax_bundle
from aiida_inversedesign.screen.potentials.bundles import job_of
from aiida_inversedesign.screen.potentials.phases import phases_named


class PotentialCalculation(ScriptCalculation):
    """Relaxes candidates of a pool; the code is a Python interpreter with ASE and the potential."""

    SCRIPT = 'relax_bundle.py'
    PACKAGE = 'aiida_inversedesign.screen.potentials'
    ALSO_RETRIEVED = (relax_bundle.LINES,)

    @classmethod
    def define(cls, spec: Any) -> None:
        super().define(spec)
        spec.input('settings', valid_type=orm.Dict, help='The campaign file without its budget.')
        spec.input('pool', valid_type=PoolData, help='The candidates.')
        spec.input(
            'candidates', valid_type=orm.List, help='Ids of those that this job is to relax, and names of phases.'
        )
        spec.input('library', valid_type=LibraryData, required=False, help='Where competing phases come from.')
        spec.output(
            'results',
            valid_type=orm.Dict,
            required=False,
            help='`records`: what the potential says of each; `identity`: versions, threads, SHA-256 of its weights.',
        )
        spec.inputs['metadata']['options']['parser_name'].default = 'inversedesign.potential'
        spec.exit_code(
            310, 'ERROR_POTENTIAL_MISSING', message='the potential {name!r} cannot be used here: {reason}{remedy}'
        )
        spec.exit_code(
            410,
            'ERROR_INCOMPLETE',
            message='{done} of {number} candidates were done when the job ended: {reason}',
            invalidates_cache=True,
        )

    def job_input(self) -> dict[str, Any]:
        """The crystals, and how they are relaxed."""
        settings, names = settings_of(self.inputs.settings), self.inputs.candidates.get_list()
        known, candidates = potential(str(settings.screen.potential)), self.inputs.pool.get_candidates()
        library = self.inputs.library.get_library() if 'library' in self.inputs else None
        phases = phases_named(names, library)
        return job_of(candidates, names, settings.screen, known, settings.goal.properties, phases)


class PotentialParser(ScriptParser):
    """Keeps what each candidate came to, also of a job that was cut down."""

    def parse(self, **kwargs: Any) -> ExitCode | None:
        """The results, or those of the candidates that were done."""
        names = self.retrieved.base.repository.list_object_names()
        if 'results.json' in names or relax_bundle.LINES not in names:
            return super().parse(**kwargs)
        records = []
        for line in self.retrieved.base.repository.get_object_content(relax_bundle.LINES).splitlines():
            try:
                record = json.loads(line)
            except ValueError:
                continue
            if 'begun' not in record:
                records.append(record)
        if not records:
            return super().parse(**kwargs)
        self._attach(records, records[-1].get('identity', {}))
        return self.exit_codes.ERROR_INCOMPLETE.format(
            done=len(records),
            number=len(self.node.inputs.candidates.get_list()),
            reason=last_words(self, 'script.err'),
        )

    def parse_results(self, results: dict[str, Any]) -> ExitCode | None:
        """The records of a job that came to its end."""
        if 'missing' in results:
            known = potential(str(settings_of(self.node.inputs.settings).screen.potential))
            remedy = f'; install it there: pip install {known.install}' if known.install else ''
            return self.exit_codes.ERROR_POTENTIAL_MISSING.format(
                name=known.name, reason=results['missing'], remedy=remedy
            )
        identity = {name: results[name] for name in ('versions', 'weights_sha256', 'threads')}
        self._attach(results['records'], identity, results['wall_time_seconds'])
        return None

    def _attach(self, records: list[dict[str, Any]], identity: dict[str, Any], seconds: float | None = None) -> None:
        kept = [{name: value for name, value in record.items() if name != 'identity'} for record in records]
        data = {'records': kept, 'identity': identity}
        self.out('results', orm.Dict(data if seconds is None else {**data, 'wall_time_seconds': seconds}))
