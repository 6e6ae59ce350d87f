"""The native engine: what the interpreter says of a run, native code says too."""

from __future__ import annotations

from pathlib import Path

import pytest
from skverdict.codegen.assembler import assemble
from skverdict.dsl import load_policy
from skverdict.runtime import Simulator, engines
from skverdict.runtime.machine.fault import Fault
from skverdict.runtime.machine.load import load
from skverdict.runtime.machine.run import Result, run
from skverdict.runtime.maps.array import ArrayMap
from skverdict.runtime.native import engine, layout, tiers
from skverdict.runtime.native.code import NoNativeCode

from tests.runtime import differential
from tests.runtime.machine_kit import EXIT, TestContext, alu, environment, loaded, mov, object_of, op, spec

SEEDS = 40


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.mark.parametrize("first", range(0, SEEDS, 10))
def test_random_programs_come_to_the_same_as_in_the_interpreter(first: int) -> None:
    tally = differential.Tally()
    for seed in range(first, first + 10):
        assert differential.compare(differential.program(seed), tally, differential.fast(seed)) is None, f"seed {seed}"
    assert tally.programs >= 4
    assert 0 < tally.faults < tally.runs


def _program(text: str) -> str:
    return f'license "GPL"\nprogram main sk_skb/stream_verdict\n{text}'


def _both(text: str, budget: int = 1_000_000, **fields: object) -> tuple[object, object]:
    """What becomes of a program in the interpreter and in native code."""
    object_ = assemble(_program(text))
    outcomes: list[object] = []
    for native in (False, True):
        surroundings = environment(budget=budget)
        program = loaded(object_, surroundings=surroundings)
        context = TestContext(packet=bytes(range(16)), len=16, **fields)
        try:
            if native:
                code = engine.compile_program(program, "__sk_buff", {}, {}, surroundings)
                result = engine.run(code, context, surroundings)
            else:
                result = run(program, context, surroundings)
            outcomes.append((result.value, result.instructions))
        except Fault as fault:
            outcomes.append((fault.reason, fault.slot, fault.access))
    return outcomes[0], outcomes[1]


_SUM = """
    r0 = 0
    r2 = 1000
again:
    r0 += r2
    r2 += -1
    if r2 != 0 goto again
    exit
"""


def test_loops_give_their_result_and_the_number_of_instructions() -> None:
    expected, found = _both(_SUM)
    assert found == expected == (500500, 3003)


@pytest.mark.parametrize("budget", [1, 2, 3, 4, 2999, 3002, 3003])
def test_a_budget_ends_at_the_very_instruction(budget: int) -> None:
    expected, found = _both(_SUM, budget)
    assert found == expected
    next_slot = {1: 1, 2: 2, 3: 3, 4: 4, 2999: 2, 3002: 5}
    assert budget == 3003 or found[1] == next_slot[budget]  # type: ignore[index]


def test_a_budget_that_ends_in_a_called_function_keeps_what_its_callers_had() -> None:
    text = """
        r6 = 5
        r7 = 0
    again:
        call inner
        r7 += r0
        r6 += -1
        if r6 != 0 goto again
        r0 = r7
        exit
    inner:
        r1 = 3
        r0 = 0
    more:
        r0 += r1
        r1 += -1
        if r1 != 0 goto more
        exit
    """
    whole, _ = _both(text)
    assert whole[0] == 30  # type: ignore[index]
    for budget in range(1, whole[1] + 1):  # type: ignore[index]
        expected, found = _both(text, budget)
        assert found == expected, budget


def test_jumps_to_what_comes_next_anyway_change_nothing() -> None:
    code = [mov(0, 1), op("may_goto", offset=0), op("jump", "jeq", dst=0, imm=1, offset=0, bits=64), EXIT]
    surroundings = environment()
    program = loaded(object_of(code), surroundings=surroundings)
    native = engine.compile_program(program, "__sk_buff", {}, {}, surroundings)
    results = [run(program, TestContext(), surroundings), engine.run(native, TestContext(), surroundings)]
    assert [(each.value, each.instructions) for each in results] == [(1, 4), (1, 4)]


