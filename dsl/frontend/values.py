"""What an expression of a policy stands for while it is lowered.

A `Scalar` is a number, known now or computed by the program. A `Reference` is a place in memory that holds a
structure, an array or a scalar. The rest exists only at compile time: contexts, maps, functions, types.
"""

from __future__ import annotations

from skverdict.dsl.errors import Place
from skverdict.dsl.ir.module import Global, Map, Value
from skverdict.dsl.ir.types import BOOL, Array, BigEndian, Bool, Int, Opaque, Pointer, Space, Struct, Type, align_of

ScalarType = Int | BigEndian | Bool


def limits(type_: ScalarType) -> tuple[int, int]:
    """The smallest and the largest number of a type."""
    if isinstance(type_, Bool):
        return (0, 1)
    if isinstance(type_, Int) and type_.signed:
        return (-(1 << (type_.bits - 1)), (1 << (type_.bits - 1)) - 1)
    return (0, (1 << type_.bits) - 1)


class Wrapped:
    """Arithmetic whose result may not fit its type: where it is, and how it is written with `{}` around one side."""

    __slots__ = ("place", "widened")

    def __init__(self, place: Place, widened: str) -> None:
        self.place = place
        self.widened = widened


class Scalar:
    """A number. `type` is None for an integer literal, which takes the type of what it meets.

    `constant` is the number if it is known now (`value` may then still be missing), and `name` what messages
    call it; `low` and `high` are the smallest and the largest number that it can be. `flexible` numbers come
    of literals alone, like the count of a range: an i64, but like a literal they take the type of what they
    meet. `began` names a variable that is an i64 because it begins with a literal, for messages. `wrapped` tells
    of the arithmetic in few bits that may have cut it.
    """

    __slots__ = ("began", "constant", "flexible", "high", "low", "name", "type", "value", "wrapped")

    def __init__(
        self,
        type_: ScalarType | None,
        value: Value | None = None,
        constant: int | None = None,
        low: int | None = None,
        high: int | None = None,
        flexible: bool = False,
        name: str = "",
        began: str = "",
        wrapped: Wrapped | None = None,
    ) -> None:
        self.wrapped = wrapped
        self.began = began
        self.flexible = flexible
        self.name = name
        self.type = type_
        self.value = value
        self.constant = constant
        if constant is not None:
            low = high = constant
        elif type_ is not None and (low is None or high is None):
            low, high = limits(type_)
        self.low = low or 0
        self.high = high or 0

    @property
    def only(self) -> int | None:
        """The number, if it can be no other: a constant, or a variable that holds one here."""
        return self.constant if self.type is None or self.low != self.high else self.low

    @property
    def text(self) -> str:
        """A constant as messages have it."""
        return f"`{self.name}` ({self.constant})" if self.name else str(self.constant)

    def same(self, other: Scalar) -> bool:
        """True if both are the same number of the same type for certain."""
        return (self.type, self.value, self.constant, self.flexible) == (
            other.type, other.value, other.constant, other.flexible
        )  # fmt: skip

    def with_range(self, low: int, high: int, wrapped: Wrapped | None = None) -> Scalar:
        return Scalar(
            self.type, self.value, self.constant, low, high, self.flexible,
            began=self.began, wrapped=self.wrapped or wrapped,
        )  # fmt: skip


class Epoch:
    """A time during which the packet stays where it is.

    `place` and `call` tell what began it; two epochs are the same if they began at the same point (`path`).
    """

    __slots__ = ("call", "path", "place")

    def __init__(self, place: Place | None, call: str, path: tuple[object, ...]) -> None:
        self.place = place
        self.call = call
        self.path = path

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Epoch) and self.path == other.path

    def __hash__(self) -> int:
        return hash(self.path)


START = Epoch(None, "", ())

# What a message's context is called, which no structure of the kernel is.
MESSAGE = "message"


