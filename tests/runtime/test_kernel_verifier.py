"""The verifier's log becomes an error that points at the policy's line; logs are those of real kernels."""

from __future__ import annotations

import errno

import pytest
from skverdict.codegen.object import Object, Program, SourceLine
from skverdict.runtime.kernel.explanations import EXPLANATIONS, explanation
from skverdict.runtime.kernel.verifier import VerifierError, read_log, rejection

LINES = {
    0: SourceLine("policy.py", 10, 5, "    value = counts.lookup(0)"),
    7: SourceLine("policy.py", 11, 9, "    value.count += 1"),
}
PROGRAM = Program("verdict", "sk_skb/stream_verdict", "stream_verdict", {}, lines=LINES)
SOURCE = Object("little", "GPL", {"verdict": PROGRAM}, {})

LOOKUP_6_1 = """\
0: R1=ctx(off=0,imm=0) R10=fp0
; u32 k = 0;
0: (b4) w1 = 0                        ; R1_w=0
1: (63) *(u32 *)(r10 -4) = r1         ; R1_w=0 R10=fp0 fp-8=0000????
4: (18) r1 = 0xffff8e2b5ff8bc00       ; R1_w=map_ptr(off=0,ks=4,vs=16,imm=0)
6: (85) call bpf_map_lookup_elem#1    ; R0_w=map_value_or_null(id=1,off=0,ks=4,vs=16,imm=0)
; v->count++;
7: (79) r1 = *(u64 *)(r0 +0)
R0 invalid mem access 'map_value_or_null'
processed 7 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0
"""

PULL_7_2 = """\
2: (61) r6 = *(u32 *)(r1 +76)         ; R1=ctx() R6=pkt(r=0)
5: (2d) if r3 > r2 goto pc+6          ; R2=pkt_end() R3=pkt(r=4,imm=4)
7: (85) call bpf_skb_pull_data#39     ;
8: (71) r1 = *(u8 *)(r6 +0)
R6 invalid mem access 'scalar'
processed 9 insns (limit 1000000) max_states_per_insn 0 total_states 1 peak_states 1 mark_read 0
"""

LEAK_7_2 = """\
4: (85) call bpf_ringbuf_reserve#131          ; R0=ringbuf_mem_or_null(id=2,sz=8) refs=2
9: (55) if r1 != 0x0 goto pc+1 11: R0=1 R10=fp0 refs=2
11: (95) exit
Unreleased reference id=2 alloc_insn=4
BPF_EXIT instruction in main prog would lead to reference leak
processed 11 insns (limit 1000000) max_states_per_insn 0 total_states 1 peak_states 1 mark_read 0
"""

LOOP_7_2 = """\
4: (61) r1 = *(u32 *)(r10 -4)         ; R1=scalar(smin=0,smax=umax=0xffffffff,var_off=(0x0; 0xffffffff))
7: (56) if w1 != 0x0 goto pc-4        ; R10=fp0 fp-8=mmmmpppp
6: (61) r1 = *(u32 *)(r10 -4)
infinite loop detected at insn 7
cur state: R1=scalar(smin=0,smax=umax=0xffffffff,var_off=(0x0; 0xffffffff)) R10=fp0 fp-8=mmmmpppp
old state: R1=scalar(smin=0,smax=umax=0xffffffff,var_off=(0x0; 0xffffffff)) R10=fp0 fp-8=mmmmpppp
processed 24 insns (limit 1000000) max_states_per_insn 0 total_states 2 peak_states 2 mark_read 0
"""

PACKET_6_1 = """\
0: (61) r1 = *(u32 *)(r1 +76)         ; R1_w=pkt(off=0,r=0,imm=0)
1: (71) r1 = *(u8 *)(r1 +0)
invalid access to packet, off=0 size=1, R1(id=0,off=0,r=0)
R1 offset is outside of the packet
processed 2 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0
"""

STACK_6_1 = """\
combined stack size of 2 calls is 640. Too large
processed 26 insns (limit 1000000) max_states_per_insn 0 total_states 1 peak_states 1 mark_read 1
"""


#: What libbpf prints of a refusal, whose log goes to a buffer of its caller.
SAID = (
    "libbpf: prog 'verdict': BPF program load failed: Permission denied\n"
    "libbpf: prog 'verdict': failed to load: -13\nlibbpf: failed to load object 'policy'\n"
)


