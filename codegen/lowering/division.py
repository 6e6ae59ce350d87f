"""Division and remainder, with the results that the IR defines where LLVM's own are undefined.

Unsigned: a zero divisor gives 0, or the dividend as remainder (RFC 9669, section 4.1). Signed: rounded down,
the remainder with the divisor's sign, a zero divisor as before, and the lowest number divided by -1 wraps to
itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from skverdict.dsl.ir.types import Int

if TYPE_CHECKING:
    from skverdict.codegen.lowering.emitter import FunctionEmitter
    from skverdict.dsl.ir.module import Value


def divide(f: FunctionEmitter, dividend: Value, divisor: Value, modulo: bool) -> str:
    """The operand of the quotient, or of the remainder."""
    type_ = dividend.type
    assert isinstance(type_, Int)
    x, y = f.operand(dividend), f.operand(divisor)
    constant = f.constants.get(divisor.number)
    if constant == 0:
        return x if modulo else "0"
    if not type_.signed:
        if constant is not None and constant & (constant - 1) == 0:
            return f.define(f"{'urem' if modulo else 'udiv'} i{type_.bits} {x}, {y}")  # becomes a mask, or a shift
        return _unsigned(f, "urem" if modulo else "udiv", x, y, type_.bits, constant is not None)
    if constant is not None and constant > 0 and constant & (constant - 1) == 0:
        if modulo:
            return f.define(f"and i{type_.bits} {x}, {constant - 1}")
        return f.define(f"ashr i{type_.bits} {x}, {constant.bit_length() - 1}")
    if constant == -1:
        return "0" if modulo else f.define(f"sub i{type_.bits} 0, {x}")
    return _signed(f, x, y, type_.bits, modulo, constant is not None)


def _unsigned(f: FunctionEmitter, opcode: str, x: str, y: str, bits: int, constant: bool) -> str:
    """`x` and `y` divided unsigned; the instruction itself does what is right for zero.

    LLVM would know how large the result gets, which the verifier does not, and drop what bounds it further on.
    """
    if bits < 32:
        x, y = (f.define(f"zext i{bits} {operand} to i32") for operand in (x, y))
        result = _unsigned(f, opcode, x, y, 32, constant)
        return f.define(f"trunc i32 {result} to i{bits}")
    return f.hide(f.define(f"{opcode} i{bits} {x}, {y}"), bits) if constant else _hidden(f, opcode, x, y, bits)


def _hidden(f: FunctionEmitter, opcode: str, x: str, y: str, bits: int) -> str:
    """A division that LLVM sees neither the divisor nor the result of.

    BPF's instructions are defined for a zero divisor and LLVM's are not: it would take the divisor for not
    zero from then on, and `x / y == 0` for `x < y`, which a zero divisor makes false. Hidden apart, since
    the dividend may be a hidden value, too, and `x / x` would be 1.
    """
    return f.hide(f.define(f"{opcode} i{bits} {x}, {f.hide(y, bits, apart=True)}"), bits)


def _signed(f: FunctionEmitter, x: str, y: str, bits: int, modulo: bool, constant: bool) -> str:
    """Truncating division, then the step from truncated to rounded down."""
    if bits < 32:
        x, y = (f.define(f"sext i{bits} {operand} to i32") for operand in (x, y))
        result = _signed(f, x, y, 32, modulo, constant)
        return f.define(f"trunc i32 {result} to i{bits}")
    kind = f"i{bits}"
    if f.target.has_signed_division:
        quotient = f.define(f"sdiv {kind} {x}, {y}") if constant else _hidden(f, "sdiv", x, y, bits)
    else:
        quotient = _truncate_unsigned(f, x, y, bits, constant)
    remainder = f.define(f"sub {kind} {x}, {f.define(f'mul {kind} {quotient}, {y}')}")
    signs = f.define(f"xor {kind} {remainder}, {y}")
    differ = f.define(f"icmp slt {kind} {signs}, 0")
    inexact = f.define(f"icmp ne {kind} {remainder}, 0")
    below = f.define(f"and i1 {differ}, {inexact}")
    if modulo:
        # With a zero divisor the quotient is 0 and the remainder the dividend, to which this adds nothing.
        return f.define(f"add {kind} {remainder}, {f.define(f'select i1 {below}, {kind} {y}, {kind} 0')}")
    if not constant:
        below = f.define(f"and i1 {below}, {f.define(f'icmp ne {kind} {y}, 0')}")
    return f.define(f"add {kind} {quotient}, {f.define(f'sext i1 {below} to {kind}')}")


def _truncate_unsigned(f: FunctionEmitter, x: str, y: str, bits: int, constant: bool) -> str:
    """The quotient rounded towards zero, on a processor that divides unsigned numbers only."""
    kind = f"i{bits}"
    f.module.declare(f"declare {kind} @llvm.abs.{kind}({kind}, i1)")
    x_size, y_size = (
        f.define(f"call {kind} @llvm.abs.{kind}({kind} {operand}, i1 false)") for operand in (x, y)
    )
    size = _unsigned(f, "udiv", x_size, y_size, bits, constant)
    signs = f.define(f"xor {kind} {x}, {y}")
    opposite = f.define(f"icmp slt {kind} {signs}, 0")
    return f.define(f"select i1 {opposite}, {kind} {f.define(f'sub {kind} 0, {size}')}, {kind} {size}")
