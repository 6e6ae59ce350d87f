"""`print` in a program prints what it prints in Python."""

from __future__ import annotations

import io
from contextlib import redirect_stdout
from random import Random

import pytest
from skverdict.codegen import Target
from skverdict.dsl import be32, i8, i16, i32, i64, u8, u16, u32, u64
from skverdict.runtime.machine.load import data_memory, load
from skverdict.runtime.machine.run import run

from tests.dsl.policy_kit import Machine, compiled, errors, machine, operations, program, program_text
from tests.runtime.machine_kit import TestContext, environment

TYPES = {type_.__name__: type_ for type_ in (u8, u16, u32, u64, i8, i16, i32, i64)}
NUMBERS = (0, 1, 9, 10, 255, 256, 65535, 0x7FFFFFFF, 0x80000000, 0xDEADBEEF, 0xFFFFFFFF)


def printed(built: Machine, **fields: object) -> list[str]:
    """The lines that a run prints."""
    surroundings = environment()
    context = TestContext(built.object.programs["program"].kind, b"", None, **fields)
    loaded = load(built.object, "program", built.maps, data_memory(built.object), surroundings)
    run(loaded, context, surroundings)
    return surroundings.printed


def python(line: str, **fields: object) -> list[str]:
    """What Python prints."""
    output = io.StringIO()
    context = type("Context", (), fields)()
    with redirect_stdout(output):
        exec(line, {**TYPES, "be32": be32, "ctx": context, "WHO": "me"})
    return output.getvalue().removesuffix("\n").split("\n")


def random_line(random: Random) -> str:
    """A `print` of some numbers in some formats."""
    parts = []
    for _ in range(random.choice((1, 2, 3, 4, 7))):
        name = random.choice(list(TYPES))
        width = random.randint(1, 20)
        formats = ["", ":d", f":{width}", f":0{width}", f":<{width}"]
        if name[0] == "u":
            formats += [":x", ":X", ":#x", ":08x", ":#012X", ":4x", ":<9x"]
        else:
            formats += [":+", ":+8", ":+09d", ": d"]
        parts.append(f"{random.choice(('', '%', 'n=', ' '))}{{{name}(ctx.hash){random.choice(formats)}}}")
    return f'print(f"{random.choice((" ", "; ")).join(parts)}")'


@pytest.mark.parametrize("target", (Target("v1"), Target("v3"), Target("v4", "big")), ids=repr)
def test_random_lines(target: Target) -> None:
    random = Random(4)
    lines = [random_line(random) for _ in range(40)]
    built = Machine(compiled(program_text("\n".join([*lines, "return 0"]))), target)
    for number in NUMBERS:
        expected = [text for line in lines for text in python(line, hash=number)]
        assert printed(built, hash=number) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('print("100% of", 3, WHO)', "100% of 3 me"),
        ('print(f"{ctx.remote_ip4:ip} {ctx.remote_ip4.host():x}")', "127.0.0.1 7f000001"),
        ('print(f"{be32(0x01020304):ip} {True} {WHO:>4} {5:03}")', "1.2.3.4 True   me 005"),
        ('print(f"{ctx.hash=}")', "ctx.hash=65"),
        ('print(f"{{{u8(ctx.hash):c}}}")', "{A}"),
        ('print(ctx.hash, f"{ctx.hash:x}", "end")', "65 41 end"),
    ],
)
def test_lines(line: str, expected: str) -> None:
    address = be32(0x7F000001)
    assert python(line, hash=65, remote_ip4=address) == [expected]
    built = machine(f"{line}\nreturn 0", before='WHO = "me"')
    assert printed(built, hash=65, remote_ip4=address.host()) == [expected]


def test_a_byte_of_the_packet_is_printed_after_its_test() -> None:
    body = 'b = ctx.data[0]\nif b is not None:\n    print(f"{b}")\nreturn 0'
    assert printed(machine(body)) == []


def test_few_numbers_take_the_simple_helper() -> None:
    def helpers(line: str) -> list[object]:
        found = operations(program(f"{line}\nreturn 0"), "call.helper")
        return [operation.attributes["helper"] for operation in found]

    assert helpers("print(ctx.len, ctx.len, ctx.len)") == ["bpf_trace_printk"]
    assert helpers("print(ctx.len, ctx.len, ctx.len, ctx.len)") == ["bpf_trace_vprintk"]


def test_printing_needs_a_license() -> None:
    text = 'LICENSE = "MIT"\n' + program_text('print("x")\nreturn 0')
    (found,) = errors(text)
    assert found.message == "`bpf_trace_printk` needs a GPL-compatible license, not 'MIT'"