def test_the_error_tells_place_register_and_meaning() -> None:
    error = rejection(SOURCE, SAID, LOOKUP_6_1, errno.EACCES)

    assert isinstance(error, VerifierError)
    assert (error.file, error.line, error.column) == ("policy.py", 11, 9)
    assert error.reason == "R0 invalid mem access 'map_value_or_null'"
    assert error.instruction == "7: r1 = *(u64 *)(r0 +0)"
    assert error.registers == {"R0": "map_value_or_null(id=1,off=0,ks=4,vs=16,imm=0)"}
    assert error.log == LOOKUP_6_1
    text = str(error).splitlines()
    assert text[0].startswith("policy.py:11:9: error: the verifier refuses verdict: R0 invalid mem access")
    assert text[1] == " 11 |     value.count += 1"
    assert "test it with `is None`" in str(error)


def test_a_pointer_that_a_call_ended_is_told_as_it_was() -> None:
    assert read_log(PULL_7_2).registers == {"R6": "scalar, before the call pkt(r=0)"}


def test_what_is_never_given_back_is_shown_where_it_was_taken() -> None:
    error = rejection(SOURCE, SAID, LEAK_7_2, errno.EINVAL)

    assert error is not None
    assert error.instruction == "11: exit"
    assert "policy.py:10:5: note: it was taken here" in str(error)


def test_a_loop_is_shown_where_it_comes_back() -> None:
    complaint = read_log(LOOP_7_2)

    assert complaint.slot == 7
    assert complaint.text == "if w1 != 0x0 goto pc-4"


def test_the_more_telling_of_two_messages_counts() -> None:
    assert read_log(PACKET_6_1).message == "invalid access to packet, off=0 size=1, R1(id=0,off=0,r=0)"


def test_what_is_wrong_with_the_whole_is_shown_at_its_beginning() -> None:
    error = rejection(SOURCE, SAID, STACK_6_1, errno.EACCES)

    assert error is not None
    assert (error.line, error.instruction, error.registers) == (10, "", {})
    assert "512 bytes" in error.explanation


def test_a_program_that_the_object_does_not_know() -> None:
    error = rejection(Object("little", "GPL", {}, {}), SAID, LOOKUP_6_1, errno.EACCES)

    assert error is not None
    assert (error.file, error.line) == ("", 0)
    assert str(error).startswith("the verifier refuses verdict: R0 invalid")


def test_a_log_that_did_not_fit_says_so() -> None:
    error = rejection(SOURCE, SAID, "0: (b4) w1 = 0 ; R1_w=0\n1: (63) *(u3", errno.ENOSPC)

    assert error is not None
    assert error.reason.startswith("the log ends in the middle")
    assert "every path" in error.explanation


def test_other_words_of_libbpf_are_no_refusal() -> None:
    assert rejection(SOURCE, "libbpf: map 'a': failed to create: Invalid argument(-22)\n", "", 22) is None


def test_a_program_that_did_not_come_to_the_verifier_is_not_refused_by_it() -> None:
    assert rejection(SOURCE, SAID, "", errno.EPERM) is None


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("R1 invalid mem access 'sock_or_null'", "NULL"),
        ("R1 unbounded memory access, make sure to bounds check any such access", "bounds it"),
        ("R2 min value is negative, either use unsigned or 'var &= const'", "bounds it"),
        ("BPF program is too large. Processed 1000001 insn", "million steps"),
        ("program of this type cannot use helper bpf_sk_release#86", "programs of this kind"),
        ("unknown func bpf_sk_storage_get#107", "programs of this kind"),
        ("invalid bpf_context access off=0 size=4", "no such field"),
        ("back-edge from insn 5 to 2", "never end"),
        ("invalid indirect read from stack R2 off -16+8 size 16", "before anything was put there"),
        ("cannot call GPL-restricted function from non-GPL compatible program", "GPL"),
        ("math between map_value pointer and register with unbounded min value is not allowed", "bounds it"),
        ("R4 invalid zero-sized read: u64=[0,16]", "can be 0"),
    ],
)
def test_frequent_messages_are_explained(message: str, words: str) -> None:
    found = explanation(message)

    assert found is not None
    assert words in found.meaning


def test_an_unknown_message_stands_alone() -> None:
    error = VerifierError("verdict", PROGRAM, "0: (95) exit\nsomething new\nprocessed 1 insns\n")

    assert error.reason == "something new"
    assert error.explanation == ""
    assert "help" not in str(error)


def test_every_explanation_can_be_reached() -> None:
    assert len({each.pattern.pattern for each in EXPLANATIONS}) == len(EXPLANATIONS)
