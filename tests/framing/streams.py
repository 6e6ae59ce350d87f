"""Random streams for the two framed examples, and what is to become of each."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import NamedTuple

# How many bytes a message carries, and how often.
PAYLOADS = (0, 1, 2, 3, 4, 7, 20, 60, 250, 1500, 20000)
WEIGHTS = (6, 6, 6, 6, 6, 6, 20, 20, 4, 1, 0.05)
# How many bytes go into a segment, and how often.
CUTS = (1, 2, 3, 5, 8, 30, 100, 500, 1400, 9000)
CUT_WEIGHTS = (3, 3, 3, 3, 3, 8, 8, 8, 3, 1)
# The bytes of a command that `command_filter.py` looks at.
LOOKED_AT = 6


class Frames(NamedTuple):
    """A stream for `frame_router.py`, and what each worker gets of it."""

    content: bytes
    expected: dict[int, bytes]


class Commands(NamedTuple):
    """A stream for `command_filter.py`: all of it passes, or less than `limit` bytes."""

    content: bytes
    limit: int | None


def frames(rng: random.Random, count: int, kinds: tuple[int, ...]) -> Frames:
    """`count` frames for the workers of `kinds`, and some for nobody."""
    content = bytearray()
    expected = {kind: bytearray() for kind in kinds}
    for payload in rng.choices(PAYLOADS, WEIGHTS, k=count):
        kind = rng.choice((*kinds, *kinds, *kinds, 4, 0xFFFF))
        frame = payload.to_bytes(2, "big") + kind.to_bytes(2, "big") + rng.randbytes(payload)
        content += frame
        if kind in expected:
            expected[kind] += frame
    return Frames(bytes(content), {kind: bytes(each) for kind, each in expected.items()})


def commands(rng: random.Random, count: int, refuse: bool) -> Commands:
    """`count` commands of the allow-list; with `refuse` one somewhere that is not on it."""
    content = bytearray()
    limit = None
    refused = rng.randrange(count) if refuse else -1
    for number, size in enumerate(rng.choices(PAYLOADS[:9], WEIGHTS[:9], k=count)):
        if number == refused:
            word = rng.choice((b"", b"G", b"GET", b"LIST", b"PUT x", b"QUIT", b"GETS ", b"\0"))
            rest = word + rng.randbytes(rng.choice((0, 0, 200)) if len(word) > 4 else 0)
            # Its last byte that is looked at does not arrive.
            limit = len(content) + min(1 + len(rest), LOOKED_AT)
        else:
            rest = (rng.choice((b"GET ", b"LIST ", b"QUIT\n")) + rng.randbytes(size))[:255]
        content += bytes([len(rest)]) + rest
    return Commands(bytes(content), limit)


def cuts(rng: random.Random, content: bytes) -> Iterator[bytes]:
    """The stream in segments."""
    start = 0
    while start < len(content):
        size = rng.choices(CUTS, CUT_WEIGHTS)[0]
        yield content[start : start + size]
        start += size
