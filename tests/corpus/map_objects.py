"""Objects for stories about maps: the map, and a program that does to it what user space says."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from skverdict.codegen.assembler import assemble
from skverdict.codegen.object_writer import object_bytes

from tests.corpus.map_world import FLAGS, HELPER, KEY, ORDERS, RESULT, SIZES, Declaration, helpers_of


def _copied(size: int, at: int) -> Iterator[str]:
    """Copy a value that r0 points to."""
    for offset in range(0, size, 8):
        left = size - offset
        parts = [(offset, 64)] if left >= 8 else [(offset + byte, 8) for byte in range(left)]
        for place, bits in parts:
            yield f"r1 = *(u{bits} *)(r0 + {place})"
            yield f"*(u{bits} *)(r6 + {at + place}) = r1"


def _call(name: str, map_: Declaration) -> Iterator[str]:
    """The code of one helper; it ends with the result in r7."""
    yield "r1 = map[subject] ll"
    yield "r2 = r6"
    yield f"r2 += {map_.value_at if name in ('push', 'pop', 'peek', 'output') else KEY}"
    if name.startswith("lookup"):
        yield f"r3 = *(u32 *)(r6 + {FLAGS})"
        yield f"call bpf_map_{name}_elem"
        yield "r7 = 0"
        yield f"if r0 == 0 goto done_{name}"
        yield "r7 = 1"
        yield from _copied(map_.value_size, map_.value_at)
        yield f"done_{name}:"
        return
    if name.startswith("reserve"):
        yield f"r2 = {SIZES[int(name.removeprefix('reserve'))]}"
        yield "r3 = 0"
        yield "call bpf_ringbuf_reserve"
        yield "r7 = 0"
        yield f"if r0 == 0 goto done_{name}"
        yield "r7 = 1"
        yield "*(u8 *)(r0 + 0) = 7"
        yield "r1 = r0"
        yield "r2 = 0"
        yield f"r3 = *(u64 *)(r6 + {FLAGS})"
        yield f"if r3 != 0 goto discard_{name}"
        yield "call bpf_ringbuf_submit"
        yield f"goto done_{name}"
        yield f"discard_{name}:"
        yield "call bpf_ringbuf_discard"
        yield f"done_{name}:"
        return
    if name == "update":
        yield "r3 = r6"
        yield f"r3 += {map_.value_at}"
        yield f"r4 = *(u64 *)(r6 + {FLAGS})"
        yield "call bpf_map_update_elem"
    elif name == "delete":
        yield "call bpf_map_delete_elem"
    elif name == "output":
        yield f"r3 = {map_.room}"
        yield f"r4 = *(u64 *)(r6 + {FLAGS})"
        yield "call bpf_ringbuf_output"
    elif name == "query":
        yield f"r2 = *(u64 *)(r6 + {FLAGS})"
        yield "call bpf_ringbuf_query"
    else:
        yield f"r3 = *(u64 *)(r6 + {FLAGS})"
        yield f"call bpf_map_{name}_elem"
    yield "r7 = r0"


def _obeying(map_: Declaration) -> Iterator[str]:
    """Do what `orders` say."""
    yield "*(u32 *)(r10 - 4) = 0"
    yield f"r1 = map[{ORDERS}] ll"
    yield "r2 = r10"
    yield "r2 += -4"
    yield "call bpf_map_lookup_elem"
    yield "if r0 == 0 goto out"
    yield "r6 = r0"
    for number, name in enumerate(helpers_of(map_)):
        yield f"r1 = *(u32 *)(r6 + {HELPER})"
        yield f"if r1 != {number} goto after_{name}"
        yield from _call(name, map_)
        yield "goto end"
        yield f"after_{name}:"
    yield "goto out"
    yield "end:"
    yield f"*(u64 *)(r6 + {RESULT}) = r7"
    yield "out:"


def _text(map_: Declaration) -> Iterator[str]:
    yield 'license "GPL"'
    yield (
        f"map subject {map_.kind} key {map_.key_size} value {map_.value_size} "
        f"max_entries {map_.max_entries} flags {map_.flags:#x}"
    )
    yield f"map {ORDERS} array key 4 value {map_.value_at + map_.room} max_entries 1 flags 0"
    yield "map sockets sockmap key 4 value 8 max_entries 1 flags 0"
    yield "program act sk_msg"
    if helpers_of(map_):
        yield from _obeying(map_)
    yield "r0 = 1"
    yield "exit"


@cache
def object_of(map_: Declaration) -> bytes:
    """The object with the map as `subject`, and the program that does to it what `orders` say."""
    return object_bytes(assemble("\n".join(_text(map_)) + "\n"))
