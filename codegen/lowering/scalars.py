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

# Beyond this no offset into a packet is allowed, and hardly an array has places.
_MOST_PLACES = 0xFFFF
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
    first, second = f.operand(left), f.operand(right)
    if operation.name == "and":
        first = _masked(f, left, right)
        second = _masked(f, right, left)
    f.bind(operation, f.define(f"{_PLAIN[operation.name]} {llvm_type(left.type)} {first}, {second}"))


def _masked(f: FunctionEmitter, value: Value, mask: Value) -> str:
    """The operand for a mask, which bounds a number if it is small."""
    bounds = 0 <= f.constants.get(mask.number, -1) <= _MOST_PLACES
    return _bounded_here(f, value) if bounds else f.operand(value)


def _bounded_here(f: FunctionEmitter, value: Value) -> str:
    """The operand for what bounds it; LLVM must not find that needless where the verifier would not."""
    if value.number in f.constants or is_signed(value.type) or not f.bounds.is_tested(value):
        return f.operand(value)
    return f.hide(f.operand(value), bits_of(value.type))


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
        operand = _bounded_here(f, source) if opcode == "trunc" else f.operand(source)
        f.bind(operation, f.define(f"{opcode} {llvm_type(source.type)} {operand} to i{to.bits}"))
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
    smaller = _smaller(f, operation)
    if smaller is not None:
        f.bind(operation, smaller)
        return
    f.bind(operation, f.define(f"select {f.typed(condition)}, {f.typed(then)}, {f.typed(otherwise)}"))


def _smaller(f: FunctionEmitter, operation: Operation) -> str | None:
    """For `x if x <= y else y`, one of them a constant: the smaller one, whose test LLVM cannot find needless.

    It is found in 64 bits, which is what the verifier follows best.
    """
    limited = f.bounds.limited(operation)
    if limited is None:
        return None
    number, limit = limited
    bits = bits_of(number.type)
    signed = is_signed(number.type)
    most = f.constants[limit.number] if signed else f.constants[limit.number] & ((1 << bits) - 1)
    wide = f.operand(number)
    if bits < 64:
        wide = f.define(f"{'sext' if signed else 'zext'} {f.typed(number)} to i64")
    wide = f.hide(wide, 64)
    within = f.define(f"icmp {_PREDICATES['le'][signed]} i64 {wide}, {most}")
    smaller = f.define(f"select i1 {within}, i64 {wide}, i64 {most}")
    return smaller if bits == 64 else f.define(f"trunc i64 {smaller} to i{bits}")


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
