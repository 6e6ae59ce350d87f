"""The verifier's frequent complaints in plain words: what is wrong, and what to write instead.

Messages are those of kernel/bpf/verifier.c in Linux 6.1, 6.12 and 7.2. The first pattern found counts.
"""

from __future__ import annotations

import re
from typing import NamedTuple


class Explanation(NamedTuple):
    """What a message with `pattern` in it means. `remedy` is empty where nothing general can be said."""

    pattern: re.Pattern[str]
    meaning: str
    remedy: str


_TABLE = (
    (
        r"invalid access to packet|outside of the packet",
        "the bytes are read before it is certain that the packet has so many: on this path nothing compared "
        "them with the end of the data",
        "take them through `view` or an index of `data` and test for None, or compare the length first",
    ),
    (
        r"R\d+ invalid mem access '\w+_or_null'",
        "the pointer can be NULL here: a lookup that finds nothing gives NULL, as does a full ring buffer",
        "test it with `is None` before it is used",
    ),
    (
        r"R\d+ invalid mem access '(?:scalar|inv)'",
        "that is a number here and no pointer: either it never was one, or a helper that can move the bytes "
        "of the packet (pull, push, pop, adjust) was called since, which ends all pointers into it",
        "fetch the pointer again after the call, and check its bounds again",
    ),
    (
        r"invalid access to map value|makes map_value pointer be out of bounds",
        "the access reaches beyond the end, or before the beginning, of the map's value",
        "check the index on both sides, or give it an unsigned type",
    ),
    (
        r"R\d+ unbounded memory access|min value is negative|unbounded min value",
        "the index or length can be larger than the memory that it is for, or negative: no comparison on "
        "this path bounds it",
        "compare it with the size first, or mask it with a constant that is less",
    ),
    (
        r"invalid zero-sized read",
        "the length can be 0, which this helper does not take",
        "compare it with 0 first",
    ),
    (
        r"infinite loop detected|back-edge from insn",
        "the loop comes back with nothing changed that the verifier keeps track of, so it may never end",
        "loop over a `range`, or count in a variable that the condition looks at",
    ),
    (
        r"BPF program is too large\. Processed|jumps is too complex|^the log ends in the middle",
        "the verifier walks every path, round by round through loops, and gave up after a million steps",
        "make loops shorter, or move their body into a @subprogram that takes only numbers",
    ),
    (
        r"combined stack size|stack depth \d+ exceeds|looks like the BPF stack limit",
        "local variables need more than the 512 bytes that a program and what it calls have together",
        "keep large structures in an ArrayMap, and use fewer at a time",
    ),
    (
        r"too many nested|call stack of \d+ frames is too deep|the call stack of",
        "functions call each other more than 8 deep",
        "make some of them @inline",
    ),
    (
        r"program of this type cannot use helper|unknown func|cannot use helper",
        "this kernel does not let programs of this kind call that helper",
        "see the helpers' table for the kinds and the release that it takes",
    ),
    (
        r"invalid bpf_context access",
        "this kernel has no such field for programs of this kind, or does not let it be used so",
        "see the contexts' table for the fields and the release that each takes",
    ),
    (
        r"dereference of modified ctx ptr",
        "a context is read at constant places only, from its beginning",
        "choose between fields with `if`",
    ),
    (
        r"Unreleased reference",
        "a record or socket is held on this path and never given back",
        "submit or discard a record, and release a socket, on every way out",
    ),
    (
        r"R0 !read_ok",
        "the program ends without a result on this path",
        "return one everywhere",
    ),
    (
        r"At program exit the register R0|R0 .*should have been in",
        "the program's result is not one that this kind may have",
        "return one of the results that the kind knows",
    ),
    (
        r"invalid (?:indirect )?read from stack",
        "a part of a local variable is read before anything was put there",
        "set every member, padding included, first",
    ),
    (
        r"invalid (?:write to|variable-offset .* (?:from|to)) stack|invalid stack",
        "the access is outside of the program's local variables",
        "check the index",
    ),
    (
        r"cannot call GPL-restricted function",
        "that helper is for programs with a licence that is compatible with the GPL",
        "declare such a licence, or do without the helper",
    ),
    (
        r"R\d+ type=\S+ expected=",
        "the helper wants another kind of thing as that argument",
        "pass a pointer to memory of the program's own, of a map or of the packet, as its entry says",
    ),
    (
        r"pointer arithmetic|math between",
        "that calculation with a pointer is not allowed",
        "check the number that is added first, or index instead",
    ),
    (
        r"unreachable insn",
        "a part of the program can never be reached",
        "",
    ),
)  # fmt: skip

EXPLANATIONS = tuple(Explanation(re.compile(pattern), *words) for pattern, *words in _TABLE)


def explanation(message: str) -> Explanation | None:
    """What `message` means, if it is one of the frequent ones."""
    return next((each for each in EXPLANATIONS if each.pattern.search(message)), None)
