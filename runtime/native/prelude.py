"""What modules of native code begin with: access to memory of which nothing is proven, and to entries of hashes.

`reach` takes an address and a size and gives where the bytes are, or NULL if only Python can tell. A region that
was met before stands in its place (`layout.REGIONS`); for the stack each byte that is read must have been
written, which is noted of what is written.

`find` takes a hash's entries, a key of a known size, and by how much a 64-bit number must be shifted to be the key's
hash, and gives the key's entry, or NULL if it has none.
"""

from __future__ import annotations

import re

from skverdict.runtime.machine.memory import ORIGIN, REGION_SHIFT
from skverdict.runtime.native import entries, layout
from skverdict.runtime.native.text import METADATA, Writer

#: Ways to reach memory, each with the field that says how much of a region allows it.
WAYS = {
    "read": layout.REGION_READABLE,
    "write": layout.REGION_WRITABLE,
    "atomic": layout.REGION_ATOMIC,
}

_REACH = """
define internal fastcc ptr @reach_{way}(ptr noalias %s, i64 %address, i64 %size) noinline {{
  %number = lshr i64 %address, {shift}
  %place = and i64 %number, {last_place}
  %scaled = mul i64 %place, {region_size}
  %regions = getelementptr i8, ptr %s, i64 {regions}
  %region = getelementptr i8, ptr %regions, i64 %scaled
  %known = load i64, ptr %region
  %hit = icmp eq i64 %known, %number
  br i1 %hit, label %found, label %none, !prof !1
found:
  %moved = xor i64 %address, {origin}
  %offset = and i64 %moved, {offset_bits}
  %end = add i64 %offset, %size
  %length_at = getelementptr i8, ptr %region, i64 {length}
  %length = load i64, ptr %length_at
  %inside = icmp ule i64 %end, %length
  br i1 %inside, label %within, label %none, !prof !1
within:
{check}
  %bytes_at = getelementptr i8, ptr %region, i64 {bytes}
  %bytes = load ptr, ptr %bytes_at
  %result = getelementptr i8, ptr %bytes, i64 %offset
  ret ptr %result
none:
  ret ptr null
}}
"""

_ALIGNED = """
  %below = add i64 %size, -1
  %rest = and i64 %offset, %below
  %aligned = icmp eq i64 %rest, 0
  br i1 %aligned, label %go, label %none, !prof !1
go:"""

# Two bytes of the bitmap hold the bits of any eight bytes of the stack.
_BITS = """
  %unwritten_at = getelementptr i8, ptr %region, i64 {unwritten}
  %unwritten = load ptr, ptr %unwritten_at
  %plain = icmp eq ptr %unwritten, null
  br i1 %plain, label %go, label %stack
stack:
  %byte = lshr i64 %offset, 3
  %bits_at = getelementptr i8, ptr %unwritten, i64 %byte
  %bits = load i16, ptr %bits_at, align 1
  %size16 = trunc i64 %size to i16
  %above = shl i16 1, %size16
  %ones = add i16 %above, -1
  %offset16 = trunc i64 %offset to i16
  %by = and i16 %offset16, 7
  %mask = shl i16 %ones, %by
{then}
go:"""

_ALL_WRITTEN = """
  %missing = and i16 %bits, %mask
  %complete = icmp eq i16 %missing, 0
  br i1 %complete, label %go, label %none, !prof !1"""

_NOTE_WRITTEN = """
  %others = xor i16 %mask, -1
  %left = and i16 %bits, %others
  store i16 %left, ptr %bits_at, align 1
  br label %go"""

_CHECKS = {
    "read": _BITS.format(unwritten=layout.REGION_UNWRITTEN, then=_ALL_WRITTEN),
    "write": _BITS.format(unwritten=layout.REGION_UNWRITTEN, then=_NOTE_WRITTEN),
    "atomic": _ALIGNED,
}

