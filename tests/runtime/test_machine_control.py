"""How a run goes: budget, calls of functions, callbacks, tail calls, loops, and how it ends."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from skverdict.codegen.instruction import Instruction
from skverdict.codegen.instruction_set import OPERATIONS
from skverdict.codegen.object import SourceLine
from skverdict.runtime.machine import run as machine
from skverdict.runtime.machine.errno import Errno, KernelError
from skverdict.runtime.machine.fault import Fault, LoadError
from skverdict.runtime.machine.run import HelperCall, run, step_through
from skverdict.runtime.maps.program_array import ProgramArray

from tests.runtime.machine_kit import (
    EXIT,
    M64,
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
    spec,
    store,
    wide,
)


def local(distance: int) -> Instruction:
    """Call the function `distance` slots behind the next instruction."""
    return op("call", "local", imm=distance)


def function(dst: int, distance: int) -> Instruction:
    """dst = the address of the function `distance` slots behind the next instruction."""
    return op("constant", "function", dst=dst, imm=distance & 0xFFFFFFFF)


def fault(*instructions: Instruction, **about: object) -> Fault:
    with pytest.raises(Fault) as caught:
        execute(instructions, **about)  # type: ignore[arg-type]
    return caught.value


def test_instructions_are_counted() -> None:
    assert execute([mov(0, 0), op("goto", "ja", source="", offset=1), mov(0, 1), EXIT]).instructions == 3


@given(budget=st.integers(1, 40))
def test_the_budget_ends_a_loop(budget: int) -> None:
    found = fault(op("goto", "ja", source="", offset=-1), surroundings=environment(budget=budget))
    assert found.reason == f"the program used up its budget of {budget} instructions"


def test_the_budget_suffices_for_exactly_as_many_instructions() -> None:
    code = [mov(0, 0), mov(1, 0), EXIT]
    assert execute(code, surroundings=environment(budget=3)).instructions == 3
    assert fault(*code, surroundings=environment(budget=2)).slot == 2


def test_a_function_has_registers_and_stack_of_its_own() -> None:
    code = [
        mov(6, 1),
        store(10, -8, 8, imm=5),
        mov(1, 40),
        local(4),
        load_(1, 10, -8, 8),
        alu("add", 0, src=6),
        alu("add", 0, src=1),
        EXIT,
        alu("mov", 6, src=1),
        store(10, -8, 8, imm=9),
        alu("mov", 0, src=6),
        EXIT,
    ]
    assert execute(code).value == 40 + 1 + 5


@pytest.mark.parametrize("register", [1, 2, 3, 4, 5])
def test_a_call_takes_the_argument_registers(register: int) -> None:
    code = [mov(each, 0) for each in range(1, 6)]
    found = fault(*code, local(2), alu("mov", 0, src=register), EXIT, mov(0, 0), EXIT)
    assert found.reason == f"r{register} is used before it is written"
    helper = fault(*code, call(5), alu("mov", 0, src=register), EXIT)
    assert helper.reason == f"r{register} is used before it is written"


@pytest.mark.parametrize("way", [run, step_through])
@pytest.mark.parametrize("register", [0, 6, 7, 8, 9])
def test_a_function_does_not_see_its_callers_registers(register: int, way: Callable[..., object]) -> None:
    use = [alu("mov", 1, src=register), alu("add", 1, imm=1), mov(0, 0), EXIT]
    program = loaded(object_of([mov(register, 0), local(1), EXIT, *use]))
    with pytest.raises(Fault) as caught:
        way(program, TestContext(), environment())
    assert caught.value.reason == f"r{register} is used before it is written"


def test_a_function_can_use_its_callers_stack_but_not_the_other_way_round() -> None:
    fill = [store(1, -8, 8, imm=6), mov(0, 0), EXIT]
    assert execute([alu("mov", 1, src=10), local(2), load_(0, 10, -8, 8), EXIT, *fill]).value == 6
    leak = [store(10, -8, 8, imm=6), alu("mov", 0, src=10), EXIT]
    found = fault(local(2), load_(0, 0, -8, 8), EXIT, *leak)
    assert found.reason == "the stack is no longer there: its function has returned"


def test_a_function_of_the_program_may_give_no_result_but_nobody_may_use_it() -> None:
    assert execute([local(2), mov(0, 5), EXIT, EXIT]).value == 5
    found = fault(local(2), alu("mov", 1, src=0), EXIT, EXIT)
    assert found.reason == "r0 is used before it is written"
    assert fault(EXIT).reason == "r0 is used before it is written"


def nested(depth: int) -> list[Instruction]:
    """A program whose functions call each other until `depth` frames are open."""
    return [each for _ in range(depth - 1) for each in (local(1), EXIT)] + [mov(0, 3), EXIT]


def test_eight_frames_may_be_open() -> None:
    assert execute(nested(8)).value == 3
    with pytest.raises(LoadError, match="9 functions deep, 8 is the limit"):
        execute(nested(9))


def test_frames_are_counted_across_tail_calls() -> None:
    array = ProgramArray(spec(value=4))
    deep = [*nested(7)[:-2], *tail_call(0)]
    at = {12: "m"}
    array.insert(0, loaded(object_of(deep, maps=at), {"m": array}))
    found = fault(*deep, maps={"m": array}, at=at)
    assert found.reason == "the call is the 9th function deep; 8 is the limit"


def test_functions_do_not_call_themselves() -> None:
    names = {0: "main", 2: "walk"}
    walk = [local(1), EXIT, mov(1, 0), local(-2), EXIT]
    with pytest.raises(LoadError, match="main -> walk -> walk: a function calls itself"):
        loaded(object_of(walk, functions=names))


@pytest.mark.parametrize(("kernel", "total"), [("6.1", 544), ("6.12", 528), ("7.2", 528)])
def test_functions_share_the_stack(kernel: str, total: int) -> None:
    def code(depth: int) -> list[Instruction]:
        own = [store(10, -256, 1, imm=0), local(1), EXIT]
        address = [alu("mov", 2, src=10), alu("add", 2, imm=-depth), mov(0, 0), EXIT]
        return [*own, *address]

    surroundings = environment(kernel=kernel)
    assert execute(code(256), surroundings=surroundings).value == 0
    with pytest.raises(LoadError, match=f"together {total} bytes of stack, 512 is the limit"):
        execute(code(257), surroundings=surroundings)


def test_what_was_loaded_from_the_stack_is_no_address_of_it() -> None:
    number = [store(10, -8, 8, imm=1000), load_(6, 10, -8, 8), alu("add", 6, imm=-500)]
    code = [*number, local(2), alu("mov", 0, src=6), EXIT, mov(0, 0), EXIT]
    assert execute(code).value == 500


def test_many_calls_are_checked_quickly() -> None:
    # Seven functions, each calling the next a hundred times: 10**14 ways through.
    calls = [[local(100 - number + 1) for number in range(100)] + [mov(0, 0), EXIT] for _ in range(7)]
    code = [each for function_calls in calls for each in function_calls] + [mov(0, 1), EXIT]
    with pytest.raises(Fault, match="budget"):
        execute(code, surroundings=environment(budget=1000))


def test_older_kernels_round_frames_up_further() -> None:
    code = [store(10, -496, 1, imm=0), local(1), EXIT, mov(0, 0), EXIT]
    names = {0: "main", 3: "leaf"}
    loaded(object_of(code, functions=names))
    with pytest.raises(LoadError, match="main -> leaf: together 544 bytes of stack, 512 is the limit"):
        loaded(object_of(code, functions=names), surroundings=environment(kernel="6.1"))


def test_may_goto_ends_the_loop_when_its_count_is_used_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "MAX_LOOPS", 5)
    loop = [mov(0, 0), op("may_goto", offset=2), alu("add", 0, imm=1), op("goto", "ja", source="", offset=-3)]
    assert execute([*loop, EXIT]).value == 5


def test_every_helper_call_is_told() -> None:
    surroundings = environment(clock_ns=77)
    result = execute([call(5), EXIT], surroundings=surroundings)
    assert result.calls == (HelperCall("bpf_ktime_get_ns", (), 77),)


def test_a_kernel_error_is_a_negative_result() -> None:
    def refuse(call: object, context: object, length: int) -> int:
        raise KernelError(Errno.ENOMEM, "no memory")

    surroundings = environment(helpers={"bpf_skb_pull_data": refuse})
    assert execute([mov(2, 1), call(39), EXIT], surroundings=surroundings).value == -12 & M64


def loop(times: int, *body: Instruction) -> list[Instruction]:
    """A call of bpf_loop with a counter on the stack; the program returns 100 * the counter + the result."""
    return [
        store(10, -8, 8, imm=0),
        mov(1, times),
        function(2, 9),
        alu("mov", 3, src=10),
        alu("add", 3, imm=-8),
        mov(4, 0),
        call(181),
        load_(1, 10, -8, 8),
        alu("mul", 1, imm=100),
        alu("add", 0, src=1),
        EXIT,
        *body,
        EXIT,
    ]


def test_a_callback_runs_with_index_and_context() -> None:
    add = [load_(3, 2, -0, 8), alu("add", 3, src=1), store(2, 0, 8, src=3), mov(0, 0)]
    assert execute(loop(5, *add)).value == 100 * (0 + 1 + 2 + 3 + 4) + 5


@pytest.mark.parametrize("way", [run, step_through])
@pytest.mark.parametrize("register", [0, 3, 4, 5, 6])
def test_a_callback_finds_nothing_behind_its_arguments(register: int, way: Callable[..., object]) -> None:
    program = loaded(object_of(loop(1, alu("mov", 1, src=register), alu("add", 1, imm=1), mov(0, 0))))
    with pytest.raises(Fault) as caught:
        way(program, TestContext(), environment())
    assert caught.value.reason == f"r{register} is used before it is written"


def test_a_callback_that_returns_one_ends_the_loop() -> None:
    stop = [mov(0, 0), op("jump", "jne", dst=1, imm=2, offset=1, bits=64), mov(0, 1)]
    assert execute(loop(5, *stop)).value == 3


def test_callbacks_share_the_budget() -> None:
    result = execute(loop(4, mov(0, 0)))
    assert result.instructions == 11 + 4 * 2
    found = fault(*loop(4, mov(0, 0)), surroundings=environment(budget=result.instructions - 1))
    assert "budget" in found.reason


def test_a_fault_in_a_callback_is_told_where_it_happened() -> None:
    found = fault(*loop(1, load_(0, 1, 0, 8)))
    assert (found.slot, found.reason) == (12, "NULL dereference: the access is at NULL+0")


def tail_call(index: int) -> list[Instruction]:
    """Call program `index` of map `m`; the wide instruction is at slot 0 of these."""
    return [wide(2, 0), mov(3, index), call(12), mov(0, 7), EXIT]


def programs(*bodies: Sequence[Instruction], at: int = 0) -> tuple[ProgramArray, TestContext]:
    """Map `m` with the programs of these bodies; each may use it by a wide instruction at slot `at`."""
    array = ProgramArray(spec(value=4, entries=8))
    for index, body in enumerate(bodies):
        uses = {at: "m"} if any(each.opcode == 0x18 for each in body) else {}
        array.insert(index, loaded(object_of(body, maps=uses), {"m": array}))
    return array, TestContext(len=9)


def test_a_tail_call_goes_on_in_the_other_program() -> None:
    array, context = programs([load_(0, 1, 0, 4), EXIT])
    assert execute(tail_call(0), context, {"m": array}, at={0: "m"}).value == 9


@pytest.mark.parametrize("index", [1, 8, 100])
def test_a_tail_call_to_nothing_does_not_happen(index: int) -> None:
    array, context = programs([mov(0, 1), EXIT])
    assert execute(tail_call(index), context, {"m": array}, at={0: "m"}).value == 7


def test_tail_calls_are_counted() -> None:
    array, context = programs(tail_call(0))
    result = execute(tail_call(0), context, {"m": array}, at={0: "m"})
    assert result.value == 7
    # The program itself and 33 tail calls, each of 3 instructions, and the 2 behind the one that fails.
    assert result.instructions == 34 * 3 + 2


def test_a_tail_call_from_a_function_returns_to_its_caller() -> None:
    array, context = programs([mov(0, 5), EXIT])
    code = [local(2), alu("add", 0, imm=10), EXIT, *tail_call(0)]
    assert execute(code, context, {"m": array}, at={3: "m"}).value == 15


def test_a_fault_names_the_program_that_it_happened_in() -> None:
    array, context = programs([mov(1, 0), load_(0, 1, 0, 8), EXIT])
    found = fault(*tail_call(0), context=context, maps={"m": array}, at={0: "m"})
    assert found.slot == 1


def test_a_fault_is_printed_with_instruction_and_line() -> None:
    lines = {1: SourceLine("policy.py", 4, 8, "        return entry.port")}
    found = fault(mov(1, 0), load_(0, 1, 8, 4), EXIT, lines=lines)
    assert str(found) == (
        "NULL dereference: the access is at NULL+8\n"
        "in main at instruction 1: r0 = *(u32 *)(r1 + 8)\n"
        "policy.py:4: return entry.port"
    )


def test_runs_do_not_share_registers_or_stack() -> None:
    program = loaded(object_of([load_(2, 1, 0, 4), alu("mov", 0, src=2), EXIT]))
    surroundings = environment()
    assert [run(program, TestContext(len=n), surroundings).value for n in (3, 4)] == [3, 4]


_TWO_OPERANDS = [
    op(row.family, row.name, dst=8, src=9, bits=row.bits, source="reg")
    for row in OPERATIONS
    if row.family in ("alu", "jump") and row.source == "reg" and not row.name.startswith("mov")
]


@pytest.mark.parametrize("use", _TWO_OPERANDS, ids=lambda use: f"{use.opcode:#x}-{use.offset}")
def test_of_two_unwritten_registers_the_same_is_named_step_by_step_and_in_functions(use: Instruction) -> None:
    sure = op("jump", "jne", dst=1, imm=0, offset=2, bits=64)
    program = loaded(object_of([sure, mov(8, 1), mov(9, 1), use, mov(0, 0), EXIT]))
    reasons = []
    for way in (run, step_through):
        with pytest.raises(Fault) as caught:
            way(program, TestContext(), environment())
        reasons.append(caught.value.reason)
    assert reasons[0] == reasons[1]


@pytest.mark.parametrize("known", [True, False], ids=["from the context", "from somewhere"])
def test_a_field_that_leads_somewhere_is_no_address_once_its_sign_is_extended(known: bool) -> None:
    load_signed = op("load", dst=0, src=1, offset=76, size=4, signed=True)
    # What a jump brings together may point anywhere.
    somewhere = [alu("mov", 2, src=1), op("jump", "jeq", dst=1, imm=0, offset=1, bits=64), alu("add", 1, imm=0)]
    program = loaded(object_of([*([] if known else somewhere), load_signed, EXIT]))
    values = {way(program, TestContext(packet=b"12"), environment()).value for way in (run, step_through)}
    assert values == {0xFFFFFFFF80000000}


@pytest.mark.parametrize("bits", [32, 64])
@pytest.mark.parametrize("name", ["jslt", "jsge"])
@pytest.mark.parametrize("value", [0, 1, -1, 0x7FFFFFFF, 1 << 31, 1 << 63, (1 << 63) - 1])
def test_signed_comparisons_with_zero(name: str, bits: int, value: int) -> None:
    low = value & (1 << bits) - 1
    negative = bool(low >> bits - 1)
    jump = op("jump", name, dst=1, imm=0, offset=1, bits=bits)
    code = [wide(1, value), mov(0, 1), jump, mov(0, 0), EXIT]
    program = loaded(object_of(code))
    wanted = int(negative if name == "jslt" else not negative)
    assert {way(program, TestContext(), environment()).value for way in (run, step_through)} == {wanted}
