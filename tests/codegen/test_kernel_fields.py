"""Members of the kernel's structures in an object: which instruction depends on which, and what it holds so far."""

from __future__ import annotations

import pytest
from skverdict.codegen import Target, build, read_object
from skverdict.codegen.btf import Btf
from skverdict.codegen.btf_ext import CoreRelocation
from skverdict.codegen.instruction_text import instruction_text
from skverdict.codegen.kernel_references import reference_text
from skverdict.codegen.machine import improve
from skverdict.codegen.machine.lift import Unliftable

from tests.dsl.policy_kit import compiled

TASK = """
from skverdict.dsl.helpers import bpf_get_current_task_btf, bpf_probe_read_kernel

class Four(Struct):
    number: u32

kernel = c_types('''
struct cred { unsigned long usage; unsigned int uid; };
struct task_struct {
    char comm[16]; int tgid; struct task_struct *parent; struct cred cred; unsigned short flags;
    char far[32714]; int last; int farther;
};
''', core=True)
"""
ENDS = ("little", "big")
DEFAULT = Target()


def references(body: str, target: Target = DEFAULT) -> list[str]:
    """Each instruction that depends on the kernel, and on what of it."""
    indented = "".join(f"    {line}\n" for line in body.splitlines())
    text = f"{TASK}\n@msg_verdict\ndef program(msg: SkMsg) -> i32:\n    task = bpf_get_current_task_btf()\n{indented}"
    program = read_object(build(compiled(text), target)).programs["program"]
    return [
        f"{instruction_text(program, slot, {}).partition(' ')[2]} | {text}" for slot, text in program.kernel.items()
    ]


@pytest.mark.parametrize("endian", ENDS)
@pytest.mark.parametrize("cpu", ["v1", "v2", "v3", "v4"])
def test_a_load_holds_the_place_itself(cpu: str, endian: str) -> None:
    (found,) = references("return SK_PASS if task.cred.uid == 7 else SK_DROP", Target(cpu, endian))
    assert found.startswith("= *(u32 *)(r")
    assert found.endswith(" + 40) | byte_off struct task_struct::cred.uid (0:3:1)")


def test_a_member_read_twice_is_one_load() -> None:
    found = references("return SK_PASS if task.tgid == 7 or task.tgid > 100 else SK_DROP")
    assert len(found) == 1


def test_a_part_of_a_number_is_taken_from_all_of_it() -> None:
    """A load of less, or from behind the place, would not be what the record says."""
    (found,) = references("return SK_PASS if task.flags >> 8 == 3 else SK_DROP")
    assert found.startswith("= *(u16 *)(r")
    (found,) = references("return SK_PASS if u64(task.cred.usage) >> 32 == 3 else SK_DROP")
    assert found.startswith("= *(u64 *)(r")


@pytest.mark.parametrize("endian", ENDS)
@pytest.mark.parametrize("cpu", ["v1", "v2", "v3", "v4"])
def test_a_place_that_the_offset_of_a_load_has_no_room_for_is_added(cpu: str, endian: str) -> None:
    (near,) = references("return SK_PASS if task.last == 7 else SK_DROP", Target(cpu, endian))
    assert near.endswith(" + 32764) | byte_off struct task_struct::last (0:6)")
    (far,) = references("return SK_PASS if task.farther == 7 else SK_DROP", Target(cpu, endian))
    assert far == "+= 32768 | byte_off struct task_struct::farther (0:7)"


def test_an_address_is_a_sum_whose_constant_is_the_place() -> None:
    (found,) = references(
        "copy = Four()\nbpf_probe_read_kernel(copy, 4, task.cred)\nreturn SK_PASS if copy.number == 3 else SK_DROP"
    )
    assert found == "+= 32 | byte_off struct task_struct::cred (0:3)"


def test_a_question_is_a_constant() -> None:
    (found,) = references("return SK_PASS if hasattr(task, 'parent') else SK_DROP")
    assert found == "= 1 | field_exists struct task_struct::parent (0:2)"


def test_what_stays_as_llvm_made_it_loads_the_places(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise Unliftable

    monkeypatch.setattr(improve, "lift", refuse)
    assert references("return SK_PASS if task.cred.uid == 7 else SK_DROP") == [
        "= 0x28 ll | byte_off struct task_struct::cred.uid (0:3:1)"
    ]


def test_structures_that_are_not_read_are_not_in_the_object() -> None:
    text = f"{TASK}\n@msg_verdict\ndef program(msg: SkMsg) -> i32:\n    return SK_PASS\n"
    btf = read_object(build(compiled(text))).btf
    assert btf is not None and btf.find("task_struct") is None


def test_words_for_records_of_any_compiler() -> None:
    from skverdict.codegen.btf import BtfBuilder
    from skverdict.codegen.btf_types import Member

    builder = BtfBuilder()
    number = builder.integer("int", 4)
    inner = builder.union("", 4, [Member("a", number, 0), Member("b", number, 0)])
    outer = builder.struct("outer", 8, [Member("", inner, 0), Member("c", builder.array(number, number, 1), 32)])
    choice = builder.enum("choice", [("FIRST", 0), ("SECOND", 1)])
    btf: Btf = builder.build()
    words = {
        ("0:0:1", outer, 1): "byte_sz struct outer::b (0:0:1)",
        ("0:1:0", outer, 0): "byte_off struct outer::c[0] (0:1:0)",
        ("0:7", outer, 0): "byte_off struct outer (0:7)",
        ("0", outer, 9): "type_size struct outer (0)",
        ("1", choice, 11): "enumval_value enum choice::SECOND (1)",
        ("2", choice, 11): "enumval_value enum choice (2)",
        ("0", number, 99): "kind 99 int (0)",
    }
    for (access, type_id, kind), text in words.items():
        assert reference_text(btf, CoreRelocation(0, type_id, access, kind)) == text
