"""The motifs that the neighbours of an atom are compared with, and the parameters of their order parameters.

Source: the files ``cn_opt_params.yaml`` and ``op_params.yaml`` of pymatgen, and the list of motifs of matminer's preset
``ops``.
"""

from __future__ import annotations

import numpy as np

from aiida_inversedesign.chemistry.fingerprints.order_parameters import (
    BCC,
    BENT,
    BIPYRAMID,
    CUBOCTAHEDRON,
    HEXAGON,
    MAX_COORDINATION,
    PENTAGON,
    PYRAMID,
    Q2,
    Q4,
    Q6,
    SEE_SAW,
    SINGLE_BOND,
    TARGET,
)

#: coordination number, motif, kind, and its parameters. TARGET and BENT: target angle in units of π, inverse width,
#: factor of the azimuth; PYRAMID: inverse width at the equator, factor; BIPYRAMID and SEE_SAW: smallest angle of a
#: south pole in rad, inverse widths there and at the equator, factor; HEXAGON: the same with the distance of the target
#: from the equator in units of π last; PENTAGON: inverse width; BCC: smallest angle, inverse width and weight of a
#: south pole; CUBOCTAHEDRON: the same, angles between which a neighbour is at the equator, inverse widths on and off it
MOTIFS: tuple[tuple[int, str, int, tuple[float, ...]], ...] = (
    (1, 'sgl_bd', SINGLE_BOND, ()),
    (2, 'L-shaped', BENT, (0.5, 15.15)),
    (2, 'water-like', BENT, (0.5802777777777778, 13.95)),
    (2, 'bent 120 degrees', BENT, (0.666666666667, 13.25)),
    (2, 'bent 150 degrees', BENT, (0.833333333333333, 12.45)),
    (2, 'linear', BENT, (1.0, 8.667)),
    (3, 'trigonal planar', TARGET, (0.66666666667, 17.5, 1.0)),
    (3, 'trigonal non-coplanar', TARGET, (0.6081734479693927, 18.33, 1.5)),
    (3, 'T-shaped', PYRAMID, (15.5, 1.0)),
    (4, 'square co-planar', BIPYRAMID, (2.356194490192345, 13.5, 17.7, 1.0)),
    (4, 'tetrahedral', TARGET, (0.6081734479693927, 18.5, 1.5)),
    (4, 'rectangular see-saw-like', SEE_SAW, (2.356194490192345, 11.5, 27.0, 2.0)),
    (4, 'see-saw-like', BIPYRAMID, (2.356194490192345, 12.75, 15.75, 1.5)),
    (4, 'trigonal pyramidal', PYRAMID, (15.5, 1.5)),
    (5, 'pentagonal planar', PENTAGON, (19.333,)),
    (5, 'square pyramidal', PYRAMID, (14.9, 2.0)),
    (5, 'trigonal bipyramidal', BIPYRAMID, (2.356194490192345, 12.0, 16.6, 1.5)),
    (6, 'hexagonal planar', HEXAGON, (2.6179938779914944, 7.5, 25.0, 1.0, 0.16666667)),
    (6, 'octahedral', BIPYRAMID, (2.356194490192345, 15.0, 18.0, 2.0)),
    (6, 'pentagonal pyramidal', PYRAMID, (13.8, 2.5)),
    (7, 'hexagonal pyramidal', PYRAMID, (12.5, 3.0)),
    (7, 'pentagonal bipyramidal', BIPYRAMID, (2.356194490192345, 12.5, 14.75, 2.5)),
    (8, 'body-centered cubic', BCC, (2.5261129449194057, 15.0, 6.0)),
    (8, 'hexagonal bipyramidal', BIPYRAMID, (2.356194490192345, 14.1, 13.6, 3.0)),
    (9, 'q2', Q2, ()),
    (9, 'q4', Q4, ()),
    (9, 'q6', Q6, ()),
    (10, 'q2', Q2, ()),
    (10, 'q4', Q4, ()),
    (10, 'q6', Q6, ()),
    (11, 'q2', Q2, ()),
    (11, 'q4', Q4, ()),
    (11, 'q6', Q6, ()),
    (
        12,
        'cuboctahedral',
        CUBOCTAHEDRON,
        (2.792526803190927, 28.75, 1.8, 1.3089969389957472, 1.8325957145940461, 25.5, 31.25),
    ),
    (12, 'q2', Q2, ()),
    (12, 'q4', Q4, ()),
    (12, 'q6', Q6, ()),
)

#: the columns of the table as the compiled code takes them; parameters filled up with zeros
TABLE = (
    np.array([motif[0] for motif in MOTIFS]),
    np.array([motif[2] for motif in MOTIFS]),
    np.array([motif[3] + (0.0,) * (7 - len(motif[3])) for motif in MOTIFS]),
)


def labels() -> list[str]:
    """Names of the features of a site: for each coordination number its likelihood ``wt`` and its motifs."""
    names = []
    for number in range(1, MAX_COORDINATION + 1):
        names.append(f'wt CN_{number}')
        names.extend(f'{name} CN_{number}' for motif_number, name, *_ in MOTIFS if motif_number == number)
    return names