class Lease:
    """Something that a program holds and must give back on every path: a record, a socket, a lock.

    `what` names it for messages, `remedy` is the code that gives it back, `verb` what that code does, as in
    "it was submitted", and `whole` the type of all of it. Two leases are the same if they are taken at the
    same point (`path`).
    """

    __slots__ = ("path", "place", "remedy", "verb", "what", "whole")

    def __init__(
        self, what: str, remedy: str, verb: str, place: Place, path: tuple[object, ...], whole: Type
    ) -> None:
        self.whole = whole
        self.what = what
        self.remedy = remedy
        self.verb = verb
        self.place = place
        self.path = path

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Lease) and self.path == other.path

    def __hash__(self) -> int:
        return hash(self.path)


class Reference:
    """A place in memory.

    It is known by the stack local that it is (`local`) or by an address (`pointer`); `root` is the local that
    it lies in, if any. `what` names it for messages, `origin` is where it came from. A reference into the
    packet is good only during `epoch`. `fresh` means that no name refers to it yet.

    `home` is the map whose entry it lies in, if that is known. `lease` is what must be given back, and ends
    the reference. `loose` means that it may lie at any address, being part of a packed structure. `read_only`
    says why it cannot be written to, and is empty where it can.
    """

    __slots__ = (
        "epoch",
        "fresh",
        "home",
        "lease",
        "local",
        "loose",
        "nullable",
        "origin",
        "pointer",
        "read_only",
        "root",
        "space",
        "target",
        "what",
    )

    def __init__(
        self,
        target: Type,
        space: Space,
        what: str,
        origin: Place,
        *,
        pointer: Value | None = None,
        local: str | None = None,
        root: str | None = None,
        nullable: bool = False,
        epoch: Epoch | None = None,
        fresh: bool = False,
        home: Map | None = None,
        lease: Lease | None = None,
        read_only: str = "",
        loose: bool = False,
    ) -> None:
        self.loose = loose
        self.target = target
        self.space = space
        self.what = what
        self.origin = origin
        self.pointer = pointer
        self.local = local
        self.root = local or root
        self.nullable = nullable
        self.epoch = epoch
        self.fresh = fresh
        self.home = home
        self.lease = lease
        self.read_only = read_only

    def altered(
        self,
        *,
        pointer: Value | None = None,
        nullable: bool | None = None,
        epoch: Epoch | None = None,
        fresh: bool | None = None,
    ) -> Reference:
        """A copy with what is given changed."""
        return Reference(
            self.target,
            self.space,
            self.what,
            self.origin,
            pointer=pointer or self.pointer,
            local=self.local,
            root=self.root,
            nullable=self.nullable if nullable is None else nullable,
            epoch=epoch or self.epoch,
            fresh=self.fresh if fresh is None else fresh,
            home=self.home,
            lease=self.lease,
            read_only=self.read_only,
            loose=self.loose,
        )

    def shape(self) -> Reference:
        """What is known about the place, without the address: that is kept in a variable."""
        return Reference(
            self.target,
            self.space,
            self.what,
            self.origin,
            nullable=self.nullable,
            epoch=self.epoch,
            home=self.home,
            lease=self.lease,
            read_only=self.read_only,
            loose=self.loose,
        )

    def part(self, address: Value, target: Type, what: str) -> Reference:
        """A part of the place, at `address`."""
        return Reference(
            target,
            self.space,
            what,
            self.origin,
            pointer=address,
            root=self.root,
            epoch=self.epoch,
            home=self.home,
            lease=self.lease,
            read_only=self.read_only,
            loose=self.loose or align_of(self.target) < align_of(target),
        )

    def same_storage(self, other: Reference) -> bool:
        return (self.target, self.space, self.pointer, self.local) == (
            other.target, other.space, other.pointer, other.local
        )  # fmt: skip


class ContextValue:
    """The program's context; `name` is its UAPI structure."""

    __slots__ = ("name", "value")

    def __init__(self, name: str, value: Value) -> None:
        self.name = name
        self.value = value


class ContextArray:
    """An array field of a context, such as `remote_ip6`."""

    __slots__ = ("context", "field")

    def __init__(self, context: ContextValue, field: str) -> None:
        self.context = context
        self.field = field


class KernelPart:
    """A structure or array inside of one of the kernel's: `path` leads to it from what `owner` refers to."""

    __slots__ = ("owner", "path", "type")

    def __init__(self, owner: Reference, path: str, type_: Struct | Array) -> None:
        self.owner = owner
        self.path = path
        self.type = type_


