"""Dynptrs: what they point to, where they may be, and what ends them."""

from __future__ import annotations

import pytest
from skverdict.codegen.assembler import assemble
from skverdict.runtime.machine.errno import Errno
from skverdict.runtime.machine.fault import Fault
from skverdict.runtime.machine.run import run
from skverdict.runtime.maps.base import Map
from skverdict.runtime.maps.create import create_maps

from tests.runtime.machine_kit import TestContext, environment, loaded

MAPS = """
license "GPL"
map values array key 4 value 16 max_entries 1 flags 0
map ring ringbuf key 0 value 0 max_entries 4096 flags 0
"""

#: r6 = the value, whose bytes are 1..16.
VALUE = """
    *(u32 *)(r10 - 4) = 0
    r1 = map[values] ll
    r2 = r10
    r2 += -4
    call bpf_map_lookup_elem
    r6 = r0
"""



def from_mem(size: int = 16, flags: int = 0, at: int = 32, data: str = "r6", add: int = 0) -> str:
    return f"""
    r1 = {data}
    r1 += {add}
    r2 = {size}
    r3 = {flags}
    r4 = r10
    r4 += -{at}
    call bpf_dynptr_from_mem
"""


def reserve(size: int = 16, flags: int = 0, at: int = 32) -> str:
    return f"""
    r1 = map[ring] ll
    r2 = {size}
    r3 = {flags}
    r4 = r10
    r4 += -{at}
    call bpf_ringbuf_reserve_dynptr
    r9 = r0
"""


def finish(helper: str = "submit", at: int = 32) -> str:
    return f"    r1 = r10\n    r1 += -{at}\n    r2 = 0\n    call bpf_ringbuf_{helper}_dynptr\n"


def read(length: int, offset: int, flags: int = 0, at: int = 32, to: int = 64) -> str:
    return f"""
    r1 = r10
    r1 += -{to}
    r2 = {length}
    r3 = r10
    r3 += -{at}
    r4 = {offset}
    r5 = {flags}
    call bpf_dynptr_read
"""


def write(offset: int, length: int = 2, flags: int = 0, at: int = 32) -> str:
    """Write bytes 0xaa."""
    return f"""
    *(u64 *)(r10 - 72) = {-0x55555556}
    r1 = r10
    r1 += -{at}
    r2 = {offset}
    r3 = r10
    r3 += -72
    r4 = {length}
    r5 = {flags}
    call bpf_dynptr_write
"""


def data(offset: int, length: int, at: int = 32) -> str:
    return f"""
    r1 = r10
    r1 += -{at}
    r2 = {offset}
    r3 = {length}
    call bpf_dynptr_data
"""


def maps() -> dict[str, Map]:
    made = create_maps(assemble(f"{MAPS}\nprogram main sk_msg\n exit"))
    made["values"].update(bytes(4), bytes(range(1, 17)))
    return made


def result(code: str, made: dict[str, Map] | None = None) -> int:
    """r0 after `code`, as a signed number."""
    object_ = assemble(f"{MAPS}\nprogram main sk_skb/stream_verdict\n{VALUE}\n{code}\n    exit")
    surroundings = environment()
    value = run(
        loaded(object_, made or maps(), surroundings), TestContext("stream_verdict"), surroundings
    ).value
    return value - (1 << 64 if value >> 63 else 0)


def fault(code: str) -> str:
    with pytest.raises(Fault) as caught:
        result(code)
    return caught.value.reason


