"""Each thing that machine code is made shorter by, and where it must not be."""

from __future__ import annotations

import pytest
from skverdict.codegen import Target
from skverdict.codegen.assembler import assemble
from skverdict.codegen.disassembler import disassemble
from skverdict.codegen.instruction_set import decode_instructions, encode_instructions
from skverdict.codegen.llvm_object import Code, CodeRelocation, CodeSymbol
from skverdict.codegen.machine.code import Branch, Piece, Step
from skverdict.codegen.machine.ends import keep_whole
from skverdict.codegen.machine.facts import edge_fact
from skverdict.codegen.machine.improve import improve
from skverdict.codegen.machine.lift import decode, lift
from skverdict.codegen.machine.shape import join, reachable
from skverdict.codegen.object import MapReference, Program
from skverdict.dsl.ir.module import Function, Map, Module
from skverdict.dsl.ir.types import I32, U32, U64

SECTIONS = {"stream_verdict": "sk_skb/stream_verdict", "msg_verdict": "sk_msg", "sock_ops": "sockops"}
COUNTS = Map("counts", "hash", U32, U64, 8)
HEAD = "map counts hash key 4 value 8 max_entries 8 flags 0\nprogram main {section}\n{body}\n"


def shortened(body: str, kind: str = "stream_verdict", cpu: str = "v3") -> list[str]:
    """The lines of a program, labels left out, after everything was done to it."""
    section = SECTIONS[kind]
    program = assemble(HEAD.format(section=section, body=body)).programs["main"]
    content = encode_instructions(program.instructions, "little")
    relocations = [CodeRelocation(8 * slot, 1, each.map) for slot, each in program.maps.items()]
    given = Code(
        {section: content},
        [CodeSymbol("main", section, 0, len(content), True)],
        {section: relocations},
        {section: []},
    )
    module = Module("policy.py", "GPL", maps=[COUNTS], functions=[Function("main", kind, (), I32)])
    made = improve(given, module, Target(cpu))
    maps = {each.offset // 8: each.symbol for each in made.relocations.get(section, ())}
    object_ = assemble(HEAD.format(section=section, body="exit"))
    object_.programs["main"] = Program(
        "main",
        section,
        kind,
        decode_instructions(made.sections[section], "little"),
        {slot: MapReference(slot, name) for slot, name in maps.items()},
        functions={0: "main"},
    )
    text = disassemble(object_).split("\nmain:\n", 1)[1]
    lines = [line.partition(": ")[2].strip() for line in text.splitlines() if ": " in line]
    return [line.partition(" <L")[0] for line in lines]


LOOKUP = "r2 = r10\nr2 += -4\nr1 = map[counts] ll\ncall bpf_map_lookup_elem#1\n"


def count(lines: list[str], part: str) -> int:
    return sum(part in line for line in lines)


# packet


def test_a_pointer_compared_with_the_end_stays_moved() -> None:
    lines = shortened(
        "r2 = *(u32 *)(r1 + 76)\nr1 = *(u32 *)(r1 + 80)\nr3 = r2\nr3 += 8\nr0 = 0\nif r3 > r1 goto out\n"
        "r0 = *(u32 *)(r2 + 4)\nr1 = *(u8 *)(r2 + 0)\nr0 += r1\nout:\nexit"
    )
    assert count(lines, "+= 8") == 1
    assert any("- 4)" in line for line in lines) and any("- 8)" in line for line in lines)
    assert not any(line.startswith("r3 = r2") for line in lines)


def test_a_pointer_that_is_wanted_as_it_was_is_kept() -> None:
    """The pointer is stored behind the comparison, so the sum needs a register of its own."""
    lines = shortened(
        "r2 = *(u32 *)(r1 + 76)\nr1 = *(u32 *)(r1 + 80)\nr3 = r2\nr3 += 8\nr0 = 0\nif r3 > r1 goto out\n"
        "*(u64 *)(r10 - 8) = r2\nr0 = *(u32 *)(r2 + 4)\nr1 = *(u64 *)(r10 - 8)\nr0 += r1\nout:\nexit"
    )
    assert any(line.endswith("+ 4)") for line in lines)


# stack


def test_a_key_is_not_stored_again_behind_a_lookup() -> None:
    lines = shortened(
        f"r6 = *(u32 *)(r1 + 0)\n*(u32 *)(r10 - 4) = r6\n{LOOKUP}*(u32 *)(r10 - 4) = r6\n{LOOKUP}r0 = 1\nexit"
    )
    assert count(lines, "*(u32 *)(r10 - 4) =") == 1
    assert count(lines, "call") == 2


def test_a_key_is_stored_again_if_a_helper_wrote_there() -> None:
    lines = shortened(
        f"r7 = r1\nr6 = *(u32 *)(r1 + 0)\n*(u32 *)(r10 - 4) = r6\n{LOOKUP}"
        "r1 = r7\nr2 = 0\nr3 = r10\nr3 += -4\nr4 = 4\ncall bpf_skb_load_bytes#26\n"
        f"*(u32 *)(r10 - 4) = r6\n{LOOKUP}r0 = 1\nexit"
    )
    assert count(lines, "*(u32 *)(r10 - 4) =") == 2


def test_what_a_helper_fills_need_not_be_zero_before() -> None:
    fill = "r2 = 0\nr3 = r10\nr3 += -8\nr4 = {size}\ncall bpf_skb_load_bytes#26\nr0 = *(u32 *)(r10 - 8)\nexit"
    body = "r2 = 0\n*(u64 *)(r10 - 8) = r2\n"
    assert count(shortened(body + fill.format(size=8)), "*(u64 *)(r10 - 8) =") == 0
    assert count(shortened(body + fill.format(size=4)), "*(u64 *)(r10 - 8) =") == 0


def test_what_a_helper_reads_and_writes_stays() -> None:
    """`bpf_load_hdr_opt` looks for the kind that it finds in its buffer."""
    lines = shortened(
        "r2 = 253\n*(u64 *)(r10 - 8) = r2\nr2 = r10\nr2 += -8\nr3 = 8\nr4 = 0\ncall bpf_load_hdr_opt#142\n"
        "r0 = 1\nexit",
        "sock_ops",
    )
    assert count(lines, "*(u64 *)(r10 - 8) =") == 1


def test_nothing_is_assumed_of_a_stack_whose_address_is_kept() -> None:
    lines = shortened(
        "r2 = 7\n*(u64 *)(r10 - 8) = r2\nr2 = r10\nr2 += -8\n*(u64 *)(r10 - 16) = r2\n"
        "r3 = *(u64 *)(r10 - 16)\nr0 = *(u64 *)(r3 + 0)\nexit"
    )
    assert count(lines, "*(u64 *)(r10 - 8) =") == 1


# homes


def test_a_number_looked_up_in_both_branches_is_stored_once() -> None:
    lines = shortened(
        "r6 = *(u32 *)(r1 + 0)\nr7 = *(u32 *)(r1 + 68)\nif r7 == 0 goto second\n"
        f"*(u32 *)(r10 - 4) = r6\n{LOOKUP}second:\n*(u32 *)(r10 - 4) = r6\n{LOOKUP}r0 = 1\nexit"
    )
    assert count(lines, "*(u32 *)(r10 - 4) =") == 1


def test_numbers_that_share_a_place_in_turn_stay_apart() -> None:
    lines = shortened(
        "r6 = *(u32 *)(r1 + 0)\nr7 = *(u32 *)(r1 + 68)\n"
        f"*(u32 *)(r10 - 4) = r6\n{LOOKUP}*(u32 *)(r10 - 4) = r7\n{LOOKUP}*(u32 *)(r10 - 4) = r6\n{LOOKUP}"
        "r0 = 1\nexit"
    )
    assert count(lines, "*(u32 *)(r10 - ") == 2


# reload


def test_a_result_on_the_stack_is_loaded_for_the_last_call() -> None:
    lines = shortened(
        "r6 = r1\ncall bpf_get_prandom_u32#7\nw7 = w0\nw7 &= 7\n*(u32 *)(r10 - 4) = r7\n"
        f"{LOOKUP}r1 = r6\nr2 = r7\ncall bpf_skb_pull_data#39\nr0 = 1\nexit"
    )
    assert "r2 = *(u32 *)(r10 - 4)" in lines
    assert not any(line.startswith(("r7", "w7")) for line in lines)


# context


@pytest.mark.parametrize(("offset", "times"), [(92, 1), (136, 1), (0, 2), (76, 2)])
def test_only_what_lasts_is_read_once(offset: int, times: int) -> None:
    """The client's address and the port, but neither length nor data, which pulling may change."""
    lines = shortened(
        f"r6 = r1\nr7 = *(u32 *)(r1 + {offset})\nr2 = 4\ncall bpf_skb_pull_data#39\n"
        f"r0 = *(u32 *)(r6 + {offset})\nr0 ^= r7\nexit"
    )
    assert sum(f"+ {offset})" in line for line in lines) == times


def test_a_field_that_alone_keeps_the_context_is_read_early() -> None:
    lines = shortened(
        f"r6 = r1\nr1 = *(u32 *)(r1 + 136)\n*(u32 *)(r10 - 4) = r1\n{LOOKUP}"
        "r0 = 2\nr1 = *(u32 *)(r6 + 0)\nr0 += r1\nexit"
    )
    assert "r6 = r1" not in lines
    pulled = shortened("r6 = r1\nr2 = 4\ncall bpf_skb_pull_data#39\nr0 = *(u32 *)(r6 + 0)\nexit")
    assert "r6 = r1" in pulled


# registers and moves


def test_the_first_call_takes_the_context_where_it_is() -> None:
    lines = shortened(
        "r6 = r1\nr1 = r6\nr2 = 8\ncall bpf_skb_pull_data#39\n"
        "r1 = r6\nr2 = 9\ncall bpf_skb_pull_data#39\nr0 = 1\nexit"
    )
    assert count(lines, "r1 = r6") == 1


def test_a_result_known_to_be_zero_is_not_set_to_zero() -> None:
    lines = shortened(
        f"r2 = 1\n*(u32 *)(r10 - 4) = r2\n{LOOKUP}if r0 != 0 goto there\nr0 = 0\nexit\nthere:\n"
        "r0 = *(u64 *)(r0 + 0)\nexit"
    )
    assert not any(line in ("r0 = 0", "w0 = 0") for line in lines)


def test_a_result_that_is_not_known_is_set() -> None:
    lines = shortened(
        f"r2 = 1\n*(u32 *)(r10 - 4) = r2\n{LOOKUP}if r0 != 0 goto there\nr0 = 1\nexit\nthere:\n"
        "r0 = *(u64 *)(r0 + 0)\nexit"
    )
    assert "w0 = 1" in lines


# simplify


def test_a_small_number_is_not_extended() -> None:
    body = "r2 = *(u32 *)(r1 + {offset})\nr2 <<= 32\nr2 >>= 32\nr0 = r2\nexit"
    assert count(shortened(body.format(offset=0), cpu="v1"), "<<=") == 0
    wide = "r2 = *(u64 *)(r1 + 0)\nr2 <<= 32\nr2 >>= 32\nr0 = r2\nr0 >>= 1\nexit"
    assert count(shortened(wide, "msg_verdict", cpu="v1"), "<<= 32") == 1


@pytest.mark.parametrize(
    ("load", "mask", "kept"),
    [("u16", 0xFFFF, 0), ("u8", 0xFFFF, 0), ("u16", 0xFF, 1), ("u32", 0xFFFF, 1), ("u8", 0x7F, 1)],
)
def test_a_mask_that_a_load_makes_needless_goes(load: str, mask: int, kept: int) -> None:
    lines = shortened(f"{LOOKUP}if r0 == 0 goto out\nr0 = *({load} *)(r0 + 0)\nr0 &= {mask}\nout:\nexit")
    assert count(lines, "&=") == kept


def test_sock_ops_answers_keep_their_upper_half_known() -> None:
    body = "r2 = *(u64 *)(r1 + 168)\nw0 = w2\nexit"
    assert any(line.startswith("w0 = w") for line in shortened(body, "sock_ops"))
    assert not any(
        line.startswith("w0 = w") for line in shortened("r2 = *(u64 *)(r1 + 0)\nw0 = w2\nexit", "msg_verdict")
    )


# legal


@pytest.mark.parametrize("cpu", ["v1", "v2", "v3"])
def test_constants_go_to_the_stack_at_once_but_not_to_the_context(cpu: str) -> None:
    lines = shortened(f"r2 = 7\n*(u32 *)(r10 - 4) = r2\n{LOOKUP}r0 = 1\nexit", cpu=cpu)
    assert "*(u32 *)(r10 - 4) = 7" in lines
    stored = shortened("r2 = 7\n*(u32 *)(r1 + 32) = r2\nr0 = 1\nexit", cpu=cpu)
    assert not any(line.endswith(" = 7") and line.startswith("*") for line in stored)


# shape


def test_branches_that_end_alike_share_their_ends() -> None:
    lines = shortened(
        "r2 = *(u32 *)(r1 + 0)\nif r2 == 1 goto one\nw3 = 5\nw4 = 6\ncall bpf_ktime_get_ns#5\nw0 = 3\nexit\n"
        "one:\ncall bpf_get_prandom_u32#7\ncall bpf_ktime_get_ns#5\nw0 = 3\nexit"
    )
    assert count(lines, "bpf_ktime_get_ns") == 1


@pytest.mark.parametrize(("memory", "loads"), [("packet", 1), ("context", 2), (("", 7), 2)])
def test_only_loads_through_one_kind_of_pointer_become_one(memory: object, loads: int) -> None:
    """The verifier wants one kind of pointer for an instruction: the packet or the context, not either."""
    start, one, other = Piece(), Piece(), Piece()
    start.branch, start.ways = Branch(0x15, 2, 0, 0), [one, other]
    for piece, kind, number in ((one, "packet", 1), (other, memory, 2)):
        piece.add(Step(0xB7, 1, imm=number), None)
        piece.add(Step(0x61, 0, 1, 4, memory=kind), None)
    pieces = reachable(join(start))
    assert sum(step.opcode == 0x61 for piece in pieces for step in piece.steps) == loads


@pytest.mark.parametrize("cpu", ["v1", "v3"])
def test_a_loop_to_the_start_keeps_what_runs_once_outside(cpu: str) -> None:
    lines = shortened("r0 = 5\nagain:\nr0 += -1\nif r0 != 0 goto again\nexit", cpu=cpu)
    assert count(lines, "= 5") == 1
    assert count(lines, "+= -1") == 1


# what is left alone


def test_what_no_value_stands_for_is_left_as_it_is() -> None:
    body = "r6 = r1\nr0 = *(u16 *)skb[12]\nexit"
    assert shortened(body) == ["r6 = r1", "r0 = *(u16 *)skb[12]", "exit"]


# facts


@pytest.mark.parametrize(
    ("lines", "known"),
    [
        ("r2 = *(u32 *)(r1 + 0)", True),
        ("r2 = *(u32 *)(r1 + 76)", False),
        ("r2 = *(u32 *)(r1 + 80)", False),
        ("r2 = *(u32 *)(r1 + 76)\nr2 += 2", False),
        ("r2 = *(u64 *)(r10 - 8)", False),
    ],
)
def test_what_equals_0_is_known_as_that_unless_it_may_be_a_packet_pointer(lines: str, known: bool) -> None:
    """The verifier goes on with a pointer there, and lets no number be made of it."""
    kind = "stream_verdict"
    text = HEAD.format(section=SECTIONS[kind], body=f"{lines}\nr0 = 1\nif r2 == 0 goto out\nr0 = 2\nout:\nexit")
    slots = decode(encode_instructions(assemble(text).programs["main"].instructions, "little"), "little")
    start = lift(slots, {}, [None] * len(slots), kind, lambda slot: 0).blocks[0]
    assert (edge_fact(start, start.successors[0], kind) is not None) == known


# ends

SHIFTS = "r2 <<= 32\nr2 >>= 32"


@pytest.mark.parametrize(
    ("lines", "kept"),
    [
        (f"r2 = *(u32 *)(r1 + 76)\n{SHIFTS}", 0),
        (f"r2 = *(u32 *)(r1 + 80)\n{SHIFTS}", 0),
        (f"r2 = *(u32 *)(r1 + 80)\nr3 = *(u32 *)(r1 + 0)\nif r3 == 1 goto on\n{SHIFTS}\non:\nr2 = r3", 0),
        (f"r2 = 0\nr3 = *(u32 *)(r1 + 0)\nif r3 == 1 goto on\nr2 = *(u32 *)(r1 + 76)\non:\n{SHIFTS}", 0),
        ("r2 = *(u32 *)(r1 + 76)\nr3 = *(u32 *)(r1 + 80)\nr2 <<= 32\nr3 <<= 32\nr2 >>= 32\nr3 >>= 32", 0),
        (f"r2 = *(u32 *)(r1 + 76)\nr3 = *(u32 *)(r1 + 80)\nr2 -= r3\n{SHIFTS}", 2),
        (f"r2 = *(u32 *)(r1 + 0)\n{SHIFTS}", 2),
        ("r2 = *(u32 *)(r1 + 80)\nr2 <<= 32\nr3 = r2\nr2 >>= 32\nr3 s>>= 32", 3),
    ],
)
def test_what_stays_as_it_was_made_shifts_no_end_of_the_packet(lines: str, kept: int) -> None:
    kind = "stream_verdict"
    text = HEAD.format(section=SECTIONS[kind], body=f"{lines}\nr0 = r2\nexit")
    content = encode_instructions(assemble(text).programs["main"].instructions, "little")
    slots = decode(content, "little")
    changed = keep_whole(lift(slots, {}, [None] * len(slots), kind, lambda slot: 0))
    assert set(changed.values()) <= {None}
    shifts = [slot for slot, (opcode, *_) in enumerate(slots) if opcode in (0x67, 0x77, 0xC7)]
    assert len(shifts) - len(changed) == kept
    assert set(changed) <= set(shifts)


def test_what_stays_as_it_was_made_copies_ends_of_the_packet_whole() -> None:
    text = HEAD.format(section=SECTIONS["stream_verdict"], body="r2 = *(u32 *)(r1 + 76)\nw3 = w2\nr0 = r3\nexit")
    content = encode_instructions(assemble(text).programs["main"].instructions, "little")
    slots = decode(content, "little")
    assert keep_whole(lift(slots, {}, [None] * 4, "stream_verdict", lambda slot: 0)) == {1: 0xBF}
