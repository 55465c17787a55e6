"""What the calculation jobs of a campaign were given: parameters, k-points, pseudopotentials; and what they left."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from aiida.orm import CalcJobNode, Data, Dict, KpointsData, ProcessNode, QueryBuilder, RemoteData

from aiida_inversedesign.graph.jobs import among, parts

_PARAMETERS = {
    'cutoff_wfc': 'attributes.SYSTEM.ecutwfc',
    'cutoff_rho': 'attributes.SYSTEM.ecutrho',
    'occupations': 'attributes.SYSTEM.occupations',
    'smearing': 'attributes.SYSTEM.smearing',
    'degauss': 'attributes.SYSTEM.degauss',
    'spin': 'attributes.SYSTEM.nspin',
    'calculation': 'attributes.CONTROL.calculation',
}


def pw_parameters(jobs: Iterable[int]) -> list[dict[str, Any]]:
    """The different parameters of these jobs of pw.x: cutoffs and degauss in Ry, occupations, smearing."""
    found: dict[tuple[Any, ...], None] = {}
    for part in parts(jobs):
        query = QueryBuilder().append(CalcJobNode, filters=among(part), tag='job')
        query.append(
            Dict, with_outgoing='job', edge_filters={'label': 'parameters'}, project=list(_PARAMETERS.values())
        )
        found |= {tuple(row): None for row in query.iterall(batch_size=1000)}
    return [dict(zip(_PARAMETERS, row, strict=True)) for row in sorted(found, key=str)]


def kpoint_meshes(jobs: Iterable[int]) -> list[tuple[int, int, int]]:
    """The different k-point meshes of these jobs."""
    found = set()
    for part in parts(jobs):
        query = QueryBuilder().append(CalcJobNode, filters=among(part), tag='job')
        query.append(KpointsData, with_outgoing='job', project='attributes.mesh')
        found |= {(mesh[0], mesh[1], mesh[2]) for (mesh,) in query.iterall(batch_size=1000) if mesh}
    return sorted(found)


def pseudopotentials(jobs: Iterable[int]) -> list[dict[str, Any]]:
    """Element, file name and MD5 of each pseudopotential that one of these jobs took."""
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for part in parts(jobs):
        query = QueryBuilder().append(CalcJobNode, filters=among(part), tag='job')
        query.append(
            Data,
            with_outgoing='job',
            edge_filters={'label': {'like': 'pseudos\\_\\_%'}},
            project=['attributes.element', 'attributes.filename', 'attributes.md5'],
        )
        found |= {md5: (element, name) for element, name, md5 in query.iterall(batch_size=1000)}
    rows = [{'element': element, 'file': name, 'md5': md5} for md5, (element, name) in found.items()]
    return sorted(rows, key=lambda row: (str(row['element']), str(row['md5'])))


def unused_remote_folders(jobs: Iterable[int]) -> set[int]:
    """PKs of the ``RemoteData`` that these jobs left and that no process took as an input."""
    found: set[int] = set()
    for part in parts(jobs):
        query = QueryBuilder().append(CalcJobNode, filters=among(part), tag='job')
        query.append(RemoteData, with_incoming='job', edge_filters={'type': 'create'}, project='id')
        left = set(query.all(flat=True))
        taken = QueryBuilder().append(RemoteData, filters=among(left), tag='folder', project='id')
        taken.append(ProcessNode, with_incoming='folder')
        found |= left - set(taken.distinct().all(flat=True))
    return found
