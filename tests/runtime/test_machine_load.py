"""What is refused before a program runs."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from skverdict.codegen.instruction import Instruction
from skverdict.codegen.instruction_set import InstructionError, decode_instructions
from skverdict.codegen.object import Object, Program
from skverdict.dsl.catalogue.helpers import HELPERS
from skverdict.dsl.catalogue.programs import KERNELS, PROGRAMS
from skverdict.runtime.machine.fault import Fault, LoadError, Unsupported, UnsupportedHelper
from skverdict.runtime.machine.load import load
from skverdict.runtime.machine.run import run

from tests.runtime.machine_kit import (
    EXIT,
    TestContext,
    alu,
    call,
    environment,
    execute,
    load_,
    loaded,
    mov,
    object_of,
    op,
    wide,
)


def refusal(instructions: Sequence[Instruction], **about: object) -> LoadError:
    with pytest.raises(LoadError) as caught:
        loaded(object_of(instructions, **about))  # type: ignore[arg-type]
    return caught.value


@pytest.mark.parametrize(
    ("instructions", "reason", "slot"),
    [
        ([], "has no instructions", 0),
        ([mov(0, 0)], "is the last of its function and no exit or jump", 0),
        ([op("goto", "ja", source="", offset=5), EXIT], "goes to 6, where no instruction begins", 0),
        ([op("goto", "ja", source="", offset=-2), EXIT], "goes to -1, where no instruction begins", 0),
        (
            [op("goto", "ja", source="", offset=1), wide(0, 1), EXIT],
            "goes to 2, where no instruction begins",
            0,
        ),
        ([op("call", "local", imm=7), EXIT], "goes to 8, where no instruction begins", 0),
        ([mov(10, 0), EXIT], "writes r10, the read-only frame pointer", 0),
        ([wide(10, 0), EXIT], "writes r10, the read-only frame pointer", 0),
        ([load_(10, 1, 0, 4), EXIT], "writes r10, the read-only frame pointer", 0),
        (
            [op("atomic", "xchg", dst=1, src=10, size=8), EXIT],
            "writes r10, the read-only frame pointer",
            0,
        ),
        (
            [mov(0, 0), Instruction(0x8D, 0, 0, 0, 0), EXIT],
            "has a bad instruction: opcode 0x8d calls through a register, which Linux does not allow",
            1,
        ),
        (
            [op("constant", "map_fd", dst=1), EXIT],
            "takes a map by file descriptor; the object names no map here",
            0,
        ),
        (
            [op("addr_space_cast", dst=1, src=1, imm=1), EXIT],
            "casts a pointer between address spaces; arenas are not simulated",
            0,
        ),
        (
            [op("packet", "abs", size=4), EXIT],
            "loads from the packet by the legacy instruction; load through skb.data or bpf_skb_load_bytes",
            0,
        ),
        (
            [op("call", "kfunc", imm=900), EXIT],
            "calls a kernel function (kfunc); the simulator has helpers only",
            0,
        ),
        ([call(4444), EXIT], "calls helper 4444, which no stream_verdict program may call", 0),
    ],
)
def test_refused_programs(instructions: list[Instruction], reason: str, slot: int) -> None:
    found = refusal(instructions)
    assert found.reason == f"main {reason}"
    assert found.place.slot == slot
    assert f"in main at instruction {slot}" in str(found)


def test_functions_are_left_by_exit_only() -> None:
    fall = [op("call", "local", imm=2), mov(0, 0), alu("add", 0, imm=1), mov(0, 1), EXIT]
    assert refusal(fall).reason == "main is the last of its function and no exit or jump"
    out = [op("call", "local", imm=1), EXIT, op("goto", "ja", source="", offset=-3), EXIT]
    assert refusal(out).reason == "main jumps to 0, into another function"


def test_a_helper_is_for_some_kinds_and_kernels_only() -> None:
    found = refusal([mov(2, 1), call(61), EXIT])
    reason = "main calls bpf_msg_apply_bytes, which a stream_verdict program may not call on Linux 7.2"
    assert found.reason == reason
    assert not isinstance(found, UnsupportedHelper)
    process = object_of([call(14), EXIT])
    load(process, "main", {}, {}, environment(kernel="6.12"))
    with pytest.raises(LoadError, match=r"bpf_get_current_pid_tgid.* on Linux 6.1"):
        load(process, "main", {}, {}, environment(kernel="6.1"))


def test_some_helpers_ask_for_a_gpl_license() -> None:
    code = [call(165), EXIT]
    loaded(object_of(code, license="Dual MIT/GPL"))
    assert "GPL-compatible license" in refusal(code, license="MIT").reason


def test_a_helper_that_the_simulator_lacks_is_named() -> None:
    with pytest.raises(UnsupportedHelper) as caught:
        loaded(object_of([call(153), EXIT]))
    assert caught.value.helper == "bpf_per_cpu_ptr"
    reason = "main calls bpf_per_cpu_ptr, which the simulator does not have: it needs the types and variables"
    assert caught.value.reason.startswith(reason)


def test_what_depends_on_the_running_kernel_is_named() -> None:
    """A question about the kernel's types has no answer here, and a place in them no meaning."""
    object_ = object_of([mov(0, 1), EXIT])
    object_.programs["main"].kernel[0] = "field_exists struct task_struct::pid (0:3)"
    with pytest.raises(Unsupported) as caught:
        loaded(object_)
    text = "main depends on the running kernel's types (CO-RE): field_exists struct task_struct::pid (0:3)"
    assert caught.value.reason == text


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("kind", PROGRAMS)
def test_every_helper_call_loads_or_is_refused_by_name(kind: str, kernel: str) -> None:
    surroundings = environment(kernel=kernel)
    for helper in HELPERS.values():
        object_ = object_of([call(helper.number), EXIT], kind=kind)
        try:
            load(object_, "main", {}, {}, surroundings)
            assert helper.may_call(kind, kernel)
        except LoadError as error:
            assert helper.name in error.reason


@given(content=st.binary(min_size=8, max_size=80).map(lambda content: content[: len(content) // 8 * 8]))
def test_any_bytes_are_refused_or_run_to_an_end(content: bytes) -> None:
    try:
        instructions = decode_instructions(content, "little")
    except InstructionError:
        return
    object_ = Object("little", "GPL", {"main": Program("main", "x", "stream_verdict", instructions)}, {})
    surroundings = environment(budget=200)
    with suppress(LoadError, Fault):
        run(load(object_, "main", {}, {}, surroundings), TestContext(), surroundings)


def test_a_program_of_one_exit_faults_for_its_result_only() -> None:
    with pytest.raises(Fault, match="r0 is used before it is written"):
        execute([EXIT])
