"""Structures of the running kernel, `c_types(..., core=True)`: what is read of them, and what is refused."""

from __future__ import annotations

import pytest
from skverdict.dsl import Struct, c_types
from skverdict.dsl.ir.kernel_path import PathError, follow
from skverdict.dsl.ir.text import parse_module, print_module
from skverdict.dsl.ir.types import BE16, I32, U8, Opaque, Pointer, Space, lay_out
from skverdict.dsl.layout import LayoutError, type_of

from tests.dsl.policy_kit import body_errors, compiled, errors, program_text

BEFORE = '''
from skverdict.dsl.helpers import bpf_get_current_task_btf, bpf_probe_read_kernel, bpf_skc_to_tcp_sock

class Name(Struct):
    text: Array[u8, 16]

names = ArrayMap(value=Name, max_entries=1)
kernel = c_types("""
struct cred { unsigned int uid; unsigned int secure : 1; };
struct task_struct {
    char comm[16];
    int tgid;
    struct task_struct *parent;
    struct cred cred;
    void *stack;
    struct mm_struct *mm;
    unsigned frozen : 1;
    union { __be16 left; unsigned char right; };
    int table[2][3];
};
""", core=True)
'''


def loads(body: str) -> list[tuple[str, str]]:
    """The path and type of each read of a program for messages, whose task is `task`."""
    body = f"task = bpf_get_current_task_btf()\n{body}\nreturn SK_PASS"
    module = compiled(program_text(body, "msg_verdict", BEFORE)).module
    (function,) = (one for one in module.functions if one.name == "program")
    assert parse_module(print_module(module)) == module
    return [
        (f"{operation.name.removeprefix('kernel.')} {operation.attributes['field']}", str(operation.result.type))
        for block in function.blocks
        for operation in block.operations
        if operation.name.startswith("kernel.") and operation.result is not None
    ]


@pytest.mark.parametrize(
    ("body", "read"),
    [
        ("x = task.tgid", [("load tgid", "i32")]),
        ("x = task.cred.uid", [("load cred.uid", "u32")]),
        ("cred = task.cred\nx = cred.uid", [("load cred.uid", "u32")]),
        ("x = task.comm[15]", [("load comm.15", "u8")]),
        ("for i in (1, 3):\n    x = task.comm[i]", [("load comm.1", "u8"), ("load comm.3", "u8")]),
        ("x = task.table[1][2]", [("load table.1.2", "i32")]),
        ("x = task.left == be16(80)", [("load left", "be16")]),
        ("x = task.right", [("load right", "u8")]),
        ("x = len(task.comm)", []),
        ("x = task.stack", [("load stack", "u64")]),
        ("x = task.mm is None", [("load mm", "ptr?<object mm_struct>")]),
        ("if hasattr(task.cred, \"uid\"):\n    x = task.tgid", [("exists cred.uid", "bool"), ("load tgid", "i32")]),
        (
            "if (parent := task.parent) is not None:\n    x = parent.tgid",
            [("load parent", "ptr?<object task_struct>"), ("load tgid", "i32")],
        ),
        (
            "name = Name()\nx = bpf_probe_read_kernel(name.text, 16, task.comm)",
            [("address comm", "u64")],
        ),
    ],
)  # fmt: skip
def test_what_is_read(body: str, read: list[tuple[str, str]]) -> None:
    assert loads(body) == read


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("x = task.tgids", "`task_struct` is declared without a member `tgids`"),
        ("x = task.cred.gid", "`cred` is declared without a member `gid`"),
        ("x = task.parent.tgid", "`task.parent` may be None here"),
        ("x = task.comm[16]", "index 16 is outside of `task.comm` (0 to 15)"),
        ("x = task.comm[msg.size & 7]", "the index of `task.comm` must be a constant"),
        ("x = task.cred[0]", "`task.cred` has members, not elements"),
        ("x = task.comm.startswith(b\"a\")", "`task.comm` is an array in a structure of the kernel"),
        ("x = task.frozen", "`frozen` is a bit-field, which cannot be read from the kernel's structures"),
        ("x = hasattr(task, \"frozen\")", "`frozen` is a bit-field, which cannot be read from the kernel's structures"),
        ("x = u32(task.comm)", "a number is needed here, but this is a part of a structure of the kernel"),
        ("x = task.comm == b\"nginx\"", "a part of a structure of the kernel"),
        ("x = task.comm[0:4] == b\"ngin\"", "a part of a structure of the kernel cannot be sliced"),
        ("task.tgid = 3", "a task_struct has no `tgid` that can be assigned"),
        ("task.comm[0] = 3", "cannot"),
        ("x = kernel.task_struct()", "`task_struct` is a structure of the running kernel, which alone makes it"),
        ("x = hasattr(task, \"nothing\")", "`task_struct` is declared without a member `nothing`"),
        ("x = hasattr(msg, \"size\")", "`hasattr` asks a structure of the running kernel"),
        ("x = hasattr(task)", "`hasattr` asks a structure of the running kernel"),
        ("mm = task.mm\nif mm is not None:\n    x = mm.pgd", "`task.mm` is a kernel object of which no member is"),
        ("names.update(0, task.comm)", "a Name, the value of `names`, is needed here"),
        ("bpf_probe_read_kernel(task.comm, 16, task.stack)", "`bpf_probe_read_kernel` needs a structure for `dst`"),
    ],
)  # fmt: skip
def test_what_is_refused(line: str, message: str) -> None:
    body = f"task = bpf_get_current_task_btf()\n{line.replace('msg.', 'ctx.').replace('(msg', '(ctx')}\nreturn SK_PASS"
    found = body_errors(body, "msg_verdict", BEFORE)
    assert len(found) == 1 and message in found[0][2], found


