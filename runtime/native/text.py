"""LLVM's assembly language, a line at a time; and what each operation of the instruction set is in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

#: Weights of a branch that is hardly ever taken, and of one that nearly always is.
_WEIGHTS = {"": "", "rare": ", !prof !0", "usual": ", !prof !1"}
METADATA = """
!0 = !{!"branch_weights", i32 1, i32 100000}
!1 = !{!"branch_weights", i32 100000, i32 1}
"""


class Writer:
    """The lines of one function, and a supply of names, which begin with `prefix`."""

    def __init__(self, prefix: str = "t") -> None:
        self.lines: list[str] = []
        self._prefix = f"%{prefix}"
        self._names = 0

    def name(self) -> str:
        """A name that was not used before."""
        self._names += 1
        return f"{self._prefix}{self._names}"

    def label(self) -> str:
        """As `name`, without the sign."""
        return self.name()[1:]

    def add(self, line: str) -> None:
        """Write an instruction that gives nothing."""
        self.lines.append("  " + line)

    def value(self, line: str) -> str:
        """Write an instruction; the name of what it gives."""
        self._names += 1
        name = f"{self._prefix}{self._names}"
        self.lines.append(f"  {name} = {line}")
        return name

    def begin(self, label: str) -> None:
        """Begin a block."""
        self.lines.append(f"{label}:")

    def load(self, address: str, bits: int = 64) -> str:
        """A number in memory, at any alignment."""
        return self.value(f"load i{bits}, ptr {address}, align 1")

    def store(self, value: str | int, address: str, bits: int = 64) -> None:
        self.add(f"store i{bits} {value}, ptr {address}, align 1")

    def at(self, base: str, offset: int | str) -> str:
        """The address `offset` bytes behind `base`."""
        return self.value(f"getelementptr i8, ptr {base}, i64 {offset}")

    def branch(self, condition: str, then: str, otherwise: str, how_often: str = "") -> None:
        """Go to `then` if the condition holds, which is `rare`, `usual`, or not known."""
        self.add(f"br i1 {condition}, label %{then}, label %{otherwise}{_WEIGHTS[how_often]}")

    def resized(self, value: str, source: int, bits: int, signed: bool = False) -> str:
        """A number of `source` bits as one of `bits`."""
        if source == bits:
            return value
        how = "trunc" if source > bits else "sext" if signed else "zext"
        return self.value(f"{how} i{source} {value} to i{bits}")

    def swapped(self, value: str, bits: int) -> str:
        """A number with its bytes in the other order."""
        return value if bits == 8 else self.value(f"call i{bits} @llvm.bswap.i{bits}(i{bits} {value})")


#: Two operands of a width to the result.
Operation = Callable[[Writer, str, str, int], str]


def _plain(name: str) -> Operation:
    return lambda writer, left, right, bits: writer.value(f"{name} i{bits} {left}, {right}")


def _shift(name: str) -> Operation:
    def write(writer: Writer, left: str, right: str, bits: int) -> str:
        by = writer.value(f"and i{bits} {right}, {bits - 1}")
        return writer.value(f"{name} i{bits} {left}, {by}")

    return write


def _unsigned(name: str, by_zero: Callable[[str], str]) -> Operation:
    def write(writer: Writer, left: str, right: str, bits: int) -> str:
        zero = writer.value(f"icmp eq i{bits} {right}, 0")
        divisor = writer.value(f"select i1 {zero}, i{bits} 1, i{bits} {right}")
        result = writer.value(f"{name} i{bits} {left}, {divisor}")
        return writer.value(f"select i1 {zero}, i{bits} {by_zero(left)}, i{bits} {result}")

    return write


def _signed(name: str, by_zero: Callable[[str], str], by_minus_one: Callable[[Writer, str, int], str]) -> Operation:
    """The processor's division faults where the result does not fit, which only a divisor of -1 can bring
    about."""

    def write(writer: Writer, left: str, right: str, bits: int) -> str:
        zero = writer.value(f"icmp eq i{bits} {right}, 0")
        minus = writer.value(f"icmp eq i{bits} {right}, -1")
        either = writer.value(f"or i1 {zero}, {minus}")
        divisor = writer.value(f"select i1 {either}, i{bits} 1, i{bits} {right}")
        result = writer.value(f"{name} i{bits} {left}, {divisor}")
        result = writer.value(f"select i1 {minus}, i{bits} {by_minus_one(writer, left, bits)}, i{bits} {result}")
        return writer.value(f"select i1 {zero}, i{bits} {by_zero(left)}, i{bits} {result}")

    return write


def _negated(writer: Writer, value: str, bits: int) -> str:
    return writer.value(f"sub i{bits} 0, {value}")


#: The operations of RFC 9669, sections 4.1 and 5.3, by their names.
OPERATIONS: Mapping[str, Operation] = {
    "add": _plain("add"),
    "sub": _plain("sub"),
    "mul": _plain("mul"),
    "or": _plain("or"),
    "and": _plain("and"),
    "xor": _plain("xor"),
    "lsh": _shift("shl"),
    "rsh": _shift("lshr"),
    "arsh": _shift("ashr"),
    "div": _unsigned("udiv", lambda left: "0"),
    "mod": _unsigned("urem", lambda left: left),
    "sdiv": _signed("sdiv", lambda left: "0", _negated),
    "smod": _signed("srem", lambda left: left, lambda writer, left, bits: "0"),
    "xchg": lambda writer, left, right, bits: right,
}

#: The comparisons of section 4.3, but for `jset`.
CONDITIONS: Mapping[str, str] = {
    "jeq": "eq", "jne": "ne", "jgt": "ugt", "jge": "uge", "jlt": "ult", "jle": "ule",
    "jsgt": "sgt", "jsge": "sge", "jslt": "slt", "jsle": "sle",
}  # fmt: skip


class Conversion(NamedTuple):
    """A change of byte order: to `bits` bits, with the bytes turned round or not."""

    bits: int
    swaps: bool


def conversion(name: str, host: str) -> Conversion:
    """What `be16`, `le32`, `bswap64` and so on do on a machine of byte order `host`."""
    bits = int(name[-2:])
    return Conversion(bits, not name.startswith({"little": "le", "big": "be"}[host]))