FAULTS = {
    "an unwritten register": "r0 = r3\nexit",
    "an unwritten byte of the stack": "*(u8 *)(r10 - 8) = 1\nr0 = *(u16 *)(r10 - 8)\nexit",
    "below the stack": "*(u64 *)(r10 - 520) = 1\nr0 = 0\nexit",
    "above the stack": "*(u64 *)(r10 - 4) = 1\nr0 = 0\nexit",
    "a number": "r1 = 123456\nr0 = *(u8 *)(r1 + 0)\nexit",
    "NULL": "r1 = 0\nr0 = *(u32 *)(r1 + 4)\nexit",
    "behind the packet": "r1 = *(u32 *)(r1 + 76)\nr0 = *(u64 *)(r1 + 9)\nexit",
    "before the packet": "r1 = *(u32 *)(r1 + 76)\nr0 = *(u8 *)(r1 - 1)\nexit",
    "a field that is not there": "r0 = *(u32 *)(r1 + 2)\nexit",
    "a field that cannot be written": "*(u32 *)(r1 + 0) = 1\nr0 = 0\nexit",
    "an atomic access to the packet": "r1 = *(u32 *)(r1 + 76)\nr2 = 1\nlock *(u32 *)(r1 + 0) += r2\nr0 = 0\nexit",
    "no result": "exit",
    "the stack of a function that has returned": """
        call inner
        r0 = *(u8 *)(r0 - 8)
        exit
    inner:
        *(u8 *)(r10 - 8) = 1
        r0 = r10
        exit
    """,
}


@pytest.mark.parametrize("what", FAULTS)
def test_a_fault_is_the_same_in_every_word(what: str) -> None:
    expected, found = _both(FAULTS[what])
    assert isinstance(expected[0], str)  # type: ignore[index]
    assert found == expected


def test_a_packet_pointer_is_worthless_once_the_packet_has_moved() -> None:
    text = """
        r6 = r1
        r7 = *(u32 *)(r6 + 76)
        r8 = *(u32 *)(r6 + 80)
        r1 = r7
        r1 += 8
        if r1 > r8 goto out
        r1 = r6
        r2 = 4
        call bpf_skb_pull_data
        r0 = *(u8 *)(r7 + 0)
        exit
    out:
        r0 = 0
        exit
    """
    object_ = assemble(_program(text))
    reasons = []
    for native in (False, True):
        surroundings = environment(helpers={"bpf_skb_pull_data": lambda call, context, length: 0})
        program = loaded(object_, surroundings=surroundings)
        with pytest.raises(Fault) as caught:
            if native:
                code = engine.compile_program(program, "__sk_buff", {}, {}, surroundings)
                engine.run(code, TestContext(packet=bytes(8)), surroundings)
            else:
                run(program, TestContext(packet=bytes(8)), surroundings)
        reasons.append(str(caught.value))
    assert reasons[0] == reasons[1]
    assert "may have moved it" in reasons[0]


def test_a_register_that_is_there_in_some_cases_only_leaves_the_program_to_the_interpreter() -> None:
    code = [op("jump", "jeq", dst=1, imm=0, offset=1, bits=64), mov(2, 1), alu("mov", 0, src=2), EXIT]
    program = loaded(object_of(code))
    with pytest.raises(NoNativeCode, match="main: r2 holds a value in some cases only at instruction 2"):
        engine.compile_program(program, "__sk_buff", {}, {}, environment())


def test_a_result_that_is_there_in_some_cases_only_leaves_the_program_to_the_interpreter() -> None:
    code = [op("jump", "jeq", dst=1, imm=0, offset=1, bits=64), mov(0, 1), EXIT]
    with pytest.raises(NoNativeCode, match="main: r0 holds a value in some cases only at instruction 2"):
        engine.compile_program(loaded(object_of(code)), "__sk_buff", {}, {}, environment())


