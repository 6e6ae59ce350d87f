"""The scalar types of a policy: `u8` to `u64`, `i8` to `i64`, and `be16`, `be32`, `be64`.

As a call (`u32(x)`) each is a conversion. Outside of programs, in ordinary Python, an integer type is an
`int` that computes as a program does: it wraps at its width, takes plain numbers that fit it, and meets other
types in the smallest that holds both. A `beN` is a number that knows its byte order. To a type checker the
integer types are `int`, since Python's own operators give `int`; the compiler checks their widths.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class Integer(int):
    """An integer that was cut to the width of its class: `BITS` wide, `SIGNED` or not."""

    BITS = 0
    SIGNED = False

    def __new__(cls, value: int = 0) -> Integer:
        """The number that the low bits of `value` stand for. Raises TypeError if it is no integer."""
        if isinstance(value, BigEndian) or not isinstance(value, int):
            raise TypeError(f"{cls.__name__}() takes an integer, not {type(value).__name__}")
        number = int(value) & ((1 << cls.BITS) - 1)
        if cls.SIGNED and number >> (cls.BITS - 1):
            number -= 1 << cls.BITS
        return super().__new__(cls, number)

    @classmethod
    def holds(cls, number: int) -> bool:
        """True for a number of the type."""
        half = 1 << (cls.BITS - 1)
        return -half <= number < half if cls.SIGNED else 0 <= number < 2 * half

    def __neg__(self) -> Integer:
        return type(self)(-int(self))

    def __pos__(self) -> Integer:
        return self

    def __invert__(self) -> Integer:
        return type(self)(~int(self))

    def __abs__(self) -> Integer:
        return type(self)(abs(int(self)))

    def __truediv__(self, other: object) -> Any:
        raise TypeError("`/` would give a float, which a program does not have: write `//`")

    def __pow__(self, other: object, modulus: object = None) -> Any:
        raise TypeError("`**` is not supported: write `1 << n` for a power of two")

    __rtruediv__ = __truediv__
    __rpow__ = __pow__


class Counter(Integer):
    """A number that comes of literals alone, such as the count of a range: it takes the type of what it meets."""

    BITS = 64
    SIGNED = True


def meet(first: int, second: int) -> Callable[[int], Integer]:
    """The type in which two numbers are added and the like, of which at least one has a type.

    Raises OverflowError for a plain number that does not fit the other's type, TypeError if there is no type
    for both: an unsigned one of 64 bits and a negative signed one.
    """
    one, other = type(first), type(second)
    if one is other:
        return one  # type: ignore[return-value]
    for kind, number in ((one, second), (other, first)):
        is_plain = not isinstance(number, Integer) or isinstance(number, Counter)
        if is_plain and issubclass(kind, Integer):
            if isinstance(number, bool):
                raise TypeError("a truth value takes part in no arithmetic: write `u32(x)`")
            if kind is Counter and not isinstance(number, Integer):
                return Counter
            if kind is not Counter:
                if not kind.holds(number):
                    raise OverflowError(f"{int(number)} does not fit {kind.__name__}")
                return kind
    assert issubclass(one, Integer) and issubclass(other, Integer)
    return common_type(one, other, min(first, second))


def common_type(one: type[Integer], other: type[Integer], smallest: int = -1) -> type[Integer]:
    """The smallest type that holds all numbers of both; u64 where there is none and `smallest` is no less than 0.

    Raises TypeError if there is none.
    """
    if one.SIGNED == other.SIGNED:
        return one if one.BITS >= other.BITS else other
    signed, unsigned = (one, other) if one.SIGNED else (other, one)
    bits = max(signed.BITS, unsigned.BITS * 2)
    if bits <= 64:
        return TYPES[bits, True]
    if smallest < 0:
        raise TypeError(f"{one.__name__} and {other.__name__} have no type in common: write `i64(x)` or `u64(x)`")
    return TYPES[64, False]


# Types by width and signedness.
TYPES: dict[tuple[int, bool], type[Integer]] = {}


def _divide(first: int, second: int) -> int:
    """A zero divisor gives 0 (RFC 9669, section 4.1)."""
    return first // second if second else 0


def _remainder(first: int, second: int) -> int:
    """A zero divisor gives the dividend (RFC 9669, section 4.1)."""
    return first % second if second else first


# What each operator gives on plain integers, and whether it is one on bits.
_OPERATORS: dict[str, tuple[Callable[[int, int], int], bool]] = {
    "add": (int.__add__, False),
    "sub": (int.__sub__, False),
    "mul": (int.__mul__, False),
    "floordiv": (_divide, False),
    "mod": (_remainder, False),
    "and": (int.__and__, True),
    "or": (int.__or__, True),
    "xor": (int.__xor__, True),
}


def _as_bits(number: int, other: int) -> int:
    """A negative plain number beside an unsigned one is a pattern of bits: `flags & ~1`."""
    if type(number) is not int or not isinstance(other, Integer) or other.SIGNED:
        return number
    return number & ((1 << other.BITS) - 1) if -(1 << (other.BITS - 1)) <= number < 0 else number


def _operator(plain: Callable[[int, int], int], bitwise: bool) -> Callable[[int, int], Any]:
    def operate(first: int, second: int) -> Any:
        if not isinstance(second, int) or not isinstance(first, int):
            return NotImplemented
        if bitwise:
            first, second = _as_bits(first, second), _as_bits(second, first)
        kind = meet(first, second)
        return kind(plain(int(kind(first)), int(kind(second))))

    return operate


def _shift(plain: Callable[[int, int], int]) -> Callable[[int, int], Any]:
    def operate(value: int, count: int) -> Any:
        """The result has the type of what is shifted, a plain one that of the count, which is masked."""
        if not isinstance(value, int) or not isinstance(count, int):
            return NotImplemented
        kind = type(value) if isinstance(value, Integer) else type(count)
        assert issubclass(kind, Integer)
        if not isinstance(value, Integer) and not kind.holds(value):
            raise OverflowError(f"{value} does not fit {kind.__name__}")
        plain_count = not isinstance(count, Integer)
        if count < 0 or (plain_count and count >= kind.BITS):
            raise ValueError(f"a shift by {int(count)} is out of range for {kind.__name__}")
        if isinstance(count, Integer) and not isinstance(count, Counter) and kind is Counter:
            kind = TYPES[64, True]
        return kind(plain(int(value), int(count) & (kind.BITS - 1)))

    return operate


def _reversed(operate: Callable[[int, int], Any]) -> Callable[[int, int], Any]:
    return lambda second, first: operate(first, second)


for _name, (_plain, _bitwise) in _OPERATORS.items():
    setattr(Integer, f"__{_name}__", _operator(_plain, _bitwise))
    setattr(Integer, f"__r{_name}__", _reversed(_operator(_plain, _bitwise)))
for _name, _plain in (("lshift", int.__lshift__), ("rshift", int.__rshift__)):
    setattr(Integer, f"__{_name}__", _shift(_plain))
    setattr(Integer, f"__r{_name}__", _reversed(_shift(_plain)))


class BigEndian:
    """A number in network byte order. It has no arithmetic and equals only its own kind."""

    BITS = 0
    __slots__ = ("_number",)

    def __init__(self, number: int = 0) -> None:
        """`number` is the number as written, in no byte order. Raises ValueError if it does not fit."""
        if not isinstance(number, int):
            raise TypeError(f"{type(self).__name__}() takes an integer, not {type(number).__name__}")
        if not 0 <= number < 1 << self.BITS:
            raise ValueError(f"{number} does not fit {type(self).__name__} (0 to {(1 << self.BITS) - 1})")
        self._number = int(number)

    def host(self) -> int:
        """The number in host byte order, as the unsigned type of this width."""
        return TYPES[self.BITS, False](self._number)

    def raw(self) -> int:
        """The bits as a host of this machine's byte order reads them, as the unsigned type of this width."""
        import sys

        bits = int.from_bytes(self._number.to_bytes(self.BITS // 8, "big"), sys.byteorder)
        return TYPES[self.BITS, False](bits)

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other._number == self._number

    def __hash__(self) -> int:
        return hash((self.BITS, self._number))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._number})"

    def __format__(self, spec: str) -> str:
        """`ip`: the bytes as an IPv4 address."""
        if spec == "ip" and self.BITS == 32:
            return ".".join(str(byte) for byte in self._number.to_bytes(4, "big"))
        return format(repr(self), spec)


class be16(BigEndian):
    """16 bits in network byte order."""

    BITS = 16
    __slots__ = ()


class be32(BigEndian):
    """32 bits in network byte order."""

    BITS = 32
    __slots__ = ()


class be64(BigEndian):
    """64 bits in network byte order."""

    BITS = 64
    __slots__ = ()


if TYPE_CHECKING:
    u8 = int
    u16 = int
    u32 = int
    u64 = int
    i8 = int
    i16 = int
    i32 = int
    i64 = int
else:

    def _integer(bits: int, signed: bool) -> type[Integer]:
        name = f"{'i' if signed else 'u'}{bits}"
        text = f"{'Signed' if signed else 'Unsigned'}, {bits} bits."
        space = {"BITS": bits, "SIGNED": signed, "__doc__": text, "__module__": __name__, "__slots__": ()}
        kind = TYPES[bits, signed] = type(name, (Integer,), space)
        return kind

    u8, u16, u32, u64 = (_integer(bits, signed=False) for bits in (8, 16, 32, 64))
    i8, i16, i32, i64 = (_integer(bits, signed=True) for bits in (8, 16, 32, 64))
