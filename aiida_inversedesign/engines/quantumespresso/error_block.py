"""What programs of Quantum ESPRESSO write when they stop: a block between lines of percent signs. Imports no aiida."""

from __future__ import annotations

import re

_BLOCK = re.compile(r'^\s*%{20,}\s*\n(.*?)^\s*%{20,}\s*$', re.M | re.S)
#: ``Error in routine readpp (2):``; in the file CRASH and in old versions ``from readpp : error #         2``.
_NEW = re.compile(r'Error in routine\s+(\S.*?)\s*\(\s*(-?\d+)\s*\)\s*:\s*(.*)', re.S)
_OLD = re.compile(r'(?:task #\s*\d+\s*)?from\s+(\S.*?)\s*:\s*error #\s*(-?\d+)\s*(.*)', re.S)

#: Lines outside of a block by which pw.x says that it gives up.
_LINES = re.compile(
    r'convergence NOT achieved after .*|.*history already reset at previous step: .*|Maximum CPU time exceeded.*|'
    r'The maximum number of steps has been reached.*|bfgs failed after .*|WARNING: \d+ eigenvectors? not converged.*|'
    r'.*SCF correction compared to forces is large.*not converged.*'
)


def error_block(text: str) -> str:
    """The first error of a program's output as routine and text, else its last line of giving up; may be empty."""
    for block in _BLOCK.findall(text):
        for pattern in (_NEW, _OLD):
            if found := pattern.search(block):
                routine, number, words = (' '.join(part.split()) for part in found.groups())
                return f'Error in routine {routine} ({number}): {words}'.rstrip(': ')
        if words := ' '.join(block.split()):
            return words
    lines = [line.strip() for line in text.splitlines() if _LINES.match(line.strip())]
    return lines[-1] if lines else ''
