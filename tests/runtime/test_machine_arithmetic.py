"""What instructions compute, against Python's own integers."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from skverdict.codegen.instruction import Instruction

from tests.runtime.machine_kit import EXIT, M64, alu, execute, mov, op, wide

EDGES = (0, 1, 2, 7, 31, 32, 63, 64, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 1 << 63, (1 << 63) - 1, M64)
U64 = st.one_of(st.sampled_from(EDGES), st.integers(0, M64))
I32 = st.one_of(st.sampled_from((0, 1, -1, 5, -8, 2**31 - 1, -(2**31))), st.integers(-(2**31), 2**31 - 1))
WIDTH = st.sampled_from((32, 64))


def signed(number: int, bits: int) -> int:
    """`number` modulo 2**bits, between -2**(bits-1) and 2**(bits-1) - 1."""
    return (number + 2 ** (bits - 1)) % 2**bits - 2 ** (bits - 1)


def truncated(left: int, right: int) -> int:
    return math.trunc(Fraction(left, right))


# Each operation on unsigned numbers a and b of n bits; results are taken modulo 2**n.
MEANING: dict[str, Callable[[int, int, int], int]] = {
    "add": lambda a, b, n: a + b,
    "sub": lambda a, b, n: a - b,
    "mul": lambda a, b, n: a * b,
    "div": lambda a, b, n: 0 if b == 0 else truncated(a, b),
    "mod": lambda a, b, n: a if b == 0 else a - b * truncated(a, b),
    "sdiv": lambda a, b, n: 0 if b == 0 else truncated(signed(a, n), signed(b, n)),
    "smod": lambda a, b, n: (
        a if b == 0 else signed(a, n) - signed(b, n) * truncated(signed(a, n), signed(b, n))
    ),
    "or": lambda a, b, n: a + b - (a & b),
    "and": lambda a, b, n: sum(1 << bit for bit in range(n) if a >> bit & 1 and b >> bit & 1),
    "xor": lambda a, b, n: a + b - 2 * (a & b),
    "lsh": lambda a, b, n: a * 2 ** (b % n),
    "rsh": lambda a, b, n: a // 2 ** (b % n),
    "arsh": lambda a, b, n: math.floor(Fraction(signed(a, n), 2 ** (b % n))),
    "mov": lambda a, b, n: b,
}

HOLDS: dict[str, Callable[[int, int, int], bool]] = {
    "jeq": lambda a, b, n: a == b,
    "jne": lambda a, b, n: a != b,
    "jgt": lambda a, b, n: a > b,
    "jge": lambda a, b, n: a >= b,
    "jlt": lambda a, b, n: a < b,
    "jle": lambda a, b, n: a <= b,
    "jset": lambda a, b, n: any(a >> bit & b >> bit & 1 for bit in range(n)),
    "jsgt": lambda a, b, n: signed(a, n) > signed(b, n),
    "jsge": lambda a, b, n: signed(a, n) >= signed(b, n),
    "jslt": lambda a, b, n: signed(a, n) < signed(b, n),
    "jsle": lambda a, b, n: signed(a, n) <= signed(b, n),
}


def value(*instructions: Instruction, endian: str = "little") -> int:
    """r0 after `instructions`."""
    return execute([*instructions, EXIT], endian=endian).value


@pytest.mark.parametrize("name", MEANING)
@given(a=U64, b=U64, bits=WIDTH)
@example(a=1 << 63, b=M64, bits=64)
@example(a=0x80000000, b=0xFFFFFFFF, bits=32)
@example(a=M64 - 12, b=3, bits=64)
def test_operation_on_registers(name: str, a: int, b: int, bits: int) -> None:
    expected = MEANING[name](a % 2**bits, b % 2**bits, bits) % 2**bits
    assert value(wide(0, a), wide(1, b), alu(name, 0, bits, src=1)) == expected


@pytest.mark.parametrize("name", MEANING)
@given(a=U64, b=I32, bits=WIDTH)
def test_operation_with_an_immediate_takes_its_sign_along(name: str, a: int, b: int, bits: int) -> None:
    expected = MEANING[name](a % 2**bits, b % 2**bits, bits) % 2**bits
    assert value(wide(0, a), alu(name, 0, bits, imm=b)) == expected


@given(a=U64, bits=WIDTH)
def test_negation(a: int, bits: int) -> None:
    assert value(wide(0, a), alu("neg", 0, bits)) == -a % 2**bits


@pytest.mark.parametrize(("width", "bits"), [(8, 32), (16, 32), (8, 64), (16, 64), (32, 64)])
@given(a=U64)
def test_sign_extending_move(width: int, bits: int, a: int) -> None:
    assert value(wide(1, a), alu(f"movsx{width}", 0, bits, src=1)) == signed(a, width) % 2**bits


@pytest.mark.parametrize("endian", ["little", "big"])
@pytest.mark.parametrize("bits", [16, 32, 64])
@given(a=U64)
def test_byte_order(endian: str, bits: int, a: int) -> None:
    swapped = int.from_bytes((a % 2**bits).to_bytes(8, "little")[: bits // 8], "big")
    kept = a % 2**bits
    expected = {
        "bswap": swapped,
        "le": kept if endian == "little" else swapped,
        "be": swapped if endian == "little" else kept,
    }
    for name, result in expected.items():
        assert value(wide(0, a), op("byte_order", f"{name}{bits}", dst=0), endian=endian) == result


@pytest.mark.parametrize("name", HOLDS)
@given(a=U64, b=U64, imm=I32, bits=WIDTH)
@example(a=1 << 31, b=1, imm=1, bits=32)
@example(a=1 << 32, b=0, imm=0, bits=32)
def test_conditional_jump(name: str, a: int, b: int, imm: int, bits: int) -> None:
    after = (mov(0, 0), EXIT, mov(0, 1))
    left = a % 2**bits
    by_register = op("jump", name, dst=1, src=2, offset=2, bits=bits)
    assert value(wide(1, a), wide(2, b), by_register, *after) == HOLDS[name](left, b % 2**bits, bits)
    by_number = op("jump", name, dst=1, imm=imm, offset=2, bits=bits)
    assert value(wide(1, a), by_number, *after) == HOLDS[name](left, imm % 2**bits, bits)


@pytest.mark.parametrize("source", ["", "imm"])
def test_both_gotos_skip_what_lies_between(source: str) -> None:
    where = {"imm": 1} if source else {"offset": 1}
    assert value(mov(0, 3), op("goto", "ja", source=source, **where), mov(0, 4)) == 3


def test_wide_instruction_carries_all_64_bits() -> None:
    assert value(wide(0, 0xFEDCBA9876543210)) == 0xFEDCBA9876543210
