"""The text form: printed and parsed back to the same module, and refused with a place when malformed."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skverdict.dsl.ir.check import check_module
from skverdict.dsl.ir.module import Block, Function, Local, Location, Map, Module, Operation, Parameter, Value
from skverdict.dsl.ir.text import MAX_NESTING, IrSyntaxError, parse_module, print_module
from skverdict.dsl.ir.types import BE32, BOOL, I32, U32, U64, Opaque, Pointer, Space, lay_out

from tests.dsl.ir_modules import ANY_TEXT, modules

QUICK = settings(max_examples=60, deadline=None, derandomize=True)


@QUICK
@given(modules())
def test_a_well_formed_module_comes_back_from_its_text(module: Module) -> None:
    check_module(module)
    assert parse_module(print_module(module)) == module


@QUICK
@given(modules(ANY_TEXT))
def test_names_of_any_characters_come_back(module: Module) -> None:
    assert parse_module(print_module(module)) == module


def redirect_module() -> Module:
    def at(line: int, column: int, file: str = "redirect.py") -> Location:
        return Location(file, line, column)

    key = lay_out("Key", [("address", BE32), ("port", U32)])
    context = Value(0, Pointer(Opaque("__sk_buff"), Space.CONTEXT))
    address = Value(1, Pointer(key, Space.STACK))
    member = Value(2, Pointer(U32, Space.STACK))
    port = Value(3, U32)
    wanted = Value(4, U32)
    same = Value(5, BOOL)
    result = Value(6, I32)
    entry = Block(
        "entry",
        [
            Operation("local.zero", (), {"local": "key"}, location=at(13, 5)),
            Operation("local.address", (), {"local": "key"}, address),
            Operation("member", (address,), {"name": "port"}, member),
            Operation("context.load", (context,), {"field": "local_port"}, port, location=at(14, 16)),
            Operation("store", (member, port), location=at(14, 5)),
            Operation("const", (), {"value": 443}, wanted, location=at(3, 8, "ports.py")),
            Operation("eq", (port, wanted), {}, same),
            Operation("branch", (same,), {}, None, ("then", "else.1")),
        ],
    )
    then = Block("then", [Operation("switch", (port,), {"case0": 80}, None, ("else.1", "else.1"))])
    other = Block("else.1", [Operation("const", (), {"value": -1}, result), Operation("return", (result,))])
    function = Function(
        "verdict", "stream_verdict", (Parameter("skb", context),), I32, [Local("key", key)],
        [entry, then, other], at(11, 1),
    )  # fmt: skip
    sockets = Map("sockets", "sockhash", key, U64, 1024, 4, at(9, 1))
    queue = Map("waiting", "queue", None, U64, 8)
    return Module("redirect.py", "GPL", [key], [sockets, queue], [function])


REDIRECT = """\
policy "redirect.py" license "GPL"

struct Key size 8 align 4 {
  +0 address: be32
  +4 port: u32
}

map @sockets: sockhash key struct Key value u64 entries 1024 flags 0x4 at 9:1
map @waiting: queue value u64 entries 8

