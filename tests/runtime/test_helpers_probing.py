"""Reads of memory that nobody has checked."""

from __future__ import annotations

import pytest
from skverdict.codegen.assembler import assemble
from skverdict.runtime.machine.errno import Errno
from skverdict.runtime.machine.fault import Fault
from skverdict.runtime.machine.run import run
from skverdict.runtime.maps.create import create_maps

from tests.runtime.machine_kit import Numbers, TestContext, environment, loaded


def result(helper: str, size: int, address: str, then: str = "") -> int:
    """r0 after a read of `size` bytes into the stack at r10-32, which is full of 0xff, as a signed number.

    `address` sets r3, with r6 pointing to a value of 16 bytes, "some text", and r7 to the context.
    """
    object_ = assemble(f"""
license "GPL"
map values array key 4 value 16 max_entries 1 flags 0
program main sk_skb/stream_verdict
    r7 = r1
    *(u32 *)(r10 - 4) = 0
    r1 = map[values] ll
    r2 = r10
    r2 += -4
    call bpf_map_lookup_elem
    r6 = r0
    *(u64 *)(r10 - 32) = -1
    *(u64 *)(r10 - 24) = -1
    {address}
    r1 = r10
    r1 += -32
    r2 = {size}
    call {helper}
    {then}
    exit
""")
    maps = create_maps(object_)
    maps["values"].update(bytes(4), b"some text".ljust(16, b"\0"))
    surroundings = environment()
    context = TestContext("stream_verdict", socket=Numbers("bpf_sock", {}))
    value = run(loaded(object_, maps, surroundings), context, surroundings).value
    return value - (1 << 64 if value >> 63 else 0)


KERNEL, KERNEL_TEXT = "bpf_probe_read_kernel", "bpf_probe_read_kernel_str"
USER, USER_TEXT = "bpf_probe_read_user", "bpf_probe_read_user_str"
FIRST = "r0 = *(u64 *)(r10 - 32)"


def test_kernel_memory_is_what_pointers_lead_to() -> None:
    assert result(KERNEL, 8, "r3 = r6") == 0
    assert result(KERNEL, 8, "r3 = r6", FIRST) == int.from_bytes(b"some tex", "little")
    assert result(KERNEL, 0, "r3 = r6") == 0


@pytest.mark.parametrize(
    ("helper", "address", "number"),
    [
        (KERNEL, "r3 = 0", Errno.ERANGE),
        (KERNEL, "r3 = 0x7fffffffffff ll", Errno.ERANGE),
        (KERNEL, "r3 = 0xffff888000000000 ll", Errno.EFAULT),
        (KERNEL_TEXT, "r3 = 0", Errno.ERANGE),
        (USER, "r3 = r6", Errno.EFAULT),
        (USER, "r3 = 0x400000 ll", Errno.EFAULT),
        (USER_TEXT, "r3 = 0x400000 ll", Errno.EFAULT),
    ],
)
def test_an_error_leaves_zeros(helper: str, address: str, number: Errno) -> None:
    assert result(helper, 8, address) == -number
    assert result(helper, 8, address, FIRST) == 0
    assert result(helper, 8, address, "r0 = *(u64 *)(r10 - 24)") == -1


@pytest.mark.parametrize(
    ("size", "length", "first"), [(16, 10, b"some tex"), (10, 10, b"some tex"), (5, 5, b"some\0\xff\xff\xff")]
)
def test_text_ends_with_its_nul_or_with_the_buffer(size: int, length: int, first: bytes) -> None:
    assert result(KERNEL_TEXT, size, "r3 = r6") == length
    shown = result(KERNEL_TEXT, size, "r3 = r6", FIRST)
    assert shown.to_bytes(8, "little", signed=True) == first


def test_a_buffer_without_bytes_gets_none() -> None:
    assert result(KERNEL_TEXT, 0, "r3 = 0") == result(USER_TEXT, 0, "r3 = 0") == 0


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("r3 = r6\n r3 += 12", "a value of map values has 16 bytes; bytes 12..19 are outside"),
        ("r3 = r10\n r3 += -64", "the stack at r10-64 was never written"),
        ("r3 = *(u64 *)(r7 + 168)", "sock_common cannot be read"),
    ],
)
def test_memory_without_bytes_is_a_fault(address: str, says: str) -> None:
    with pytest.raises(Fault, match=says):
        result(KERNEL, 8, address)