def test_bytes_of_a_value_are_read_and_written() -> None:
    made = maps()
    code = f"{from_mem(8, add=4)} {read(2, 3)} r8 = *(u16 *)(r10 - 64)\n {write(6)} r0 = r8"
    assert result(code, made) == 0x0908
    assert made["values"].read(bytes(4)) == bytes(range(1, 11)) + b"\xaa\xaa" + bytes(range(13, 17))


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (from_mem(flags=1), -Errno.EINVAL),
        (from_mem() + read(1, 0, flags=1), -Errno.EINVAL),
        (from_mem() + read(1, 16), -Errno.E2BIG),
        (from_mem() + read(0, 16), 0),
        (from_mem() + read(1, -1), -Errno.E2BIG),
        (from_mem() + read(10, 7), -Errno.E2BIG),
        (from_mem() + write(15), -Errno.E2BIG),
        (from_mem() + write(0, flags=1), -Errno.EINVAL),
        (from_mem(flags=1) + read(1, 0), -Errno.EINVAL),
        (from_mem(flags=1) + write(0), -Errno.EINVAL),
        (from_mem(flags=1) + data(0, 1), 0),
        (from_mem() + data(9, 8), 0),
        (reserve(flags=1) + finish() + "r0 = r9", -Errno.EINVAL),
        (reserve(5000) + finish("discard") + "r0 = r9", -Errno.EINVAL),
        (reserve(1 << 24) + finish() + "r0 = r9", -Errno.E2BIG),
    ],
)
def test_refusals_have_the_kernels_errno(code: str, expected: int) -> None:
    assert result(code) == expected


def test_a_slice_is_memory_of_its_length() -> None:
    code = from_mem() + data(4, 8)
    assert result(code + "r0 = *(u64 *)(r0 + 0)") == 0x0C0B0A0908070605
    assert fault(code + "r0 = *(u8 *)(r0 + 8)") == "a slice of a dynptr has 8 bytes; bytes 8..8 are outside"


def test_a_record_is_filled_and_submitted() -> None:
    made = maps()
    assert result(reserve(4) + write(1) + finish() + "r0 = r9", made) == 0
    assert result(reserve(4) + write(1) + finish("discard") + "r0 = r9", made) == 0
    ring = made["ring"]
    assert ring.consume() == [b"\0\xaa\xaa\0"]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("code", "says"),
    [
        (from_mem(data="r10", add=-48), "bpf_dynptr_from_mem, argument data: is not in a map's value"),
        (from_mem(17), "bpf_dynptr_from_mem, argument data: a value of map values has 16 bytes"),
        (from_mem(at=30), "argument ptr: is not on the stack at a multiple of 8 bytes"),
        (from_mem(at=8), "argument ptr: the stack is the 512 bytes below r10; 16 bytes at r10-8 are outside"),
        (read(1, 0), "bpf_dynptr_read, argument src: is not a dynptr"),
        (from_mem() + read(1, 0, at=24), "bpf_dynptr_read, argument src: is not a dynptr"),
        (from_mem() + "r0 = *(u64 *)(r10 - 32)", "the stack at r10-32 was never written"),
        (
            from_mem() + "*(u8 *)(r10 - 20) = 0\n" + read(1, 0),
            "bpf_dynptr_read, argument src: is a dynptr no more: the program has written over it",
        ),
        (reserve(), "the program exits without releasing what bpf_ringbuf_reserve_dynptr gave"),
        (reserve(flags=1), "the program exits without releasing what bpf_ringbuf_reserve_dynptr gave"),
        (reserve() + reserve(), "a dynptr of a ring buffer is there that was neither submitted nor"),
        (reserve() + finish() + finish(), "bpf_ringbuf_submit_dynptr, argument ptr: is not a dynptr"),
        (from_mem() + finish(), "bpf_ringbuf_submit_dynptr releases what the program did not acquire"),
        (
            reserve() + data(0, 4) + "r8 = r0\n" + finish() + "r0 = *(u8 *)(r8 + 0)",
            "a slice of a dynptr is no longer there: its record was submitted",
        ),
    ],
)
def test_misuse_is_a_fault(code: str, says: str) -> None:
    assert says in fault(code)


def test_a_place_can_be_used_again() -> None:
    assert result(from_mem(8) + from_mem(4) + read(4, 1)) == -Errno.E2BIG
    assert result(reserve() + finish() + reserve() + finish() + "r0 = r9") == 0