stream_verdict @verdict(%0 skb: ptr<context __sk_buff>) -> i32 at 11:1 {
  local $key: struct Key
^entry:
  local.zero $key                                                at 13:5
  %1: ptr<stack struct Key> = local.address $key
  %2: ptr<stack u32> = member %1, .port
  %3: u32 = context.load %0, .local_port                         at 14:16
  store %2, %3                                                   at 14:5
  %4: u32 = const 443                                            at "ports.py" 3:8
  %5: bool = eq %3, %4
  branch %5, ^then, ^else.1
^then:
  switch %3, ^else.1, 80: ^else.1
^else.1:
  %6: i32 = const -1
  return %6
}
"""


def test_the_text_reads_well() -> None:
    assert print_module(redirect_module()) == REDIRECT


def test_spaces_comments_and_line_ends_are_free() -> None:
    text = REDIRECT.replace("\n", "  // here\r\n\n").replace(", ", "  ,\t").replace("443", "0x1bb")
    assert parse_module("\n\n" + text + "\n\n") == redirect_module()


def test_a_text_may_end_without_a_line_end() -> None:
    assert parse_module(REDIRECT.rstrip()) == redirect_module()


def test_structs_may_be_declared_in_any_order() -> None:
    text = (
        'policy "p" license "GPL"\n'
        "struct Outer size 8 align 4 {\n+0 inner: struct Inner\n}\n"
        "struct Inner size 8 align 4 {\n+0 words: [u32; 2]\n}\n"
    )
    outer, inner = parse_module(text).structs
    assert outer.members[0].type == inner


def test_names_that_are_words_of_types_are_quoted() -> None:
    names = ["u32", "struct", "ptr", "void", "a b", "", "\ud800"]
    module = Module("p", "GPL")
    for number, name in enumerate(names):
        value = Value(number, Pointer(Opaque(name), Space.SOCKET))
        module.functions.append(Function(name, "map", (Parameter(name, value),), I32))
    assert parse_module(print_module(module)) == module


def test_printing_does_not_import_lark() -> None:
    program = (
        "import sys\n"
        "from skverdict.dsl.ir.module import Module\n"
        "from skverdict.dsl.ir.text import print_module\n"
        "print_module(Module('p', 'GPL'))\n"
        "assert 'lark' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


HEADER = 'policy "p" license "GPL"\n'
FUNCTION = HEADER + "subprogram @f(%0 a: u32) -> u32 {\n^entry:\n"
STRUCT = HEADER + "struct A size 4 align 4 {\n"


@pytest.mark.parametrize(
    ("text", "line", "column", "problem"),
    [
        ("", 1, 1, "expected `policy`, found the end of the text"),
        ("policy p", 1, 8, "expected a string, found `p`"),
        (HEADER + "map @m: hash entries many", 2, 22, "expected a number, found `many`"),
        (HEADER + "map @m: hash entries 4 4", 2, 24, "found `4`"),
        (HEADER + "map m: hash", 2, 5, "expected a name `@...`, found `m`"),
        (HEADER + "}", 2, 1, "found `}`"),
        (HEADER + 'map @m: "ha\\q" entries 4', 2, 9, "expected a string with JSON's escapes"),
        (HEADER + "struct A size 4 {", 2, 17, "expected `align`, found `{`"),
        (STRUCT + "  x: u32\n}", 3, 3, "an offset `+n`"),
        (STRUCT + "  +0 x: struct B\n}", 3, 16, "struct B is not declared"),
        (STRUCT + "  +0 x: struct A\n}", 3, 16, "struct A would contain itself"),
        (STRUCT + "}\nstruct A size 4 align 4 {\n}", 4, 8, "struct A is declared twice"),
        (STRUCT + "  +0 x: ptr<heap u32>\n}", 3, 13, "expected a memory space (stack, packet, "),
        (STRUCT + f"  +0 x: {'ptr<stack ' * 5000}u32{'>' * 5000}\n}}", 3, 643, "nest more than 64 deep"),
        (STRUCT + "  +0 x: [u32; 1000000000000000000000000000]\n}", 3, 15, "a number of 64 bits"),
        (FUNCTION + "  return %0", 4, 12, "found the end of the text"),
        (FUNCTION + "  return %1\n}", 4, 10, "%1 is not defined in this function"),
        (FUNCTION + "  %0: u32 = const 1\n}", 4, 3, "%0 is defined twice"),
        (FUNCTION + "  retrun %0\n}", 4, 3, "expected an operation, found `retrun`"),
        (FUNCTION + "  %1: u32 = const\n  const 1 1\n}", 5, 11, "found `1`"),
        (FUNCTION + "  const 1, 1\n}", 4, 12, "the value of `const` is given twice"),
        (FUNCTION + "  local.get .x\n}", 4, 13, "`local.get` has nothing that is written like `.x`"),
        (FUNCTION + "  switch %0, 1: ^a, ^b\n}", 4, 14, "expected the default `^...` before the cases"),
        (FUNCTION + "  switch %0, ^a, 1: ^b, ^c\n}", 4, 25, "expected a case `number: ^...`"),
        (FUNCTION + "  packet.view %0, offset=1, offset=1\n}", 4, 29, "the offset of `packet.view`"),
        (FUNCTION + "  return %0 at 1\n}", 4, 17, "expected `:`, found the end of the line"),
        (FUNCTION + "  return ?\n}", 4, 10, "found `?`"),
    ],
)
def test_a_malformed_text_is_refused_with_its_place(text: str, line: int, column: int, problem: str) -> None:
    with pytest.raises(IrSyntaxError) as caught:
        parse_module(text)
    error = caught.value
    assert (error.line, error.column) == (line, column)
    assert problem in error.problem


def test_the_message_shows_the_line_and_a_caret() -> None:
    with pytest.raises(IrSyntaxError) as caught:
        parse_module(HEADER + "\tmap @m:\thash entries many")
    assert str(caught.value) == (
        "line 2, column 23: expected a number, found `many`\n"
        "\tmap @m:\thash entries many\n"
        "\t       \t             ^"
    )


@pytest.mark.parametrize("inner_first", [False, True])
def test_structs_nested_too_deep_through_each_other_are_refused(inner_first: bool) -> None:
    members = [f"struct S{number + 1}" for number in range(MAX_NESTING)] + ["u8"]
    structs = [f"struct S{n} size 1 align 1 {{\n+0 x: {member}\n}}\n" for n, member in enumerate(members)]
    text = HEADER + "".join(reversed(structs) if inner_first else structs)
    with pytest.raises(IrSyntaxError, match="types nest more than 64 deep"):
        parse_module(text)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.data())
def test_any_change_of_a_text_gives_a_module_or_a_syntax_error(data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(REDIRECT)))
    length = data.draw(st.integers(0, 6))
    pieces = ["%0", "@", "^x", "}", "{", "at", '"', "\\", "\n", "0", "-", ": ", "=", "ptr<", "é"]
    inserted = "".join(data.draw(st.lists(st.sampled_from(pieces), max_size=2)))
    try:
        parse_module(REDIRECT[:start] + inserted + REDIRECT[start + length :])
    except IrSyntaxError as error:
        assert error.line >= 1 and error.column >= 1
