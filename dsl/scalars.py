"""The scalar types of a policy: `u8` to `u64`, `i8` to `i64`, and `be16`, `be32`, `be64`.

As a call (`u32(x)`) each is a conversion. Outside of programs, in ordinary Python, an integer type is an
`int` of its width and a `beN` is a number that knows its byte order. To a type checker the integer types are
`int`, since Python's own operators give `int`; the compiler checks their widths.
"""

from __future__ import annotations

TYPE_CHECKING = False


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
        """The number in host byte order."""
        return self._number

    def raw(self) -> int:
        """The bits as a host of this machine's byte order reads them."""
        import sys

        return int.from_bytes(self._number.to_bytes(self.BITS // 8, "big"), sys.byteorder)

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
        return type(name, (Integer,), space)

    u8, u16, u32, u64 = (_integer(bits, signed=False) for bits in (8, 16, 32, 64))
    i8, i16, i32, i64 = (_integer(bits, signed=True) for bits in (8, 16, 32, 64))