_FIND = """
define internal fastcc ptr @find_{size}(ptr %entries, ptr %key, i64 %shift) noinline {{
begin:
{hashing}
  %place = lshr i64 {hash}, %shift
  %behind = mul i64 %place, {entry_size}
  %first = getelementptr i8, ptr %entries, i64 %behind
  %end = getelementptr i8, ptr %first, i64 {all_probes}
  br label %look
look:
  %entry = phi ptr [ %first, %begin ], [ %following, %other ]
  %state_at = getelementptr i8, ptr %entry, i64 {state}
  %state = load i64, ptr %state_at
  %empty = icmp eq i64 %state, {empty}
  br i1 %empty, label %none, label %compare
compare:
{comparing}
  br i1 {same}, label %found, label %other
other:
  %following = getelementptr i8, ptr %entry, i64 {entry_size}
  %last = icmp eq ptr %following, %end
  br i1 %last, label %none, label %look
found:
  ret ptr %entry
none:
  ret ptr null
}}
"""

_FORGET = """
define internal fastcc void @forget(ptr noalias %s, i64 %number) noinline {{
  %place = and i64 %number, {last_place}
  %scaled = mul i64 %place, {region_size}
  %regions = getelementptr i8, ptr %s, i64 {regions}
  %region = getelementptr i8, ptr %regions, i64 %scaled
  %known = load i64, ptr %region
  %hit = icmp eq i64 %known, %number
  br i1 %hit, label %clear, label %done
clear:
  store i64 0, ptr %region
  br label %done
done:
  ret void
}}
"""


def _parts() -> dict[str, str]:
    """The functions, by their names."""
    numbers = {
        "shift": REGION_SHIFT,
        "origin": ORIGIN,
        "offset_bits": (1 << REGION_SHIFT) - 1,
        "regions": layout.REGIONS,
        "region_size": layout.REGION_SIZE,
        "last_place": layout.REGION_PLACES - 1,
        "bytes": layout.REGION_BYTES,
    }
    swaps = {
        f"@llvm.bswap.i{bits}": f"declare i{bits} @llvm.bswap.i{bits}(i{bits})\n" for bits in (16, 32, 64)
    }
    reaches = {
        f"@reach_{way}": _REACH.format(way=way, length=length, check=_CHECKS[way], **numbers)
        for way, length in WAYS.items()
    }
    loops = {"@llvm.usub.sat.i64": "declare i64 @llvm.usub.sat.i64(i64, i64)\n"}
    return {**swaps, **loops, **reaches, "@forget": _FORGET.format(**numbers)}


_PARTS = _parts()


_FINDS = re.compile(r"@find_(\d+)\(")


def prelude(text: str) -> str:
    """What the functions of a program call."""
    parts = [part for name, part in _PARTS.items() if f" {name}(" in text]
    sizes = sorted({int(size) for size in _FINDS.findall(text)})
    return "".join((*parts, *map(_find, sizes))) + METADATA


def _find(size: int) -> str:
    """The function that finds the entry of a key of so many bytes."""
    hashing, comparing = Writer(), Writer("c")
    result, same = "0", "true"
    for at, bytes_ in entries.parts_of_key(size):
        bits = 8 * bytes_
        part = hashing.load(hashing.at("%key", at), bits)
        mixed = hashing.value(f"xor i64 {result}, {hashing.resized(part, bits, 64)}")
        result = hashing.value(f"mul i64 {mixed}, {entries.MULTIPLIER}")
        other = comparing.load(comparing.at("%entry", entries.KEY + at), bits)
        equal = comparing.value(f"icmp eq i{bits} {other}, {part}")
        same = comparing.value(f"and i1 {same}, {equal}")
    entry_size = entries.hashed_size(size)
    return _FIND.format(
        size=size,
        hashing="\n".join(hashing.lines),
        hash=result,
        comparing="\n".join(comparing.lines),
        same=same,
        entry_size=entry_size,
        all_probes=entry_size * entries.PROBES,
        state=entries.STATE,
        empty=entries.EMPTY,
    )
