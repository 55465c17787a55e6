"""Hostile campaign files: crafted ones, and the ready-made workflows with seeded damage."""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Any

from fuzz_base import Case, damage

WORKFLOWS = Path(__file__).parents[2] / 'workflows'

BASE = """\
name: fuzz
goal:
  objectives:
    - {property: stiffness, maximize: true, hit: 250}
propose: {library: metals, method: library}
evaluate: {engine: table, data: metals, units: {stiffness: GPa}}
budget: {evaluations: 8}
"""


def _with(old: str, new: str) -> bytes:
    assert old in BASE, old
    return BASE.replace(old, new).encode('utf-8', 'surrogatepass')


def _laughs(levels: int) -> bytes:
    """Nine references to nine references to …: 9 ** levels values in a few lines."""
    lines = ['a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]']
    lines += [f'a{n}: &a{n} [{", ".join([f"*a{n - 1}"] * 9)}]' for n in range(1, levels)]
    return '\n'.join([*lines, BASE]).encode()


def _laughs_in_place() -> bytes:
    inner = '&b0 [x, x, x, x, x, x, x, x, x]'
    for level in range(1, 12):
        inner = f'&b{level} [{inner}, {", ".join([f"*b{level - 1}"] * 8)}]'
    return _with('{property: stiffness', f'{{property: {inner}')


def _large(path: Path) -> None:
    with path.open('wb') as stream:
        stream.write(BASE.encode())
        for _ in range(100):
            stream.write(b'# ' + b'x' * 2**20 + b'\n')


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _endless(path: Path) -> None:
    path.symlink_to('/dev/zero')


def _folder(path: Path) -> None:
    path.mkdir()


def _link_out(path: Path) -> None:
    """A campaign that names a model file which is a link to a file elsewhere."""
    secret = path.parent.parent / 'secret.npz'
    secret.write_bytes(b'secret')
    (path.parent / 'model.npz').symlink_to(secret)
    path.write_bytes(QE.replace('top_k: 1', 'top_k: 1, model: model.npz').encode())


QE = """\
name: fuzz
goal: {objectives: [{property: bulk_modulus, maximize: true}]}
space: {elements: [B, C, N], ratios: ["1:1"]}
propose: {library: aflow, top_k: 1}
evaluate: {engine: quantumespresso, pw: pw@localhost, pseudos: p, options: {queue_name: main}}
budget: {evaluations: 8}
"""
ASE = QE.replace(
    'engine: quantumespresso, pw: pw@localhost, pseudos: p', 'engine: ase, code: python@localhost, calculator: emt'
)


def _formulas(text: str) -> bytes:
    return QE.replace('ratios: ["1:1"]', f'ratios: ["1:1"], formulas: [{text}]').encode()


def _ase(calculator: str) -> bytes:
    return ASE.replace('calculator: emt', f'calculator: {calculator}').encode()


def _option(text: str) -> bytes:
    return QE.replace('queue_name: main', text).encode()


