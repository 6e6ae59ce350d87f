"""Keys and values of maps by their BTF types instead of bytes, for user space.

| BTF type | comes out as | goes in as |
|---|---|---|
| integer, enumeration, pointer | int | int in the type's range |
| `bool` | bool | bool or int |
| typedef `__be16`, `__be32`, `__be64` | int: the number that the bytes spell in network order | the same |
| array of bytes or characters | bytes | bytes of that length or shorter; zeros follow |
| other array | tuple | sequence of that length |
| struct | `StructValue` | mapping, sequence in the members' order, or object with the members |
| spin lock or timer in a struct | nothing: user space has no part in it | nothing |
| value of a per-CPU map | list, one value for each CPU | sequence of that length |
| union, bit fields, nothing known of the type | bytes (int if 1, 2, 4 or 8 bytes) | bytes, or the like int |

So port 443 in a `__be16` is 443 here, whatever the byte order of the machine. Bytes of exactly the right
size go in for every type.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from skverdict.codegen.btf import Btf
from skverdict.codegen.btf_types import (
    INT_BOOL,
    INT_SIGNED,
    Array,
    Composite,
    Enumeration,
    Int,
    Reference,
)
from skverdict.codegen.object import MapSpec
from skverdict.runtime.machine.memory import ByteOrder
from skverdict.runtime.maps.special import is_special

_NETWORK_ORDER = ("__be16", "__be32", "__be64")
_NUMBER_SIZES = (1, 2, 4, 8)


class ValueMismatch(ValueError):
    """A key or value that does not fit the map's type; says which part, and what would fit."""