def test_reading_needs_a_license() -> None:
    text = program_text(
        "tcp = bpf_skc_to_tcp_sock(ctx.sk)\nif tcp is None:\n    return SK_PASS\nx = tcp.snd_cwnd\nreturn SK_PASS",
        "msg_verdict",
        """
        from skverdict.dsl.helpers import bpf_skc_to_tcp_sock
        LICENSE = "Proprietary"
        kernel = c_types("struct tcp_sock { unsigned snd_cwnd; };", core=True)
        """,
    )
    assert [one.message for one in errors(text)] == [
        "reading the kernel's structures needs a GPL-compatible license, not 'Proprietary'"
    ]


def test_one_declaration_for_each() -> None:
    before = BEFORE + 'more = c_types("struct task_struct { int pid; };", core=True)\n'
    text = program_text("return SK_PASS", "msg_verdict", before)
    assert [one.message for one in errors(text)] == [
        "the kernel's `task_struct` is declared twice, the second time in `more`"
    ]


def test_the_same_declaration_under_two_names() -> None:
    assert compiled(program_text("return SK_PASS", "msg_verdict", BEFORE + "again = kernel\n"))


def test_a_program_makes_no_such_structure() -> None:
    task = c_types("struct task_struct { int pid; };", core=True).task_struct
    with pytest.raises(LayoutError, match="`task_struct` is a structure of the running kernel, which alone makes it"):
        type_of(task)

    holder = type("Holder", (Struct,), {"__annotations__": {"inner": task}})
    with pytest.raises(LayoutError, match="which alone makes it"):
        type_of(holder)


def test_other_declarations_are_as_without_core() -> None:
    text = "enum state { OPEN = 1 }; struct task_struct { int pid; };\n#define MOST 16\n"
    assert (c_types(text, core=True).MOST, c_types(text, core=True).state.OPEN) == (16, 1)
    plain = c_types(text).task_struct
    assert plain is not c_types(text, core=True).task_struct
    assert type_of(plain).members[0].type == I32


INNER = lay_out("inner", [("low", U8), ("ports", lay_out("ports", [("port", BE16)]))])
OUTER = lay_out("outer", [("inner", INNER), ("next", Pointer(Opaque("outer"), Space.OBJECT, nullable=True))])


def test_paths_count_members_and_bytes() -> None:
    assert follow(OUTER, "inner.ports.port") == (BE16, 2, (0, 1, 0))
    assert follow(OUTER, "next")[1:] == (8, (1,))


@pytest.mark.parametrize("path", ["", "none", "inner.none", "next.inner", "inner.low.0", "inner.0"])
def test_paths_that_lead_nowhere(path: str) -> None:
    with pytest.raises(PathError):
        follow(OUTER, path)