class SocketArray:
    """An array field of a socket, such as `src_ip6`."""

    __slots__ = ("field", "socket")

    def __init__(self, socket: Reference, field: str) -> None:
        self.socket = socket
        self.field = field


class PacketValue:
    """The packet's readable bytes."""

    __slots__ = ("context",)

    def __init__(self, context: ContextValue) -> None:
        self.context = context

    @property
    def space(self) -> Space:
        return Space.PACKET


class MessageValue(ContextValue):
    """A message of a stream (`@framed`): its `length`, if it is known yet, and its first bytes."""

    __slots__ = ("data", "length")

    def __init__(self, context: Value, data: MessageBytes, length: Scalar | None) -> None:
        super().__init__(MESSAGE, context)
        self.data = data
        self.length = length


class MessageBytes(PacketValue):
    """The first bytes of a message: `known` of them are in the array `content`, `look` at most."""

    __slots__ = ("content", "epoch", "known", "look")

    def __init__(
        self, context: ContextValue, content: Reference, known: Scalar, look: int, epoch: Epoch
    ) -> None:
        super().__init__(context)
        self.content = content
        self.known = known
        self.look = look
        self.epoch = epoch

    @property
    def space(self) -> Space:
        return self.content.space


class Window:
    """Some bytes of the packet or of an array in memory, not looked at yet: `skb.data[a:b]`.

    It begins `base` bytes, and the number `variable` (a u32 of at most `farthest`), behind the start of
    `source`. It has `size` bytes; where the program computes that, `length` says it and `size` is the most
    that it can be. With neither it goes on to the end of the packet. Good only during `epoch`.
    """

    __slots__ = ("base", "epoch", "farthest", "length", "origin", "size", "source", "variable")

    def __init__(
        self,
        source: PacketValue | Reference,
        origin: Place,
        epoch: Epoch | None,
        *,
        base: int = 0,
        variable: Value | None = None,
        farthest: int = 0,
        size: int | None = None,
        length: Scalar | None = None,
    ) -> None:
        self.source = source
        self.origin = origin
        self.epoch = epoch
        self.base = base
        self.variable = variable
        self.farthest = farthest
        self.size = size
        self.length = length


class PacketByte:
    """One byte of the packet, not looked at yet: `skb.data[i]`. `place` is a window of one byte."""

    __slots__ = ("place",)

    def __init__(self, place: Window) -> None:
        self.place = place


class MaybeNumber:
    """A number of type `type` or None: `value` is a wider integer, -1 for None. `value` is missing in a Slot.

    `what` names it for messages, `origin` is where it came from; not `nullable` once a test excluded None.
    If it is a number, it is one from `low` to `high`.
    """

    __slots__ = ("high", "low", "nullable", "origin", "type", "value", "what")

    def __init__(
        self,
        type_: Int,
        what: str,
        origin: Place,
        value: Value | None = None,
        nullable: bool = True,
        within: tuple[int, int] | None = None,
    ) -> None:
        self.type = type_
        self.what = what
        self.origin = origin
        self.value = value
        self.nullable = nullable
        self.low, self.high = within or limits(type_)

    def altered(
        self,
        *,
        value: Value | None = None,
        nullable: bool | None = None,
        within: tuple[int, int] | None = None,
    ) -> MaybeNumber:
        """A copy with what is given changed."""
        return MaybeNumber(
            self.type,
            self.what,
            self.origin,
            value or self.value,
            self.nullable if nullable is None else nullable,
            within or (self.low, self.high),
        )

    def shape(self) -> MaybeNumber:
        """What is known about it, without the value: that is kept in a variable."""
        return MaybeNumber(
            self.type, self.what, self.origin, nullable=self.nullable, within=(self.low, self.high)
        )


class GlobalValue:
    """A variable that all programs share; its place is `.value`."""

    __slots__ = ("variable",)

    def __init__(self, variable: Global) -> None:
        self.variable = variable


