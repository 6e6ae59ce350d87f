"""What every module of native code begins with: access to memory of which nothing is proven, and addresses.

`reach` takes an address and a size and gives where the bytes are, or NULL if only Python can tell. A region that
was met before stands in its place (`layout.REGIONS`); for the stack each byte that is read must have been
written, which is noted of what is written.
"""

from __future__ import annotations

from skverdict.runtime.machine.memory import ORIGIN, REGION_SHIFT
from skverdict.runtime.native import layout
from skverdict.runtime.native.tables import ENTRY_SIZE
from skverdict.runtime.native.text import METADATA

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

_ADDRESSES = """
define internal i64 @new_region(ptr noalias %s) {{
  %at = getelementptr i8, ptr %s, i64 {last_region}
  %last = load i64, ptr %at
  %number = add i64 %last, 1
  store i64 %number, ptr %at
  %shifted = shl i64 %number, {shift}
  %address = or i64 %shifted, {origin}
  ret i64 %address
}}

define internal fastcc i64 @place(
    ptr noalias %s, i64 %address_offset, i64 %bytes_offset, i64 %delta_offset) inlinehint {{
  %address_at = getelementptr i8, ptr %s, i64 %address_offset
  %known = load i64, ptr %address_at
  %new = icmp eq i64 %known, 0
  br i1 %new, label %make, label %done
make:
  %made = call i64 @new_region(ptr %s)
  store i64 %made, ptr %address_at
  %bytes_at = getelementptr i8, ptr %s, i64 %bytes_offset
  %bytes = load i64, ptr %bytes_at
  %delta = sub i64 %bytes, %made
  %delta_at = getelementptr i8, ptr %s, i64 %delta_offset
  store i64 %delta, ptr %delta_at
  br label %done
done:
  %address = phi i64 [ %known, %0 ], [ %made, %make ]
  ret i64 %address
}}

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
# Notes the call, and for an entry that has no address in this run yet, which one it gets. The address 1 says that
# Python has to do it.
_LOOKUP = """
define internal fastcc {{ i64, i64 }} @lookup_array(
    ptr noalias %s, i64 %table_offset, i64 %length_offset, i64 %index, i64 %slot) noinline {{
  %count_at = getelementptr i8, ptr %s, i64 {call_count}
  %count = load i64, ptr %count_at
  %full = icmp eq i64 %count, {max_calls}
  br i1 %full, label %python, label %room, !prof !0
room:
  %length_at = getelementptr i8, ptr %s, i64 %length_offset
  %length = load i64, ptr %length_at
  %inside = icmp ult i64 %index, %length
  br i1 %inside, label %there, label %note
there:
  %table_at = getelementptr i8, ptr %s, i64 %table_offset
  %table = load ptr, ptr %table_at
  %scaled = mul i64 %index, {entry_size}
  %entry = getelementptr i8, ptr %table, i64 %scaled
  %bytes = load i64, ptr %entry
  %unknown = icmp eq i64 %bytes, 0
  br i1 %unknown, label %python, label %known, !prof !0
known:
  %entry_run_at = getelementptr i8, ptr %entry, i64 8
  %entry_run = load i64, ptr %entry_run_at
  %entry_address_at = getelementptr i8, ptr %entry, i64 16
  %entry_address = load i64, ptr %entry_address_at
  %run_at = getelementptr i8, ptr %s, i64 {run}
  %run = load i64, ptr %run_at
  %same = icmp eq i64 %entry_run, %run
  br i1 %same, label %note, label %give, !prof !1
give:
  %given_count_at = getelementptr i8, ptr %s, i64 {given_count}
  %given_count = load i64, ptr %given_count_at
  %given_full = icmp eq i64 %given_count, {max_given}
  br i1 %given_full, label %python, label %new, !prof !0
new:
  %new_address = call i64 @new_region(ptr %s)
  store i64 %run, ptr %entry_run_at
  store i64 %new_address, ptr %entry_address_at
  %given_at = getelementptr i8, ptr %s, i64 {given}
  %given = load ptr, ptr %given_at
  %given_scaled = mul i64 %given_count, {given_size}
  %given_row = getelementptr i8, ptr %given, i64 %given_scaled
  store i64 %table_offset, ptr %given_row
  %given_index_at = getelementptr i8, ptr %given_row, i64 8
  store i64 %index, ptr %given_index_at
  %given_address_at = getelementptr i8, ptr %given_row, i64 16
  store i64 %new_address, ptr %given_address_at
  %given_more = add i64 %given_count, 1
  store i64 %given_more, ptr %given_count_at
  br label %note
note:
  %address = phi i64 [ 0, %room ], [ %entry_address, %known ], [ %new_address, %new ]
  %place = phi i64 [ 0, %room ], [ %bytes, %known ], [ %bytes, %new ]
  %calls_at = getelementptr i8, ptr %s, i64 {calls}
  %calls = load ptr, ptr %calls_at
  %call_scaled = mul i64 %count, {call_size}
  %call_row = getelementptr i8, ptr %calls, i64 %call_scaled
  store i64 %slot, ptr %call_row
  %call_index_at = getelementptr i8, ptr %call_row, i64 8
  store i64 %index, ptr %call_index_at
  %call_result_at = getelementptr i8, ptr %call_row, i64 16
  store i64 %address, ptr %call_result_at
  %more = add i64 %count, 1
  store i64 %more, ptr %count_at
  %delta = sub i64 %place, %address
  %one = insertvalue {{ i64, i64 }} poison, i64 %address, 0
  %both = insertvalue {{ i64, i64 }} %one, i64 %delta, 1
  ret {{ i64, i64 }} %both
python:
  ret {{ i64, i64 }} {{ i64 1, i64 0 }}
}}
"""


def _prelude() -> str:
    numbers = {
        "shift": REGION_SHIFT,
        "origin": ORIGIN,
        "offset_bits": (1 << REGION_SHIFT) - 1,
        "regions": layout.REGIONS,
        "region_size": layout.REGION_SIZE,
        "last_place": layout.REGION_PLACES - 1,
        "bytes": layout.REGION_BYTES,
        "last_region": layout.LAST_REGION,
        "run": layout.RUN,
        "calls": layout.CALLS,
        "call_count": layout.CALL_COUNT,
        "call_size": layout.CALL_SIZE,
        "max_calls": layout.MAX_CALLS,
        "given": layout.GIVEN,
        "given_count": layout.GIVEN_COUNT,
        "given_size": layout.GIVEN_SIZE,
        "max_given": layout.MAX_GIVEN,
        "entry_size": ENTRY_SIZE,
    }
    swaps = "".join(f"declare i{bits} @llvm.bswap.i{bits}(i{bits})\n" for bits in (16, 32, 64))
    reaches = (
        _REACH.format(way=way, length=length, check=_CHECKS[way], **numbers) for way, length in WAYS.items()
    )
    copies = """
declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)
declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)
declare i64 @llvm.usub.sat.i64(i64, i64)
"""
    return swaps + copies + "".join(reaches) + _ADDRESSES.format(**numbers) + _LOOKUP.format(**numbers) + METADATA


PRELUDE = _prelude()
