"""The "did you mean" of every refusal."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

MANY = 40
"""Longer lists are not read."""


def nearest(word: str, known: Iterable[str], otherwise: str) -> str:
    """Every known word that is one slip of the finger away, else the most alike; all of them when nothing is."""
    known = sorted(known)
    close = (
        [each for each in known if one_slip(word, each) or each.lower() == word.lower()]
        or difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    )  # fmt: skip
    if close:
        return f"did you mean {' or '.join(map(repr, close))}?"
    if len(known) > MANY:
        return f"{otherwise} {', '.join(known[:MANY])} and {len(known) - MANY} more"
    return f"{otherwise} {', '.join(known)}" if known else "there are none"


def one_slip(a: str, b: str) -> bool:
    """One letter changed, added, dropped, or two neighbours swapped; a word is no slip of itself."""
    start = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
    a, b = a[start:], b[start:]
    swapped = a[:2] == b[1::-1] and len(b) > 1 and a[2:] == b[2:]
    return a != b and (a[1:] == b[1:] or a[1:] == b or a == b[1:] or swapped)
