"""What stands on the stack stays there when registers are given anew."""

from __future__ import annotations

from pathlib import Path

import pytest
from skverdict.codegen import Target, build, read_object
from skverdict.codegen.target import CPUS
from skverdict.dsl import load_policy

POLICY = """
from skverdict.dsl import SK_PASS, Array, ArrayMap, SkMsg, Struct, i32, msg_verdict, u16, u32, u64

class S(Struct):
    a: u16
    b: u32
    arr: Array[u16, 4]
    c: u64

out = ArrayMap(value=u64, max_entries=1)

@msg_verdict
def prog(msg: SkMsg) -> i32:
    s = S()
    n: u16 = 1
    for i in range(5):
        s.b = 1
        t = s.copy()
        match msg.size:
            case 4:
                n = t.arr[msg.local_port & 3]
            case 256:
                t.a = n
    out.update(0, u64(n))
    return SK_PASS
"""


@pytest.mark.parametrize("cpu", CPUS)
def test_an_address_that_a_loop_carries_keeps_its_place(tmp_path: Path, cpu: str) -> None:
    path = tmp_path / "policy.py"
    path.write_text(POLICY)
    program = read_object(build(load_policy(path), Target(cpu, "little"))).programs["prog"]
    offsets = [
        instruction.offset
        for instruction in program.instructions.values()
        for base in [instruction.src if instruction.opcode & 7 == 1 else instruction.dst]
        if instruction.opcode & 7 in (1, 2, 3) and base == 10
    ]
    assert offsets
    assert all(-512 <= offset < 0 for offset in offsets)
