"""One step of the measurement: makes the campaign, audits it, or walks over it. Prints JSON on its last line."""

from __future__ import annotations

import importlib
import json
import resource
import sys
import time
from typing import Any

from aiida_inversedesign.benchmarks.audit.run import WALK_SECONDS


def make(task: dict[str, Any]) -> dict[str, Any]:
    """Make the profile and the campaign."""
    from aiida.manage.configuration import create_profile, get_config, load_profile

    config = get_config(create=True)
    storage = task['storage']
    create_profile(
        config,
        storage_backend=storage['backend'],
        storage_config=storage['config'],
        name='synthetic',
        email='synthetic@localhost',
    )
    config.set_default_profile('synthetic').store()
    load_profile('synthetic')
    from aiida_inversedesign.benchmarks.audit.synthetic import make_campaign

    begun = time.perf_counter()
    uuid = make_campaign(task['evaluations'], task['seed'])
    return {'uuid': uuid, 'seconds': time.perf_counter() - begun}


def audit(task: dict[str, Any]) -> dict[str, Any]:
    """Audit the campaign."""
    from aiida import load_profile
    from aiida.manage import get_manager

    load_profile('synthetic')
    # imports are not part of it: those of the storage, of tables and of intervals are made here
    get_manager().get_profile_storage()
    for library in ('pyarrow.parquet', 'scipy.special'):
        importlib.import_module(library)
    from aiida_inversedesign.audit.audit import audit as compute
    from aiida_inversedesign.audit.load import load_record
    from aiida_inversedesign.audit.many_objects import many_objects

    begun, used = time.perf_counter(), time.process_time()
    with many_objects():  # as in the command, where the audit itself reads the record
        record = load_record(task['uuid'])
        read = time.perf_counter() - begun
        report = compute(record)
    seconds, cpu = time.perf_counter() - begun, time.process_time() - used
    # of this process and the one that reads beside it: too much, as what they share counts twice
    peaks = [resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    peak = sum(peaks) / (2**20 if sys.platform == 'darwin' else 2**10)  # bytes on macOS, kilobytes elsewhere
    return {
        'calculations': report['dft_calculations']['total'] + report['dft_calculations']['cached'],
        'audit_seconds': seconds,
        'audit_cpu_seconds': cpu,
        'query_seconds': read,
        'peak_mb': peak,
        'hits': report['evaluations']['hits'],
    }


def walk(task: dict[str, Any]) -> dict[str, Any]:
    """Count the jobs generation by generation with ``called_descendants``, and extrapolate to the whole."""
    from aiida import load_profile

    load_profile('synthetic')
    from aiida.orm import CalcJobNode, load_node

    from aiida_inversedesign.campaign.contracts.engine import installed

    evaluations_of = {engine.process_type for engine in installed().values()}
    campaign = load_node(task['uuid'])
    generations = sorted(campaign.called, key=lambda node: node.ctime)
    begun, seconds, evaluations, jobs = time.perf_counter(), 0.0, 0, 0
    for generation in generations:
        below = generation.called_descendants
        jobs += sum(isinstance(node, CalcJobNode) for node in below)
        evaluations += sum(node.process_type in evaluations_of for node in below)
        seconds = time.perf_counter() - begun
        if seconds > WALK_SECONDS:
            break
    whole = seconds * task['evaluations'] / max(evaluations, 1)
    return {'walk_seconds': whole, 'walk': {'evaluations': evaluations, 'calculations': jobs, 'seconds': seconds}}


if __name__ == '__main__':
    print(json.dumps({'make': make, 'audit': audit, 'walk': walk}[sys.argv[1]](json.loads(sys.argv[2]))))
