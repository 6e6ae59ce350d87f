"""What LLVM's BPF backend cannot lower, one by one: each is refused before, with its place, or lowered another way.

LLVM's own error would end the process, or leave a broken object; so everything here is built in a child process, whose
death would be an error of another kind.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from skverdict.codegen import CodegenError, Target, build
from skverdict.codegen.target import CPUS
from skverdict.dsl import PolicyError

from tests.dsl.policy_kit import Machine, compiled, program_text

ENDIANS = ("little", "big")
each_cpu = pytest.mark.parametrize("cpu", CPUS)


def refusal(text: str, cpu: str = "v3") -> str:
    """What is said of a policy, and on which line; its first one is line 2."""
    with pytest.raises(PolicyError) as caught:
        build(compiled(text), Target(cpu), isolate=True)
    first = caught.value.diagnostics[0]
    assert first.file.endswith("policy.py") and first.line > 1
    return f"{first.line}: {first.message}"


def results(body: str, cpu: str, endian: str, numbers: list[tuple[int, int]], before: str = "") -> list[int]:
    """What a body gives for `ctx.len` and `ctx.hash`."""
    policy = compiled(program_text(body, before=before))
    target = Target(cpu, endian)
    assert build(policy, target, isolate=True) == build(policy, target)
    machine = Machine(policy, target)
    return [machine.run(len=first, hash=second) for first, second in numbers]


# Frames: at most 512 bytes, of which LLVM takes some for itself, and of a size that is known.

BUFFER = "class Buffer(Struct):\n    content: Array[u8, {}]\n"
FILLED = "buffer = Buffer()\nif ctx.load_bytes(0, buffer) != 0:\n    return 0\nreturn i32(buffer.content[3])"


@each_cpu
@pytest.mark.parametrize("size", [513, 600, 100_000])
def test_a_frame_that_is_too_large(cpu: str, size: int) -> None:
    text = program_text(FILLED, before=BUFFER.format(size))
    found = refusal(text, cpu)
    assert found.endswith(f"the BPF stack of 512 bytes: its variable 'buffer' has {size} bytes")


@each_cpu
@pytest.mark.parametrize("size", [500, 504, 505, 512])
def test_the_largest_frames(cpu: str, size: int) -> None:
    """From some size on LLVM has no room for what it keeps beside: it says so by the name of the function."""
    policy = compiled(program_text(FILLED, before=BUFFER.format(size)))
    try:
        built = build(policy, Target(cpu), isolate=True)
    except CodegenError as error:
        assert size > 504 and "program does not fit the BPF stack of 512 bytes" in str(error)
    else:
        assert built


@each_cpu
def test_a_frame_that_grows_too_large_by_what_helpers_are_handed(cpu: str) -> None:
    before = BUFFER.format(253) + "entries = ArrayMap(value=Buffer, max_entries=1)\n"
    body = (
        "one = Buffer()\none.content[ctx.len & 127] = 5\ntwo = one.copy()\ntwo.content[0] = 3\n"
        "entries.update(ctx.hash, two)\nentries.update(1, one)\nreturn i32(one.content[3])"
    )
    found = refusal(program_text(body, before=before), cpu)
    assert "program does not fit the BPF stack of 512 bytes: it needs 5" in found


def test_frames_of_functions_that_call_each_other() -> None:
    text = BUFFER.format(300) + (
        "@subprogram\ndef inner(ctx: SkSkb) -> i32:\n    buffer = Buffer()\n"
        "    return i32(ctx.load_bytes(0, buffer)) + i32(buffer.content[3])\n"
    )
    body = "buffer = Buffer()\nx = inner(ctx)\nreturn x + i32(ctx.load_bytes(0, buffer)) + i32(buffer.content[3])"
    assert "this chain of calls does not fit the BPF stack of 512 bytes: program (" in refusal(
        program_text(body, before=text)
    )


def test_a_frame_whose_size_the_program_computes() -> None:
    found = refusal(program_text("x = Array[u8, ctx.len]\nreturn 0"))
    assert found == "4: an array's count must be a positive constant"


# Functions: five arguments of one register each, no structures by value, no more of them than are written.

REFUSED_FUNCTIONS = {
    "def sum(a: u32, b: u32, c: u32, d: u32, e: u32, f: u32) -> u32:\n    return a + b + c + d + e + f\n": (
        "sum(1, 2, 3, 4, 5, 6)", "5 arguments",
    ),
    "def sum(*numbers: u32) -> u32:\n    return 0\n": ("sum(1)", "*"),
    "def sum(a: u32) -> Pair:\n    return Pair(a=a)\n": ("i32(sum(1).a)", "Pair"),
    "def sum(a: float) -> u32:\n    return 0\n": ("i32(sum(1))", "float"),
    "def sum(a: u32) -> u32:\n    return sum(a - 1)\n": ("i32(sum(1))", "comes back to itself"),
}  # fmt: skip


@pytest.mark.parametrize("function", REFUSED_FUNCTIONS)
def test_functions_that_bpf_has_not(function: str) -> None:
    call, word = REFUSED_FUNCTIONS[function]
    before = f"class Pair(Struct):\n    a: u32\n    b: u32\n\n@subprogram\n{function}"
    assert word in refusal(program_text(f"return i32({call})", before=before))


@pytest.mark.parametrize("expression", ["ctx.len / 2", "ctx.len * 1.5", "float(ctx.len)", "ctx.len ** 2"])
def test_floating_point(expression: str) -> None:
    assert refusal(program_text(f"return i32({expression})")).startswith("4: ")


# Division: signed only from v4 on, by 0 with BPF's result, which is none in LLVM; shifts of more than there are bits.

PAIRS = [(first & 0xFFFF_FFFF, second & 0xFFFF_FFFF) for first in (-(2**31), -7, -1, 0, 5, 2**31 - 1)
         for second in (-(2**31), -3, -1, 0, 2, 7)]  # fmt: skip


def signed(number: int, bits: int = 32) -> int:
    number &= (1 << bits) - 1
    return number - (1 << bits) if number >> bits - 1 else number


@each_cpu
@pytest.mark.parametrize("endian", ENDIANS)
@pytest.mark.parametrize("bits", [8, 16, 32, 64])
def test_signed_division_rounds_down(cpu: str, endian: str, bits: int) -> None:
    wide = f"i64(i32(ctx.{{}})) << {bits - 32}" if bits == 64 else f"i{bits}(ctx.{{}})"
    head = f"a = {wide.format('len')}\nb = {wide.format('hash')}\n"
    scale = max(bits - 32, 0)
    quotients = results(f"{head}return i32(a // b >> {scale and 1})", cpu, endian, PAIRS)
    remainders = results(f"{head}return i32(a % b >> {scale})", cpu, endian, PAIRS)
    for (first, second), quotient, remainder in zip(PAIRS, quotients, remainders, strict=True):
        a, b = (signed(signed(one) << scale, bits) for one in (first, second))
        expected = signed(a // b if b else 0, bits)
        assert quotient == signed(expected >> (scale and 1)), (a, b)
        assert remainder == signed((a % b if b else a) >> scale), (a, b)


@each_cpu
@pytest.mark.parametrize("endian", ENDIANS)
@pytest.mark.parametrize("type_", ["u8", "u32", "u64", "i32", "i64"])
def test_a_divisor_that_llvm_knows_to_be_zero(cpu: str, endian: str, type_: str) -> None:
    body = f"n: {type_} = 0\nif ctx.hash > 5:\n    n = {type_}(ctx.hash & 0)\nx = {type_}(ctx.len)\n"
    numbers = [(9, 1), (9, 7), (100, 6)]
    assert results(f"{body}return i32(x // n)", cpu, endian, numbers) == [0, 0, 0]
    assert results(f"{body}return i32(x % n)", cpu, endian, numbers) == [9, 9, 100]


def test_a_divisor_that_is_zero_as_written() -> None:
    assert refusal(program_text("return i32(ctx.len // 0)")).endswith("division by zero")


@each_cpu
@pytest.mark.parametrize("endian", ENDIANS)
@pytest.mark.parametrize(("type_", "bits"), [("u8", 8), ("u32", 32), ("i32", 32), ("u64", 64)])
def test_a_shift_of_more_bits_than_there_are(cpu: str, endian: str, type_: str, bits: int) -> None:
    """The count is taken modulo the width (RFC 9669, section 4.1), also one that LLVM knows."""
    for count, hidden in ((bits + 3, "ctx.hash"), (bits + 3, f"ctx.hash & 0 | {bits + 3}"), (255, "ctx.hash | 255")):
        body = f"n = {hidden}\nreturn i32({type_}(ctx.len) {{}} n)"
        effective = count % bits
        left, right = (
            results(body.format(symbol), cpu, endian, [(100, count)])[0] for symbol in ("<<", ">>")
        )
        assert left == signed((100 << effective) & ((1 << bits) - 1) if bits < 64 else 100 << effective)
        assert right == 100 >> effective


def test_a_shift_of_more_bits_than_there_are_as_written() -> None:
    assert "a shift by 32 is out of range for a u32 (0 to 31)" in refusal(program_text("return i32(ctx.len << 32)"))


# Integers of more than 64 bits, which LLVM makes of these.

def product_overflows(first: int, second: int) -> int:
    a, b = first << 40, second << 30
    return int(a != 0 and (a * b & 2**64 - 1) // a != b)


WIDE: dict[str, Callable[[int, int], int]] = {
    "total: u64 = 0\nfor i in range(min(ctx.len, 100)):\n    total += i * i\nreturn i32(total)": (
        lambda first, second: sum(i * i for i in range(first))
    ),
    "a = u64(ctx.len) << 40\nb = u64(ctx.hash) << 30\nc = a * b\nreturn 1 if a != 0 and c // a != b else 0": (
        product_overflows
    ),
    "return 1 if u64(ctx.len) > 0xffff_ffff_ffff_ffff // u64(ctx.hash) else 0": (
        lambda first, second: int(first > ((2**64 - 1) // second if second else 0))
    ),
}


@each_cpu
@pytest.mark.parametrize("body", WIDE, ids=["a sum of squares", "a product divided", "a test for overflow"])
def test_arithmetic_that_llvm_would_widen(cpu: str, body: str) -> None:
    numbers = [(0, 0), (1, 1), (7, 9), (90, 1 << 30)]
    assert results(body, cpu, "little", numbers) == [WIDE[body](*each) for each in numbers]


# Copies: neither memcpy nor memset can be called, and only small ones become instructions of themselves.


@each_cpu
@pytest.mark.parametrize("size", [2, 127, 480])
def test_copies(cpu: str, size: int) -> None:
    body = (
        "one = Buffer()\nfor i in range(len(one.content)):\n    one.content[i] = u8(ctx.len)\n"
        "two = one.copy()\ntwo.content[0] = 3\nother = entries.lookup(0)\nif other is None:\n    return 0\n"
        "entries.update(0, two)\nreturn i32(other.content[len(other.content) - 1]) + i32(one.content[0])"
    )
    before = BUFFER.format(size // 2) + "entries = ArrayMap(value=Buffer, max_entries=1)\n"
    found = results(body, cpu, "little", [(9, 0)], before)
    assert found == [18 if size > 2 else 12]


def test_a_copy_that_is_too_large() -> None:
    before = BUFFER.format(4096) + "entries = ArrayMap(value=Buffer, max_entries=1)\n"
    body = (
        "entry = entries.lookup(0)\nif entry is None:\n    return 0\n"
        "other = entry.copy()\nreturn i32(other.content[1])"
    )
    assert "its variable 'other' has 4096 bytes" in refusal(program_text(body, before=before))


# Atomics: before v3, none of 32 bits but to add without a look at what was there, and to add with one in no width.

CELLS = "cells = ArrayMap(value={}, max_entries=1)\n"
CELL = "cell = cells.lookup(0)\nif cell is None:\n    return -1\ncell.value = 12\n"
ATOMICS = {
    "atomic_add(cell.value, 5)\nreturn i32(cell.value)": (17, ("v1", "v1")),
    "return i32(atomic_add(cell.value, 5))": (12, ("v3", "v3")),
    "atomic_and(cell.value, 10)\nreturn i32(cell.value)": (8, ("v3", "v1")),
    "atomic_or(cell.value, 3)\nreturn i32(cell.value)": (15, ("v3", "v1")),
    "return i32(atomic_xor(cell.value, 4)) + i32(cell.value)": (20, ("v3", "v1")),
    "return i32(atomic_exchange(cell.value, 9)) + i32(cell.value)": (21, ("v3", "v1")),
    "return i32(atomic_compare_exchange(cell.value, 12, 9)) + i32(cell.value)": (21, ("v3", "v1")),
}


@each_cpu
@pytest.mark.parametrize("type_", ["u32", "u64"])
@pytest.mark.parametrize("operation", ATOMICS)
def test_atomic_operations(cpu: str, type_: str, operation: str) -> None:
    value, (narrow, wide) = ATOMICS[operation]
    since = narrow if type_ == "u32" else wide
    body, before = CELL + operation, CELLS.format(type_)
    if cpu < since:
        found = refusal(program_text(body, before=before), cpu)
        assert f"cpu {cpu} has no atomic " in found and f" of a {type_}" in found
    else:
        assert results(body, cpu, "little", [(0, 0)], before) == [value]


@pytest.mark.parametrize("type_", ["u8", "u16"])
def test_atomic_operations_on_fewer_bits(type_: str) -> None:
    assert refusal(program_text(CELL + "atomic_add(cell.value, 1)\nreturn 0", before=CELLS.format(type_)))


# Branches of more than 16 bits.


def test_a_branch_that_is_too_long() -> None:
    before = "from skverdict.dsl.helpers import bpf_get_prandom_u32\n"
    calls = "\n".join(["    bpf_get_prandom_u32()"] * 32_780)
    text = program_text(f"if ctx.len > 3:\n{calls}\nreturn 0", before=before)
    found = refusal(text)
    assert "instructions, branches reach 32767 before cpu v4" in found
    assert build(compiled(text), Target("v4"), isolate=True)
