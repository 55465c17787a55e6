"""What the fuzzing of campaign files and of structure files share: a case, and seeded damage to bytes and lines."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

#: what replaces a word, a number or a line
HOSTILE = (
    '.nan', '-.inf', '1e400', '-1', '0', str(2**63), '9' * 400, '9' * 6000, '1e-320', 'null', '[]', '{}', '[[[[[]]]]]',
    'true', '~', '""', '!!python/object/apply:os.system ["touch pwned"]', '!!python/name:os.system', '&a [*a]', '*a',
    '<<', '"[/red]"', '"[link=x"', r'"\x1b[2J\x1b]0;owned\x07"', r'"\u202e\ud800"', '../../../../etc/passwd',
    '/etc/passwd', '/dev/zero', '"$(touch pwned)"', '"a\\ntouch pwned"', '"{0.__class__}"', '%s%n%x', 'x' * 100_000,
    '0x10', '1_000', '1:30', '2026-01-01', '1+2j', 'NO', '=', '-', '?', ': :', '@', '`', '\t',
)  # fmt: skip


@dataclass(frozen=True)
class Case:
    """One hostile file.

    :param kind: the line of the table it counts in.
    :param name: what is wrong with it.
    :param file: name of the file.
    :param content: its bytes, or what writes the file to a path (large ones are not kept in memory).
    :param refused: whether it must not be accepted.
    """

    kind: str
    name: str
    file: str
    content: bytes | Callable[[Path], None]
    refused: bool = False

    def write(self, folder: Path) -> Path:
        """Put the file into a folder."""
        path = folder / self.file
        if callable(self.content):
            self.content(path)
        else:
            path.write_bytes(self.content)
        return path


def damage(content: bytes, draw: random.Random) -> tuple[str, bytes]:
    """The content with one to four things wrong, and which."""
    names = []
    for _ in range(draw.randint(1, 4)):
        name, change = draw.choice(CHANGES)
        content = change(content, draw)
        names.append(name)
    return ', '.join(names), content


def _flip(content: bytes, draw: random.Random) -> bytes:
    data = bytearray(content)
    for _ in range(draw.randint(1, 8)):
        if data:
            data[draw.randrange(len(data))] = draw.randrange(256)
    return bytes(data)


def _truncate(content: bytes, draw: random.Random) -> bytes:
    return content[: draw.randint(0, len(content))]


def _insert(content: bytes, draw: random.Random) -> bytes:
    at = draw.randint(0, len(content))
    what = draw.choice(
        (b'\x00', b'\xff\xfe', b'\xef\xbb\xbf', b'\r', b'\n', b'[' * 5000, b'{' * 50, b'"', b"'", b'#', b' ')
    )
    return content[:at] + what + content[at:]


def _repeat(content: bytes, draw: random.Random) -> bytes:
    start = draw.randint(0, len(content))
    stop = min(len(content), start + draw.randint(1, 200))
    return content[:stop] + content[start:stop] * draw.choice((1, 3, 300)) + content[stop:]


def _delete(content: bytes, draw: random.Random) -> bytes:
    start = draw.randint(0, len(content))
    return content[:start] + content[start + draw.randint(1, 40) :]


def _swap_lines(content: bytes, draw: random.Random) -> bytes:
    lines = content.split(b'\n')
    first, second = draw.randrange(len(lines)), draw.randrange(len(lines))
    lines[first], lines[second] = lines[second], lines[first]
    return b'\n'.join(lines)


def _replace_word(content: bytes, draw: random.Random) -> bytes:
    lines = content.split(b'\n')
    for _ in range(20):
        index = draw.randrange(len(lines))
        words = lines[index].split(b' ')
        places = [place for place, word in enumerate(words) if word]
        if places:
            words[draw.choice(places)] = draw.choice(HOSTILE).encode('utf-8', 'surrogatepass')
            lines[index] = b' '.join(words)
            break
    return b'\n'.join(lines)


def _replace_value(content: bytes, draw: random.Random) -> bytes:
    """Another value behind a colon or a comma: the file stays well-formed more often than not."""
    places = [index for index, byte in enumerate(content) if byte in b':,']
    if not places:
        return content
    start = draw.choice(places) + 1
    stop = start
    while stop < len(content) and content[stop] not in b',}]\n':
        stop += 1
    return content[:start] + b' ' + draw.choice(HOSTILE).encode('utf-8', 'surrogatepass') + content[stop:]


CHANGES = (
    ('bytes flipped', _flip),
    ('cut off', _truncate),
    ('bytes inserted', _insert),
    ('part repeated', _repeat),
    ('part deleted', _delete),
    ('lines swapped', _swap_lines),
    ('word replaced', _replace_word),
    ('value replaced', _replace_value),
    ('value replaced', _replace_value),
    ('value replaced', _replace_value),
)
