"""Constants, arithmetic, comparisons and conversions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from skverdict.codegen.lowering.division import divide
from skverdict.codegen.lowering.emitter import llvm_type
from skverdict.dsl.ir.types import BigEndian, Bool, Int

if TYPE_CHECKING:
    from skverdict.codegen.lowering.emitter import FunctionEmitter
    from skverdict.dsl.ir.module import Operation, Value
    from skverdict.dsl.ir.types import Type

_PLAIN = {"add": "add", "sub": "sub", "mul": "mul", "and": "and", "or": "or", "xor": "xor"}
_PREDICATES = {
    "eq": ("eq", "eq"),
    "ne": ("ne", "ne"),
    **{c: (f"u{c}", f"s{c}") for c in ("lt", "le", "gt", "ge")},
}


def signed_number(number: int, bits: int) -> int:
    """The two's complement reading of the low `bits` of `number`."""
    number &= (1 << bits) - 1
    return number - (1 << bits) if number >> (bits - 1) else number


def is_signed(type_: Type) -> bool:
    return isinstance(type_, Int) and type_.signed


def lower_const(f: FunctionEmitter, operation: Operation) -> None:
    assert operation.result is not None
    type_, number = operation.result.type, operation.attributes["value"]
    assert isinstance(number, int)
    if isinstance(type_, Bool):
        f.bind(operation, "true" if number else "false")
        return
    assert isinstance(type_, (Int, BigEndian))
    if isinstance(type_, BigEndian) and f.target.endian == "little":
        number = swapped_number(number, type_.bits)
    number = signed_number(number, type_.bits)
    f.constants[operation.result.number] = number
    f.bind(operation, str(number))


def lower_const_order(f: FunctionEmitter, operation: Operation) -> None:
    number = operation.attributes[f.target.endian]
    assert isinstance(number, int) and operation.result is not None
    f.constants[operation.result.number] = number = signed_number(number, bits_of(operation.result.type))
    f.bind(operation, str(number))


def lower_arithmetic(f: FunctionEmitter, operation: Operation) -> None:
    left, right = operation.operands
    f.bind(operation, f.define(f"{_PLAIN[operation.name]} {f.typed(left)}, {f.operand(right)}"))


def lower_division(f: FunctionEmitter, operation: Operation) -> None:
    f.bind(operation, divide(f, operation.operands[0], operation.operands[1], modulo=operation.name == "mod"))


def lower_shift(f: FunctionEmitter, operation: Operation) -> None:
    value, count = operation.operands
    type_ = value.type
    assert isinstance(type_, Int)
    if count.number in f.constants:
        masked = str(f.constants[count.number] & (type_.bits - 1))
    else:
        masked = f.define(f"and {f.typed(count)}, {type_.bits - 1}")
    opcode = "shl" if operation.name == "shl" else "ashr" if type_.signed else "lshr"
    f.bind(operation, f.define(f"{opcode} {f.typed(value)}, {masked}"))


def lower_comparison(f: FunctionEmitter, operation: Operation) -> None:
    left, right = operation.operands
    if operation.name in ("eq", "ne"):
        unswapped = _without_swaps(f, left, right)
        if unswapped is not None:
            f.bind(operation, f.define(f"icmp {operation.name} {llvm_type(left.type)} {unswapped}"))
            return
    if operation.name in ("gt", "ne") and f.constants.get(right.number) == 0 and _is_down_counter(f, left):
        # LLVM makes `!= 0` of `> 0`, from which Linux 6.1 does not learn that the number is 1 or more.
        zero = f.hide("0", bits_of(left.type))
        f.bind(operation, f.define(f"icmp ugt {f.typed(left)}, {zero}"))
        return
    predicate = _PREDICATES[operation.name][is_signed(left.type)]
    f.bind(operation, f.define(f"icmp {predicate} {f.typed(left)}, {f.operand(right)}"))


def _is_down_counter(f: FunctionEmitter, value: Value) -> bool:
    return isinstance(value.type, Int) and not value.type.signed and f.bounds.is_counted(value)


def _without_swaps(f: FunctionEmitter, left: Value, right: Value) -> str | None:
    """Both operands of a test for equality before their bytes were swapped, if both can be had that way.

    LLVM knows this, too, but first turns several tests for neighbouring numbers into one range.
    """
    operands = []
    for value in (left, right):
        if value.number in f.swapped:
            operands.append(f.swapped[value.number])
        elif value.number in f.constants:
            operands.append(str(swapped_number(f.constants[value.number], bits_of(value.type))))
    swaps = (left.number in f.swapped) + (right.number in f.swapped)
    return ", ".join(operands) if swaps and len(operands) == 2 else None


def swapped_number(number: int, bits: int) -> int:
    """The signed reading of `number`'s low `bits` with their bytes reversed."""
    content = (number & ((1 << bits) - 1)).to_bytes(bits // 8, "little")
    return int.from_bytes(content, "big", signed=True)


def bits_of(type_: Type) -> int:
    """The width of an integer of either byte order."""
    assert isinstance(type_, (Int, BigEndian))
    return type_.bits


def lower_not(f: FunctionEmitter, operation: Operation) -> None:
    f.bind(operation, f.define(f"xor {f.typed(operation.operands[0])}, true"))


def lower_convert(f: FunctionEmitter, operation: Operation) -> None:
    assert operation.result is not None
    source, to = operation.operands[0], operation.result.type
    assert isinstance(to, Int) and isinstance(source.type, (Int, Bool))
    bits = source.type.bits if isinstance(source.type, Int) else 1
    if to.bits == bits:
        f.bind(operation, f.operand(source))
    else:
        opcode = "trunc" if to.bits < bits else "sext" if is_signed(source.type) else "zext"
        f.bind(operation, f.define(f"{opcode} {f.typed(source)} to i{to.bits}"))
    if source.number in f.constants:
        number = f.constants[source.number]
        if not is_signed(source.type):
            number &= (1 << bits) - 1
        f.constants[operation.result.number] = number = signed_number(number, to.bits)
        f.bind(operation, str(number))


def byte_swap(f: FunctionEmitter, operand: str, bits: int) -> str:
    """The operand with its bytes reversed."""
    f.module.declare(f"declare i{bits} @llvm.bswap.i{bits}(i{bits})")
    return f.define(f"call i{bits} @llvm.bswap.i{bits}(i{bits} {operand})")


def lower_swap(f: FunctionEmitter, operation: Operation) -> None:
    source = operation.operands[0]
    assert operation.result is not None
    if f.target.endian == "little":
        f.swapped[operation.result.number] = f.operand(source)
        f.bind(operation, byte_swap(f, f.operand(source), bits_of(source.type)))
    else:
        f.bind(operation, f.operand(source))


def lower_reinterpret(f: FunctionEmitter, operation: Operation) -> None:
    f.bind(operation, f.operand(operation.operands[0]))


def lower_select(f: FunctionEmitter, operation: Operation) -> None:
    condition, then, otherwise = operation.operands
    f.bind(operation, f.define(f"select {f.typed(condition)}, {f.typed(then)}, {f.typed(otherwise)}"))


RULES = {
    "const": lower_const,
    "const.order": lower_const_order,
    **dict.fromkeys(_PLAIN, lower_arithmetic),
    "div": lower_division,
    "mod": lower_division,
    "shl": lower_shift,
    "shr": lower_shift,
    **dict.fromkeys(_PREDICATES, lower_comparison),
    "not": lower_not,
    "convert": lower_convert,
    "swap": lower_swap,
    "reinterpret": lower_reinterpret,
    "select": lower_select,
}