POLICY = """
from skverdict.dsl import SK_DROP, SK_PASS, ArrayMap, SkSkb, SockMap, i32, skb_verdict, u64

watched = SockMap(max_entries=4)
seen = ArrayMap(value=u64, max_entries=1)


@skb_verdict
def verdict(skb: SkSkb) -> i32:
    count = seen.lookup(0)
    if count is not None:
        count.value += 1
    if skb.pull_data(4) != 0:
        return SK_DROP
    total: u64 = 0
    for index in range(100):
        total += index
    return SK_PASS if skb.data.startswith(b"GOOD") and total == 4950 else SK_DROP
"""


def _simulator(tmp_path: object, wanted: str, policy: str = POLICY) -> Simulator:
    path = f"{tmp_path}/policy.py"
    with open(path, "w", encoding="utf-8") as file:
        file.write(policy)
    return Simulator(load_policy(path), engine=wanted)


def _talk(sim: Simulator, times: int) -> tuple[bytes, int, list[str]]:
    client, server = sim.tcp_pair()
    sim.attach("watched", verdict="verdict")
    sim.maps["watched"][0] = server
    for number in range(times):
        client.send(b"GOOD morning" if number % 3 else b"BAD weather")
    return server.recv_all(), sim.maps["seen"][0], [str(event) for event in sim.trace]


def test_a_simulator_shows_the_same_whatever_runs_its_programs(tmp_path: object) -> None:
    reference, native = _simulator(tmp_path, "reference"), _simulator(tmp_path, "native")
    assert _talk(native, 9) == _talk(reference, 9)
    assert native.programs["verdict"].engine == "native"
    assert reference.programs["verdict"].engine == "reference"
    assert native.programs["verdict"].why_reference == ""


def test_programs_that_have_run_for_long_become_native_code(
    tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "_PATIENCE", 1000)
    sim = _simulator(tmp_path, "auto")
    assert sim.programs["verdict"].engine == "reference"
    monkeypatch.setattr(engines, "_RUN_PRICE", 0)
    monkeypatch.setattr(engines, "_CALL_PRICE", 0)
    received, seen, _ = _talk(sim, 90)
    assert sim.programs["verdict"].engine == "native"
    assert (len(received), seen) == (60 * len(b"GOOD morning"), 90)


def test_programs_that_would_gain_nothing_are_left_to_the_interpreter(
    tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "_PATIENCE", 100)
    monkeypatch.setattr(engines, "_RUN_PRICE", 1000)
    sim = _simulator(tmp_path, "auto")
    _talk(sim, 90)
    assert sim.programs["verdict"].engine == "reference"
    assert sim.programs["verdict"].why_reference == ""


_DISPATCHING = """
from skverdict.dsl import SK_DROP, SK_PASS, ArrayMap, ProgramArray, SkSkb, SockMap, i32, skb_verdict, u64

watched = SockMap(max_entries=4)
seen = ArrayMap(value=u64, max_entries=1)


@skb_verdict
def heavy(skb: SkSkb) -> i32:
    total: u64 = 0
    for index in range(100):
        total += index
    return SK_PASS if total == 4950 else SK_DROP


stages = ProgramArray(max_entries=1, programs=[heavy])


@skb_verdict
def verdict(skb: SkSkb) -> i32:
    stages.tail_call(skb, 0)
    return SK_DROP
"""


def test_programs_that_go_on_in_others_are_left_to_the_interpreter(
    tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "_PATIENCE", 10)
    monkeypatch.setattr(engines, "_RUN_PRICE", 0)
    monkeypatch.setattr(engines, "_CALL_PRICE", 0)
    sim = _simulator(tmp_path, "auto", _DISPATCHING)
    received, _, _ = _talk(sim, 9)
    assert len(received) == 9 * 12 - 3
    assert sim.programs["verdict"].engine == "reference"
    assert sim.programs["verdict"].why_reference == ""


def test_an_engine_that_there_is_not_is_refused(tmp_path: object) -> None:
    with pytest.raises(Exception, match="engine 'fast' is none of auto, native, reference"):
        _simulator(tmp_path, "fast")


