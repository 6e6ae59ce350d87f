"""What each operation of RFC 9669 computes, as Python: read it beside sections 4.1 to 4.3 and 5.3.

The tables hold expressions, which `translate` puts into the functions that it writes; `arithmetic` and the like
give them as functions of numbers.

In the expressions {dst} and {src} stand for the operands, unsigned numbers of the operation's width, which is
{bits}; {sign} is the number whose only bit is the sign, {amount} the largest amount of a shift. A result may
be any integer, and whoever uses it takes it modulo 2**bits. A 32-bit operation so leaves zeros in the upper
half of its 64-bit register.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

Unary = Callable[[int], int]
Binary = Callable[[int, int], int]


def mask(bits: int) -> int:
    """The largest unsigned number of `bits` bits."""
    return (1 << bits) - 1


def signed(value: int, bits: int) -> int:
    """The number that the low `bits` bits of `value` spell in two's complement."""
    sign = 1 << (bits - 1)
    return ((value & mask(bits)) ^ sign) - sign


def signed_quotient(dividend: int, divisor: int, bits: int) -> int:
    """Signed division, which rounds towards zero, as C's and unlike Python's. A zero divisor gives zero."""
    left, right = signed(dividend, bits), signed(divisor, bits)
    if not right:
        return 0
    quotient = abs(left) // abs(right)
    return -quotient if (left < 0) != (right < 0) else quotient


def signed_remainder(dividend: int, divisor: int, bits: int) -> int:
    """What signed division leaves, with the dividend's sign. A zero divisor leaves the dividend."""
    return signed(dividend, bits) - signed(divisor, bits) * signed_quotient(dividend, divisor, bits)


def swapped(value: int, bits: int) -> int:
    """The low `bits` bits of `value`, their bytes in the opposite order."""
    return int.from_bytes((value & mask(bits)).to_bytes(bits // 8, "little"), "big")


#: What the expressions below call.
FUNCTIONS = {each.__name__: each for each in (signed_quotient, signed_remainder, swapped)}

#: The arithmetic of section 4.1: destination and source to new destination. A zero divisor gives zero, or
#: leaves the dividend; shift amounts count modulo the width.
ARITHMETIC_TEXT = {
    "add": "{dst} + {src}",
    "sub": "{dst} - {src}",
    "mul": "{dst} * {src}",
    "div": "({dst} // {src} if {src} else 0)",
    "sdiv": "signed_quotient({dst}, {src}, {bits})",
    "mod": "({dst} % {src} if {src} else {dst})",
    "smod": "signed_remainder({dst}, {src}, {bits})",
    "or": "{dst} | {src}",
    "and": "{dst} & {src}",
    "xor": "{dst} ^ {src}",
    "lsh": "{dst} << ({src} & {amount})",
    "rsh": "{dst} >> ({src} & {amount})",
    "arsh": "({dst} ^ {sign}) - {sign} >> ({src} & {amount})",
}
#: Its operations on one number, `neg` on the destination and the moves on the source.
UNARY_TEXT = {
    "neg": "-{dst}",
    "mov": "{src}",
    "movsx8": "({src} & 0xff ^ 0x80) - 0x80",
    "movsx16": "({src} & 0xffff ^ 0x8000) - 0x8000",
    "movsx32": "({src} & 0xffffffff ^ 0x80000000) - 0x80000000",
}
#: Those of whose result the low bits depend on the low bits of the operands alone.
LOW_BITS_ALONE = ("add", "sub", "mul", "or", "and", "xor", "neg", "mov", "movsx8", "movsx16")
#: Those that may take the source for a signed number, since the result's low bits are the same.
SIGN_ALIKE = ("add", "sub", "mul")
#: Those whose result has no more bits than the operands.
NO_WIDER = ("div", "mod", "or", "and", "xor", "rsh", "mov")


def byte_order_text(host: str) -> dict[str, str]:
    """The conversions of section 4.2 on a machine of byte order `host`; no result is wider than its name
    says."""
    conversions = {}
    for bits in (16, 32, 64):
        swap, keep = f"swapped({{dst}}, {bits})", f"{{dst}} & {mask(bits):#x}"
        if bits == 16:
            swap = "({dst} & 0xff) << 8 | {dst} >> 8 & 0xff"
        conversions[f"bswap{bits}"] = swap
        conversions[f"le{bits}"] = keep if host == "little" else swap
        conversions[f"be{bits}"] = keep if host == "big" else swap
    return conversions


#: The comparisons of section 4.3: does the jump happen? Flipping the sign bits turns the signed order into
#: the unsigned one.
CONDITIONS_TEXT = {
    "jeq": "{dst} == {src}",
    "jne": "{dst} != {src}",
    "jgt": "{dst} > {src}",
    "jge": "{dst} >= {src}",
    "jlt": "{dst} < {src}",
    "jle": "{dst} <= {src}",
    "jset": "{dst} & {src}",
    "jsgt": "{dst} ^ {sign} > {src} ^ {sign}",
    "jsge": "{dst} ^ {sign} >= {src} ^ {sign}",
    "jslt": "{dst} ^ {sign} < {src} ^ {sign}",
    "jsle": "{dst} ^ {sign} <= {src} ^ {sign}",
}

#: The read-modify-write operations of section 5.3: old memory and source to new memory.
ATOMIC_TEXT = {
    "add": "{dst} + {src}",
    "or": "{dst} | {src}",
    "and": "{dst} & {src}",
    "xor": "{dst} ^ {src}",
    "xchg": "{src}",
}


def _function(parameters: str, text: str, bits: int) -> Callable[..., int]:
    body = text.format(dst="dst", src="src", bits=bits, sign=hex(1 << bits - 1), amount=bits - 1)
    function: Callable[..., int] = eval(f"lambda {parameters}: {body}", dict(FUNCTIONS))
    return function


def _functions(parameters: str, texts: Mapping[str, str], bits: int) -> dict[str, Callable[..., int]]:
    return {name: _function(parameters, text, bits) for name, text in texts.items()}


def arithmetic(bits: int) -> dict[str, Binary]:
    """The two-operand operations of width `bits` (32 or 64): destination and source to new destination."""
    return _functions("dst, src", ARITHMETIC_TEXT, bits)


def byte_order(host: str) -> dict[str, Unary]:
    """The conversions on a machine of byte order `host`."""
    return _functions("dst", byte_order_text(host), 64)


def conditions(bits: int) -> dict[str, Binary]:
    """The comparisons at width `bits`; other than zero if the jump happens."""
    return _functions("dst, src", CONDITIONS_TEXT, bits)


#: The moves: source to destination.
MOVES: dict[str, Unary] = {
    name: _function("src", text, 64) for name, text in UNARY_TEXT.items() if "{src}" in text
}
#: The read-modify-write operations: old memory and source to new memory.
ATOMIC: dict[str, Binary] = _functions("dst, src", ATOMIC_TEXT, 64)
