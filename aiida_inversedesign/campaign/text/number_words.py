"""What was meant by a text that looks like a number and is not one."""

from __future__ import annotations

import re
import unicodedata

#: Larger values overflow where they are squared and added up.
LARGEST = 1e100

_NUMBER = r'[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?'
_DECIMAL_COMMA = re.compile(r'([+-]?\d+),(\d+)((?:[eE][+-]?\d+)?)')
_GROUPS = re.compile(r"[+-]?\d{1,3}(?:[ '\u2009]\d{3})+(?:\.\d+)?")
_SEPARATORS = re.compile(r"[ '\u2009]")
_MINUS = str.maketrans(dict.fromkeys('−–—‐‑‒﹣', '-') | {'⁄': '/'})
_BASES = {'0o': 8, '0x': 16, '0b': 2}


def hint(text: str) -> str:
    """What to write instead of a text that stands for a number; empty where nothing is known."""
    text = text.strip()
    plain = unicodedata.normalize('NFKC', text).translate(_MINUS).strip()
    base = _BASES.get(plain[:2].lower())
    if base is not None:
        try:
            return f'write the decimal number {int(plain, base)}'
        except ValueError:
            return 'write a decimal number'
    if match := _DECIMAL_COMMA.fullmatch(plain):
        point = f'{match[1]}.{match[2]}{match[3]}'
        if len(match[2]) == 3 and len(match[1].lstrip('+-')) <= 3 and not match[3]:
            return f'a comma may be a decimal point or separate thousands: write {point} or {match[1]}{match[2]}'
        return f'a comma is not a decimal point: write {point}'
    if re.fullmatch(r'[+-]?\d+(?::\d+(?:\.\d*)?)+', plain):
        return 'a number with colons is not read (hours, minutes, degrees?): write a decimal number'
    if re.fullmatch(r'\d{4}-\d{1,2}-\d{1,2}', plain):
        return 'a date is not a number'
    if _GROUPS.fullmatch(plain):
        return f'write it without separators: {_SEPARATORS.sub("", plain)}'
    if match := re.fullmatch(rf'({_NUMBER})\s*\(\d+\)', plain):
        return f'write the value without its uncertainty: {match[1]}'
    if match := re.fullmatch(rf'({_NUMBER})\s*(?:±|\+/-|\+-)\s*{_NUMBER}', plain):
        return f'write the value without its uncertainty: {match[1]}'
    if re.fullmatch(r'[+-]?(?:\d+\.?\d*|\.\d+)[dD][+-]?\d+', plain):
        return f'write {plain.lower().replace("d", "e")}'
    if match := re.fullmatch(rf'([<>≤≥~≈]=?)\s*({_NUMBER}).*', plain):
        return f'{match[1]} is not read: write a number alone'
    if match := re.fullmatch(rf'({_NUMBER})\s*[a-zA-ZµμÅ°%].*', plain):
        return f'write the number without its unit, in the unit that is documented: {match[1]}'
    if plain != text and re.fullmatch(_NUMBER, plain):
        return f'write {plain} in plain digits'
    return ''