def test_a_batch_gives_each_run_what_it_would_have_had_alone() -> None:
    text = """
        r2 = *(u32 *)(r1 + 76)
        r3 = *(u32 *)(r1 + 80)
        r0 = r2
        r0 += 4
        if r0 > r3 goto short
        r0 = *(u32 *)(r2 + 0)
        r1 = *(u32 *)(r1 + 0)
        r0 += r1
        exit
    short:
        r0 = *(u8 *)(r2 + 1)
        exit
    """
    surroundings = environment()
    program = loaded(assemble(_program(text)), surroundings=surroundings)
    code = engine.compile_program(program, "__sk_buff", {}, {}, surroundings)
    packets = (b"\x01\0\0\0", b"ab", b"a", b"\x02\0\0\0more")
    contexts = [TestContext(packet=packet, len=10 * place) for place, packet in enumerate(packets)]
    one, two, three, four = engine.run_batch(code, contexts, surroundings)
    assert [(one.value, one.instructions), two.value, four.value] == [(1, 9), ord("b"), 32]  # type: ignore[union-attr]
    assert isinstance(three, Fault)
    assert three.reason == "the packet has 1 bytes; bytes 1..1 are outside"


_PULLING = """
    r6 = r1
    r2 = 4
    call bpf_skb_pull_data
    r7 = *(u32 *)(r6 + 76)
    r0 = *(u32 *)(r6 + 80)
    r0 -= r7
    exit
"""


def _pull(call: object, context: TestContext, length: int) -> int:
    """Makes the packet longer where it lies."""
    assert isinstance(context.content, bytearray)
    context.content += bytes(length)
    return 0


def test_runs_of_a_batch_on_one_packet_find_it_as_those_before_have_left_it() -> None:
    surroundings = environment(helpers={"bpf_skb_pull_data": _pull})
    program = loaded(assemble(_program(_PULLING)), surroundings=surroundings)
    code = engine.compile_program(program, "__sk_buff", {}, {}, surroundings)
    contexts = [TestContext(packet=bytes(8)) for _ in range(4)]
    for context in contexts[1:]:
        context.content = contexts[0].content
    outcomes = engine.run_batch(code, contexts, surroundings)
    assert [outcome.value for outcome in outcomes if isinstance(outcome, Result)] == [12, 16, 20, 24]


def test_code_that_has_run_for_long_is_made_fast_and_does_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiers, "PATIENCE", 5000)
    surroundings = environment()
    program = loaded(assemble(_program(_SUM)), surroundings=surroundings)
    code = engine.compile_program(program, "__sk_buff", {}, {}, surroundings)
    entries, values = [], set()
    for _ in range(4):
        entries.append(code.machine.entry)
        values.add(engine.run(code, TestContext(), surroundings)[:2])
    assert entries[0] is entries[1]
    assert entries[1] is not entries[2]
    assert entries[2] is entries[3]
    assert values == {(500500, 3003)}
    again = engine.compile_program(program, "__sk_buff", {}, {}, surroundings)
    first = again.machine.entry
    again.machine.improve()
    assert again.machine.entry is first, "the fast one is on disk"


def test_more_calls_than_native_code_has_room_for_are_told_in_their_order() -> None:
    rounds = layout.MAX_CALLS + 5
    text = f"""
        r6 = {rounds}
        *(u32 *)(r10 - 8) = 0
    again:
        r1 = map[values] ll
        r2 = r10
        r2 += -8
        call bpf_map_lookup_elem
        r1 = r6
        r1 &= 3
        *(u32 *)(r10 - 8) = r1
        r6 += -1
        if r6 != 0 goto again
        r0 = 0
        exit
    """
    surroundings = environment()
    object_ = assemble(f'license "GPL"\nmap values array key 4 value 8 max_entries 3 flags 0\n{_program(text)[14:]}')
    maps = {"values": ArrayMap(spec("values", 4, 8, 3))}
    program = load(object_, "main", maps, {}, surroundings)
    code = engine.compile_program(program, "__sk_buff", maps, {}, surroundings)
    expected = run(program, TestContext(), surroundings)
    for _ in range(2):
        found = engine.run(code, TestContext(), surroundings)
        assert found[:2] == expected[:2]
        assert list(found.calls) == list(expected.calls)
