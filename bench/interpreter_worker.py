"""Measures one class of instructions in the interpreter of whichever skverdict is first on the path.

    python interpreter_worker.py CLASS

answers the first line of its input with the number of instructions in a run, and each further one with the
seconds that a run took. It uses no other module of this folder, so that it can run beside any revision.
"""

from __future__ import annotations

import sys
import time

from skverdict.codegen.assembler import assemble
from skverdict.runtime.helpers.generic import GENERIC
from skverdict.runtime.machine.context import Context
from skverdict.runtime.machine.environment import Environment
from skverdict.runtime.machine.load import load
from skverdict.runtime.machine.run import run
from skverdict.runtime.maps.array import ArrayMap

# r6 points to the context, r7 to the packet, r8 to a map's value; r9 counts the rounds.
BODIES = {
    "64-bit arithmetic": """
        r1 = 7; r1 += r9; r1 *= 3; r1 ^= r9; r1 <<= 5; r1 s>>= 2; r1 -= r9; r1 |= 1""",
    "32-bit arithmetic": """
        w1 = 7; w1 += w9; w1 *= 3; w1 ^= w9; w1 <<= 5; w1 s>>= 2; w1 -= w9; w1 |= 1""",
    "jumps": """
        if r9 == -1 goto +0; if r9 s< 0 goto +0; if w9 > -1 goto +0; goto +0;
        if r9 != 0 goto +0; if r9 & 1 goto +0; if w9 s>= 0 goto +0; goto +0""",
    "stack": """
        *(u64 *)(r10 - 8) = r9; r1 = *(u64 *)(r10 - 8); *(u32 *)(r10 - 16) = r9; r1 = *(u32 *)(r10 - 16);
        *(u16 *)(r10 - 8) = r9; r1 = *(u16 *)(r10 - 8); *(u8 *)(r10 - 16) = 5; r1 = *(u8 *)(r10 - 16)""",
    "packet": """
        r1 = *(u8 *)(r7 + 0); r1 = *(u16 *)(r7 + 2); r1 = *(u32 *)(r7 + 4); r1 = *(u64 *)(r7 + 8);
        r1 = *(u8 *)(r7 + 16); r1 = *(s16 *)(r7 + 2); r1 = *(s32 *)(r7 + 4); *(u8 *)(r7 + 9) = r9""",
    "map value": """
        r1 = *(u64 *)(r8 + 0); r1 += 1; *(u64 *)(r8 + 0) = r1; lock *(u64 *)(r8 + 8) += r9;
        r1 = *(u32 *)(r8 + 4); r1 += 1; *(u32 *)(r8 + 4) = r1; lock *(u32 *)(r8 + 8) += r9""",
    "context": "; ".join(["r1 = *(u32 *)(r6 + 0); r1 = *(u32 *)(r6 + 88)"] * 4),
    "helpers": "; ".join(["call bpf_ktime_get_ns"] * 8),
    "functions": "; ".join(["call small"] * 8),
}
"""Each class of instructions: what is repeated."""

ROUNDS = 2000

_HEAD = """
license "GPL"
map values array key 4 value 16 max_entries 1 flags 0
program main sk_skb/stream_verdict
    r6 = r1
    r7 = *(u32 *)(r1 + 76)
    *(u32 *)(r10 - 24) = 0
    r1 = map[values] ll
    r2 = r10
    r2 += -24
    call bpf_map_lookup_elem
    r8 = r0
    r9 = {rounds}
again:
{body}
    r9 += -1
    if r9 != 0 goto again
    r0 = 1
    exit
small:
    r0 = 1
    exit
"""


class Buffer(Context):
    """A received buffer of 64 bytes."""

    kind, table = "stream_verdict", "__sk_buff"

    def __init__(self) -> None:
        self.content = bytearray(64)

    def field(self, name: str, index: int = 0) -> int:
        return len(self.content) if name == "len" else 2

    def packet(self) -> bytearray:
        return self.content


def main(name: str) -> None:
    """Answer until the input ends."""
    object_ = assemble(_HEAD.format(rounds=ROUNDS, body=BODIES[name].replace(";", "\n")))
    maps = {"values": ArrayMap(object_.maps["values"])}
    environment = Environment(GENERIC)
    program = load(object_, "main", maps, {}, environment)
    sys.stdin.readline()
    print(run(program, Buffer(), environment).instructions, flush=True)
    for _ in sys.stdin:
        start = time.perf_counter()
        run(program, Buffer(), environment)
        print(time.perf_counter() - start, flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