class StructValue(Mapping[str, Any]):
    """A struct's members by name, as items and as attributes. Equal to any mapping of the same items."""

    __slots__ = ("_members", "_name")

    def __init__(self, name: str, members: Mapping[str, Any]) -> None:
        self._name = name
        self._members = dict(members)

    def __getitem__(self, name: str) -> Any:
        return self._members[name]

    def __getattr__(self, name: str) -> Any:
        try:
            return self._members[name]
        except KeyError:
            raise AttributeError(f"struct {self._name} has no member {name}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)

    def __hash__(self) -> int:
        return hash(tuple(self._members.items()))

    def __repr__(self) -> str:
        members = ", ".join(f"{name}={value!r}" for name, value in self._members.items())
        return f"{self._name or 'struct'}({members})"


class Shape(Protocol):
    """What of a map its codecs depend on. Sizes are bytes; `order` is the byte order of its machine."""

    @property
    def spec(self) -> MapSpec: ...

    @property
    def key_size(self) -> int: ...

    @property
    def value_size(self) -> int: ...

    @property
    def order(self) -> ByteOrder: ...


@runtime_checkable
class PerCpuShape(Protocol):
    """A map whose entries have a value for each of `cpus`, each padded to `stride` bytes."""

    @property
    def cpus(self) -> int: ...

    @property
    def stride(self) -> int: ...


class Codec(Protocol):
    """How values of one type become bytes and come back. `size` is in bytes."""

    size: int

    def encode(self, value: Any, where: str = "value") -> bytes:
        """The bytes of `value`. Raises ValueMismatch, in which `where` names the value."""

    def decode(self, content: bytes) -> Any:
        """The value that the bytes spell."""


class Number:
    """An integer in a byte order of its own."""

    def __init__(self, size: int, order: ByteOrder, signed: bool = False, truth: bool = False) -> None:
        self.size = size
        self.order: ByteOrder = order
        self.signed = signed
        self.truth = truth

    def encode(self, value: Any, where: str = "value") -> bytes:
        if isinstance(value, (bytes, bytearray)):
            return exactly(value, self.size, where)
        if not isinstance(value, int):
            raise ValueMismatch(f"{where}: {value!r} is no integer")
        try:
            return int(value).to_bytes(self.size, self.order, signed=self.signed)
        except OverflowError:
            bits = 8 * self.size
            low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if self.signed else (0, (1 << bits) - 1)
            raise ValueMismatch(f"{where}: {value} is not between {low} and {high}") from None

    def decode(self, content: bytes) -> int | bool:
        number = int.from_bytes(content, self.order, signed=self.signed)
        return bool(number) if self.truth else number


class Raw:
    """Bytes as they are. `padded`: shorter ones are filled up with zeros."""

    def __init__(self, size: int, padded: bool = False) -> None:
        self.size = size
        self.padded = padded

    def encode(self, value: Any, where: str = "value") -> bytes:
        if not isinstance(value, (bytes, bytearray)):
            raise ValueMismatch(f"{where}: {value!r} is not bytes")
        return exactly(value.ljust(self.size, b"\0") if self.padded else value, self.size, where)

    def decode(self, content: bytes) -> bytes:
        return content


class ArrayOf:
    """`count` elements in a row."""

    def __init__(self, element: Codec, count: int) -> None:
        self.element = element
        self.count = count
        self.size = element.size * count

    def encode(self, value: Any, where: str = "value") -> bytes:
        if isinstance(value, (bytes, bytearray)):
            return exactly(value, self.size, where)
        if not isinstance(value, Sequence) or isinstance(value, str) or len(value) != self.count:
            raise ValueMismatch(f"{where}: {value!r} is no sequence of {self.count}")
        return b"".join(self.element.encode(each, f"{where}[{index}]") for index, each in enumerate(value))

    def decode(self, content: bytes) -> tuple[Any, ...]:
        size = self.element.size
        return tuple(self.element.decode(content[at : at + size]) for at in range(0, self.size, size))


class StructOf:
    """Members at their offsets; bytes between them are zero."""

    def __init__(self, name: str, size: int, members: Mapping[str, tuple[int, Codec]]) -> None:
        self.name = name
        self.size = size
        self.members = members

    def encode(self, value: Any, where: str = "value") -> bytes:
        if isinstance(value, (bytes, bytearray)):
            return exactly(value, self.size, where)
        content = bytearray(self.size)
        for name, part in self._parts(value, where).items():
            offset, codec = self.members[name]
            content[offset : offset + codec.size] = codec.encode(part, f"{where}.{name}")
        return bytes(content)

    def _parts(self, value: Any, where: str) -> dict[str, Any]:
        """The members of `value` by name."""
        if isinstance(value, Mapping):
            parts = dict(value)
        elif isinstance(value, Sequence) and not isinstance(value, str):
            if len(value) != len(self.members):
                raise ValueMismatch(f"{where}: {len(value)} values for the {len(self.members)} members")
            parts = dict(zip(self.members, value, strict=True))
        else:
            parts = {name: getattr(value, name) for name in self.members if hasattr(value, name)}
        missing = [name for name in self.members if name not in parts]
        unknown = [name for name in parts if name not in self.members]
        if missing or unknown:
            problem = f"lacks {', '.join(missing)}" if missing else f"has no {', '.join(unknown)}"
            raise ValueMismatch(f"{where}: {'it' if missing else f'struct {self.name}'} {problem}")
        return parts

    def decode(self, content: bytes) -> StructValue:
        return StructValue(
            self.name,
            {
                name: codec.decode(content[offset : offset + codec.size])
                for name, (offset, codec) in self.members.items()
            },
        )


class PerCpu:
    """The values of all CPUs, each padded to the map's stride."""

    def __init__(self, element: Codec, shape: PerCpuShape) -> None:
        self.element = element
        self.cpus = shape.cpus
        self.stride = shape.stride
        self.size = self.stride * self.cpus

    def encode(self, value: Any, where: str = "value") -> bytes:
        if isinstance(value, (bytes, bytearray)):
            return exactly(value, self.size, where)
        if not isinstance(value, Sequence) or isinstance(value, str) or len(value) != self.cpus:
            raise ValueMismatch(f"{where}: {value!r} is no sequence of {self.cpus}, one for each CPU")
        parts = [self.element.encode(each, f"{where} on CPU {cpu}") for cpu, each in enumerate(value)]
        return b"".join(part.ljust(self.stride, b"\0") for part in parts)

    def decode(self, content: bytes) -> list[Any]:
        starts = range(0, self.size, self.stride)
        return [self.element.decode(content[start : start + self.element.size]) for start in starts]


def exactly(value: bytes | bytearray, size: int, where: str) -> bytes:
    """`value`, if it has `size` bytes."""
    if len(value) != size:
        raise ValueMismatch(f"{where}: {len(value)} bytes; it has {size}")
    return bytes(value)


def key_codec(map_: Shape, btf: Btf | None) -> Codec:
    """How the keys of `map_` are written."""
    return codec_of(btf, map_.spec.key_type_id, map_.key_size, map_.order)


def value_codec(map_: Shape, btf: Btf | None) -> Codec:
    """How the values of `map_` are written."""
    element = codec_of(btf, map_.spec.value_type_id, map_.value_size, map_.order)
    return PerCpu(element, map_) if isinstance(map_, PerCpuShape) else element


def codec_of(btf: Btf | None, type_id: int, size: int, order: ByteOrder) -> Codec:
    """How values of BTF type `type_id`, which have `size` bytes, are written on a machine of byte order
    `order`.

    Without `btf`, or for type 0, nothing but the size is known.
    """
    if btf is None or type_id == 0:
        return Number(size, order) if size in _NUMBER_SIZES else Raw(size)
    if btf.size_of(type_id) != size:
        return Raw(size)
    return _Codecs(btf, order).codec(type_id)


class _Codecs:
    """Codecs of the types of one BTF. Each is made once, however often its type is a member."""

    def __init__(self, btf: Btf, order: ByteOrder) -> None:
        self._btf = btf
        self._order: ByteOrder = order
        self._made: dict[int, Codec] = {}

    def codec(self, type_id: int) -> Codec:
        """The codec of a type."""
        made = self._made.get(type_id)
        if made is None:
            made = self._made[type_id] = self._make(type_id)
        return made

    def _make(self, type_id: int) -> Codec:
        btf, order = self._btf, self._order
        outer = btf.type(type_id)
        while isinstance(outer, Reference) and outer.kind != "ptr":
            if outer.kind == "typedef" and outer.name in _NETWORK_ORDER:
                return Number(btf.size_of(type_id), "big")
            outer = btf.type(outer.type_id)
        size = btf.size_of(type_id)
        if isinstance(outer, Int):
            return Number(size, order, bool(outer.encoding & INT_SIGNED), bool(outer.encoding & INT_BOOL))
        if isinstance(outer, Enumeration):
            return Number(size, order, outer.signed)
        if isinstance(outer, Reference):
            return Number(size, order)
        if isinstance(outer, Array):
            element = btf.resolve(outer.element_id)
            if isinstance(element, Int) and element.size == 1 and not element.encoding & INT_BOOL:
                return Raw(size, padded=True)
            return ArrayOf(self.codec(outer.element_id), outer.length)
        if isinstance(outer, Composite) and outer.kind == "struct" and _plain(outer):
            members = {
                member.name: (member.bit_offset // 8, self.codec(member.type_id))
                for member in outer.members
                if not is_special(btf, member.type_id)
            }
            return StructOf(outer.name, size, members)
        return Raw(size)


def _plain(struct: Composite) -> bool:
    """True if every member has a name and whole bytes of its own."""
    return all(
        member.name and not member.bit_size and member.bit_offset % 8 == 0 for member in struct.members
    )
