"""Helpers that read numbers from text and compare text (kernel/bpf/helpers.c, lib/kstrtox.c)."""

from __future__ import annotations

import re
from typing import NamedTuple

from skverdict.runtime.machine.call import Buffer, Call
from skverdict.runtime.machine.environment import HelperFunction
from skverdict.runtime.machine.errno import Errno, KernelError

_BASE_MASK = 0x1F
_BASES = (0, 8, 10, 16)
#: White space as the kernel counts it (lib/ctype.c): Latin-1's no-break space is one.
_SPACE = b" \t\n\v\f\r\xa0"
#: Bytes after spaces and sign that are looked at.
_LONGEST = 63
_PREFIX = re.compile(rb"0[xX](?=[0-9a-fA-F])")
_DIGITS = {8: rb"[0-7]*", 10: rb"[0-9]*", 16: rb"[0-9a-fA-F]*"}


class _Parsed(NamedTuple):
    """A number without its sign, and how many bytes it took with all before it."""

    negative: bool
    magnitude: int
    consumed: int


def _parse(text: bytes, flags: int) -> _Parsed:
    """Read a number at the start of `text`, in the base that `flags` say (0: as its prefix says)."""
    base = flags & _BASE_MASK
    if base not in _BASES or flags & ~_BASE_MASK:
        raise KernelError(Errno.EINVAL, f"flags {flags:#x} name no base")
    rest = text.lstrip(_SPACE)
    negative = rest.startswith(b"-")
    rest = rest[negative:]
    start = len(text) - len(rest)
    # What lies behind a NUL is no part of the number.
    rest = rest[:_LONGEST].partition(b"\0")[0]
    if base == 0:
        base = 16 if _PREFIX.match(rest) else 8 if rest.startswith(b"0") else 10
    # A prefix without a digit behind it is skipped if the base is given, and then there is no number.
    skip = 2 if base == 16 and rest[:2].lower() == b"0x" else 0
    found = re.compile(_DIGITS[base]).match(rest, skip)
    digits = found[0] if found else b""
    if not digits:
        raise KernelError(Errno.EINVAL, "there is no number")
    magnitude = int(digits, base)
    if magnitude >= 1 << 64:
        raise KernelError(Errno.ERANGE, "the number has more than 64 bits")
    return _Parsed(negative, magnitude, start + skip + len(digits))


def strtol(call: Call, text: bytes, flags: int, result: Buffer) -> int:
    """The bytes that were read; the number goes to `result`, which is 0 after an error."""
    result.put(0)
    parsed = _parse(text, flags)
    number = -parsed.magnitude if parsed.negative else parsed.magnitude
    if not -(1 << 63) <= number < 1 << 63:
        raise KernelError(Errno.ERANGE, "the number has more than 64 bits")
    result.put(number)
    return parsed.consumed


def strtoul(call: Call, text: bytes, flags: int, result: Buffer) -> int:
    """As `strtol`, for numbers without a sign."""
    result.put(0)
    parsed = _parse(text, flags)
    if parsed.negative:
        raise KernelError(Errno.EINVAL, "the number is negative")
    result.put(parsed.magnitude)
    return parsed.consumed


def strncmp(call: Call, text: bytes, other: bytes) -> int:
    """-1, 0 or 1 as `text`, up to its NUL if it has one, sorts before, with or after `other`."""
    for left, right in zip(text, other + b"\0", strict=False):
        if left != right:
            return -1 if left < right else 1
        if not left:
            break
    return 0


FUNCTIONS: dict[str, HelperFunction] = {
    "bpf_strtol": strtol,
    "bpf_strtoul": strtoul,
    "bpf_strncmp": strncmp,
}
