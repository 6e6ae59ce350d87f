"""What helpers are called with is checked before they see it."""

from __future__ import annotations

import pytest
from skverdict.codegen.instruction import Instruction
from skverdict.codegen.object import DataReference, DataSection, Program
from skverdict.runtime.machine.call import Buffer, Call
from skverdict.runtime.machine.fault import Fault
from skverdict.runtime.machine.run import run
from skverdict.runtime.maps.array import ArrayMap
from skverdict.runtime.maps.hash import HashMap
from skverdict.runtime.maps.queue import QueueMap

from tests.runtime.machine_kit import (
    EXIT,
    M64,
    TestContext,
    alu,
    call,
    environment,
    execute,
    loaded,
    mov,
    object_of,
    spec,
    store,
    wide,
)

MAP = wide(1, 0)
AT_0 = {0: "m"}


def stack(dst: int, offset: int) -> list[Instruction]:
    """dst = r10 + offset."""
    return [alu("mov", dst, src=10), alu("add", dst, imm=offset)]


def fault(*instructions: Instruction, **about: object) -> str:
    with pytest.raises(Fault) as caught:
        execute([*instructions, EXIT], **about)  # type: ignore[arg-type]
    return caught.value.reason


def test_a_map_argument_is_a_map_of_the_right_kind() -> None:
    key = [store(10, -4, 4, imm=0), *stack(2, -4)]
    assert fault(mov(1, 5), *key, call(1)) == "bpf_map_lookup_elem, argument map: is not a map"
    assert fault(alu("mov", 1, src=10), *key, call(1)) == "bpf_map_lookup_elem, argument map: is not a map"
    maps = {"m": QueueMap(spec(key=0))}
    assert fault(MAP, *key, call(1), maps=maps, at=AT_0) == (
        "bpf_map_lookup_elem, argument map: a map of kind queue is not for this helper"
    )


def test_a_key_is_all_written_and_of_the_maps_size() -> None:
    maps = {"m": HashMap(spec(key=8))}
    short = [MAP, store(10, -4, 4, imm=0), *stack(2, -8), call(1)]
    assert fault(*short, maps=maps, at=AT_0) == (
        "bpf_map_lookup_elem, argument key: the stack at r10-8 was never written"
    )
    outside = [MAP, store(10, -4, 4, imm=0), *stack(2, -4), call(1)]
    assert fault(*outside, maps=maps, at=AT_0).endswith("8 bytes at r10-4 are outside")
    assert fault(MAP, mov(2, 0), call(1), maps=maps, at=AT_0) == (
        "bpf_map_lookup_elem, argument key: NULL dereference: the access is at NULL+0"
    )


def test_a_map_for_reading_is_not_changed_by_programs() -> None:
    maps = {"m": ArrayMap(spec(flags=1 << 7))}
    key = [MAP, store(10, -4, 4, imm=0), *stack(2, -4)]
    assert fault(*key, call(3), maps=maps, at=AT_0) == (
        "bpf_map_delete_elem, argument map: map m may only be read by programs"
    )
    assert fault(*key, call(1), store(0, 0, 4, imm=0), maps=maps, at=AT_0) == "a value of map m is read-only"


def received(number: int, *instructions: Instruction, kind: str = "stream_verdict") -> list[object]:
    """What helper `number` gets after `instructions`."""
    seen: list[object] = []

    def helper(call: Call, *arguments: object) -> int:
        seen.extend(arguments)
        return 0

    names = {26: "bpf_skb_load_bytes", 9: "bpf_skb_store_bytes", 49: "bpf_setsockopt", 182: "bpf_strncmp"}
    surroundings = environment(helpers={names[number]: helper})
    code = [alu("mov", 6, src=1), *instructions, alu("mov", 1, src=6), call(number), mov(0, 0), EXIT]
    execute(code, TestContext(kind), surroundings=surroundings)
    return seen