class MapValue:
    """A map of the policy, or one that was found in a map of maps: then `pointer` is its address."""

    __slots__ = ("map", "pointer")

    def __init__(self, map_: Map, pointer: Value | None = None) -> None:
        self.map = map_
        self.pointer = pointer


class TypeValue:
    """A scalar, structure or array type by its IR type."""

    __slots__ = ("type",)

    def __init__(self, type_: Bool | Int | BigEndian | Struct | Array) -> None:
        self.type = type_


class Method:
    """A method not yet called."""

    __slots__ = ("name", "receiver")

    def __init__(self, receiver: Operand, name: str) -> None:
        self.receiver = receiver
        self.name = name


class NoneValue:
    """Python's None: also what a call gives that gives nothing."""

    __slots__ = ()


class PythonValue:
    """Any other Python object that a name stands for: a module, a class, a function, a tuple, a string."""

    __slots__ = ("name", "object")

    def __init__(self, name: str, thing: object) -> None:
        self.name = name
        self.object = thing


Operand = (
    Scalar
    | Reference
    | ContextValue
    | ContextArray
    | SocketArray
    | KernelPart
    | PacketValue
    | Window
    | PacketByte
    | MaybeNumber
    | GlobalValue
    | MapValue
    | TypeValue
    | Method
    | NoneValue
    | PythonValue
)

NONE = NoneValue()


def constant(number: int, type_: ScalarType | None = None) -> Scalar:
    return Scalar(type_, constant=number)


def truth(flag: bool) -> Scalar:
    return Scalar(BOOL, constant=int(flag))


def type_name(type_: Type) -> str:
    """A type as a policy writes it."""
    if isinstance(type_, Struct):
        return type_.name
    if isinstance(type_, Opaque):
        return _OBJECTS.get(type_.name, type_.name)
    if isinstance(type_, Array):
        return f"Array[{type_name(type_.element)}, {type_.count}]"
    if isinstance(type_, Pointer):
        return type_name(type_.target)
    return str(type_)


# How a policy writes what is known to the kernel by another name.
_OBJECTS = {
    "bpf_sock": "Sock",
    "sock_common": "Sock",
    "bpf_tcp_sock": "TcpSock",
    "bpf_map": "map",
    "__sk_buff": "SkSkb",
    "sk_msg_md": "SkMsg",
    "bpf_sock_ops": "SockOps",
}


def with_article(thing: Type | str) -> str:
    """A type or a noun with its article: `a u32`, `an i32`."""
    name = thing if isinstance(thing, str) else type_name(thing)
    return f"{'an' if name[0] in 'aeioAEIO' else 'a'} {name}"


def describe(operand: Operand) -> str:
    """What `operand` is, in the user's words."""
    if isinstance(operand, Scalar):
        return f"the number {operand.text}" if operand.type is None else with_article(operand.type)
    if isinstance(operand, Reference):
        inner = type_name(operand.target)
        is_aggregate = isinstance(operand.target, (Struct, Array, Opaque))
        holder = with_article(inner if is_aggregate else f"place that holds {with_article(inner)}")
        return f"{holder} that may be None" if operand.nullable else holder
    if isinstance(operand, MaybeNumber):
        return with_article(operand.type) + (" that may be None" if operand.nullable else "")
    if isinstance(operand, GlobalValue):
        return f"the variable `{operand.variable.name}`"
    if isinstance(operand, MapValue):
        return f"the map `{operand.map.name}`"
    if isinstance(operand, TypeValue):
        return f"the type `{type_name(operand.type)}`"
    if isinstance(operand, Method):
        return f"the method `{operand.name}` without a call"
    if isinstance(operand, PythonValue):
        return f"a Python {type(operand.object).__name__}"
    return _SIMPLE[type(operand)]


_SIMPLE: dict[type, str] = {
    ContextValue: "the context",
    MessageValue: "the message",
    MessageBytes: "the message's data",
    ContextArray: "an array of the context",
    SocketArray: "an array of a socket",
    KernelPart: "a part of a structure of the kernel",
    PacketValue: "the packet's data",
    Window: "a slice of bytes",
    PacketByte: "a byte of the packet that may be None",
    NoneValue: "None",
}