def _crafted() -> list[tuple[str, Any, bool]]:
    deep = 100_000
    return [
        ('empty', b'', True),
        ('no mapping', b'- 1\n- 2\n', True),
        ('several documents', BASE.encode() + b'---\n' + BASE.encode(), True),
        ('billion laughs beside', _laughs(12), True),
        ('billion laughs inside', _laughs_in_place(), True),
        ('a list that holds itself', _with('{evaluations: 8}', '&a {evaluations: [*a]}'), True),
        ('anchor of a scalar', _with('name: fuzz', 'name: &n fuzz\nseed: *n'), True),
        ('merge key', _with('budget: {evaluations: 8}', 'x: &x {evaluations: 8}\nbudget: {<<: *x}'), True),
        ('python object', _with('name: fuzz', 'name: !!python/object/apply:os.system ["touch pwned"]'), True),
        ('python name', _with('name: fuzz', 'name: !!python/name:os.system'), True),
        ('unknown tag', _with('name: fuzz', 'name: !include /etc/passwd'), True),
        ('binary', _with('name: fuzz', 'name: !!binary gIGC'), True),
        ('set', _with('budget: {evaluations: 8}', 'budget: !!set {evaluations, hits}'), True),
        ('deep list', b'a: ' + b'[' * deep + b']' * deep, True),
        ('deep mapping', b'a: ' + b'{a: ' * deep + b'}' * deep, True),
        ('deep list that never closes', b'[' * 900_000, True),
        ('deep block', b'- ' * 400_000, True),
        ('deep block of keys', '\n'.join(' ' * n + 'a:' for n in range(1300)).encode(), True),
        ('deep value', _with('stiffness, ', '[' * 200 + ']' * 200 + ', '), True),
        ('same key twice', _with('budget:', 'name: other\nbudget:'), True),
        ('same key twice inside', _with('evaluations: 8', 'evaluations: 8, evaluations: 9'), True),
        ('a list as key', _with('name: fuzz', '? [a, b]\n: c\nname: fuzz'), True),
        ('a number of 6000 digits', _with('evaluations: 8', 'evaluations: ' + '9' * 6000), True),
        ('a number of 900 kB', _with('evaluations: 8', 'evaluations: ' + '9' * 900_000), True),
        ('a real of 900 kB', _with('hit: 250', 'hit: 1.' + '9' * 900_000 + 'e'), True),
        ('huge budget', _with('evaluations: 8', 'evaluations: 1' + '0' * 100), True),
        ('nan', _with('hit: 250', 'hit: .nan'), True),
        ('infinite', _with('hit: 250', 'hit: 1e999'), True),
        ('nan fraction', _with('units:', 'fail_fraction: .nan, units:'), True),
        ('nan delay', _with('units:', 'code: x, delay_seconds: .nan, units:'), True),
        ('no UTF-8', BASE.encode() + b'\xff\xfe\xfa', True),
        ('UTF-16', BASE.encode('utf-16'), False),
        ('null bytes', BASE.encode().replace(b'fuzz', b'fu\x00zz'), True),
        ('surrogate', _with('name: fuzz', r'name: "\ud800"'), True),
        ('escape sequences in a property', BASE.replace('stiffness', r'"\x1b[2J"').encode(), True),
        ('markup in a property', BASE.replace('stiffness', '"[/red]"').encode(), False),
        ('markup in a unit', _with('GPa', '"[/red]"'), False),
        ('markup in a library', BASE.replace('metals', '"[/red]"').encode(), False),
        (
            '45 000 formulas',
            _formulas('NaCl,' * 45_000),
            False,
        ),
        ('240 kB of text', _with('name: fuzz', 'name: "' + 'x' * 240_000 + '"'), True),
        ('20 000 keys', b''.join(b'k%d: 1\n' % n for n in range(20_000)) + BASE.encode(), True),
        ('20 000 objectives', _with('goal:', 'x: [' + '{property: a, minimize: true},' * 8_000 + ']\ngoal:'), True),
        ('900 kB of keys', b''.join(b'k%d: 1\n' % n for n in range(80_000)) + BASE.encode(), True),
        ('900 kB of a list', _with('stiffness, ', '[' + '1,' * 440_000 + '1], '), True),
        (
            'formula bomb',
            QE.replace(
                'ratios: ["1:1"]', 'ratios: ["1:1"], formulas: ["' + '(' * 3000 + 'H' + ')9' * 3000 + '"]'
            ).encode(),
            True,
        ),
        (
            'formula of brackets',
            _formulas('"' + '(H' * 20_000 + '"'),
            True,
        ),
        (
            'formula with a huge amount',
            _formulas('H' + '9' * 4000),
            True,
        ),
        (
            'formula of 240 kB',
            _formulas('NaCl' * 60_000),
            True,
        ),
        ('every element and a long ratio', QE.replace('["1:1"]', '["' + ':'.join(['1'] * 60) + '"]').encode(), True),
        ('huge ratio', QE.replace('"1:1"', '"' + '9' * 5000 + ':1"').encode(), True),
        ('newline in the queue', _option(r'queue_name: "main\ntouch pwned"'), True),
        ('newline in the account', _option(r'account: "a\n#SBATCH --wrap=id"'), True),
        ('shell in the queue', _option('queue_name: "$(touch pwned)"'), True),
        (
            'a command for ASE',
            _ase('abinit, arguments: {command: "touch pwned"}'),
            True,
        ),
        ('a model from elsewhere for ASE', _ase('mace_mp, arguments: {model: "https://example.org/x.model"}'), True),
        ('a module for ASE', _ase('"..os"'), True),
        ('model outside', QE.replace('top_k: 1', 'top_k: 1, model: ../secret.npz').encode(), True),
        ('model by its absolute path', QE.replace('top_k: 1', 'top_k: 1, model: /etc/secret.npz').encode(), True),
        ('model through a link', _link_out, True),
        ('100 MB', _large, True),
        ('a pipe', _pipe, True),
        ('an endless device', _endless, True),
        ('a folder', _folder, True),
    ]


def campaign_cases(number: int, seed: int = 0) -> list[Case]:
    """So many hostile campaign files: the crafted ones first, then damaged ones."""
    cases = [
        Case('campaign, crafted', name, 'campaign.yaml', content, refused) for name, content, refused in _crafted()
    ][:number]
    draw = random.Random(seed)
    bases = [
        BASE.encode(),
        QE.encode(),
        ASE.encode(),
        *(path.read_bytes() for path in sorted(WORKFLOWS.glob('*.yaml'))),
    ]
    while len(cases) < number:
        name, content = damage(draw.choice(bases), draw)
        cases.append(Case('campaign, damaged', name, 'campaign.yaml', content))
    return cases