def test_numbers_have_the_width_and_sign_of_the_declaration() -> None:
    buffer = [store(10, -8, 8, imm=0), *stack(4, -8), mov(5, 4)]
    context, level, option, value = received(
        49, wide(2, 0xFFFFFFFF_00000001), mov(3, -2), *buffer, kind="sock_ops"
    )
    assert isinstance(context, TestContext)
    assert (level, option, value) == (1, -2, bytes(4))


def test_memory_and_its_size_are_one_argument() -> None:
    source = [store(10, -8, 8, imm=0x01020304), *stack(3, -8), mov(4, 3), mov(5, 0)]
    _, offset, content, flags = received(9, mov(2, 7), *source)
    assert (offset, content, flags) == (7, b"\4\3\2", 0)


def test_a_buffer_need_not_be_written_before() -> None:
    _, offset, buffer = received(26, mov(2, 1), *stack(3, -16), mov(4, 16))
    assert isinstance(buffer, Buffer)
    assert (offset, buffer.size) == (1, 16)


@pytest.mark.parametrize(
    ("place", "size", "reason"),
    [
        (-16, 17, "is the 512 bytes below r10; 17 bytes at r10-16 are outside"),
        (-16, 0, "its size len is 0"),
        (-16, -1, "is the 512 bytes below r10; 4294967295 bytes at r10-16 are outside"),
    ],
)
def test_a_buffer_has_room_for_its_size(place: int, size: int, reason: str) -> None:
    surroundings = environment(helpers={"bpf_skb_load_bytes": lambda *_: 0})
    code = [mov(2, 0), *stack(3, place), mov(4, size), call(26)]
    assert fault(*code, surroundings=surroundings).removeprefix("bpf_skb_load_bytes, argument to: ") in (
        reason,
        f"the stack {reason}",
    )


def test_a_context_argument_is_the_context() -> None:
    surroundings = environment(helpers={"bpf_skb_pull_data": lambda *_: 0})
    for change in (alu("add", 1, imm=8), mov(1, 0), alu("mov", 1, src=10)):
        reason = fault(change, mov(2, 0), call(39), surroundings=surroundings)
        assert reason == "bpf_skb_pull_data, argument skb: is not the program's context"


def test_every_argument_must_be_written() -> None:
    surroundings = environment(helpers={"bpf_skb_pull_data": lambda *_: 0})
    assert fault(call(39), surroundings=surroundings) == "r2 is used before it is written"


def strncmp(content: bytes, read_only: bool = True) -> int:
    """Compare "GET" with a string in a data section."""
    code = [store(10, -4, 4, imm=0x544547), *stack(1, -4), mov(2, 4), wide(3, 0), call(182), EXIT]
    object_ = object_of(code, data=[DataSection(".rodata.str", content, read_only)])
    main = object_.programs["main"]
    data = {4: DataReference(4, ".rodata.str", 0)}
    object_.programs["main"] = Program("main", main.section, main.kind, main.instructions, data=data)
    return run(loaded(object_), TestContext(), environment()).value


def test_a_string_is_a_constant_with_its_end() -> None:
    assert strncmp(b"GET\0") == 0
    assert strncmp(b"GETS\0") == -1 & M64
    with pytest.raises(Fault, match="argument s2: is not in read-only memory"):
        strncmp(b"GET\0", read_only=False)
    with pytest.raises(Fault, match="argument s2: has no NUL at its end"):
        strncmp(b"GET")


def test_a_number_to_fill_is_aligned() -> None:
    text = [store(10, -8, 8, imm=0x31), *stack(1, -8), mov(2, 1), mov(3, 10)]
    assert execute([*text, *stack(4, -16), call(105), EXIT]).value == 1
    assert fault(*text, *stack(4, -12), call(105)) == (
        "bpf_strtol, argument res: is not aligned to 8 bytes"
    )


def test_the_names_of_functions_are_those_of_the_program() -> None:
    assert fault(mov(1, 1), wide(2, 0), mov(3, 0), mov(4, 0), call(181)) == (
        "bpf_loop, argument callback_fn: is not a function of the program"
    )
