"""What a function of the IR computes: each operation's meaning as `operations` tells it, on Python's integers.

For functions that compute: the packet is the only memory beside the stack, and there are no maps and helpers.
An address is a buffer and an offset in it; numbers lie in it in the machine's byte order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, NamedTuple

from skverdict.dsl.ir.module import Function, Module, Operation
from skverdict.dsl.ir.types import Array, BigEndian, Bool, Int, Pointer, Struct, Type, size_of

ByteOrder = Literal["little", "big"]


class Address(NamedTuple):
    """Byte `offset` of `buffer`."""

    buffer: bytearray
    offset: int


# A number (of a BigEndian the host-order number, of a Bool 0 or 1), or an address; None is NULL.
Computed = int | Address | None


class Unsupported(Exception):
    """The function does what only a kernel can do."""


class TooLong(Exception):
    """The function ran for more operations than it was given."""


def wrap(number: int, type_: Type) -> int:
    """`number` cut to the width of a scalar type."""
    if isinstance(type_, Bool):
        return number & 1
    assert isinstance(type_, (Int, BigEndian))
    number &= (1 << type_.bits) - 1
    if isinstance(type_, Int) and type_.signed and number >> (type_.bits - 1):
        number -= 1 << type_.bits
    return number


def evaluate(
    module: Module,
    name: str,
    packet: bytearray,
    fields: Mapping[str, int],
    byteorder: ByteOrder = "little",
    most: int = 1_000_000,
) -> int:
    """What the program `name` returns for a packet, which it may change, and a context of such fields.

    Raises Unsupported for what only a kernel can do, TooLong after `most` operations.
    """
    functions = {function.name: function for function in module.functions}
    result = _Run(functions, packet, fields, byteorder, most).call(functions[name], [Address(bytearray(), 0)])
    assert isinstance(result, int)
    return result


class _Run:
    def __init__(
        self,
        functions: Mapping[str, Function],
        packet: bytearray,
        fields: Mapping[str, int],
        byteorder: ByteOrder,
        most: int,
    ) -> None:
        self.functions = functions
        self.packet = packet
        self.fields = fields
        self.byteorder = byteorder
        self.left = most

    def call(self, function: Function, arguments: Sequence[Computed]) -> Computed:
        frame = _Frame(self, function, arguments)
        blocks = {block.label: block for block in function.blocks}
        block = function.blocks[0]
        while True:
            for operation in block.operations:
                self.left -= 1
                if self.left < 0:
                    raise TooLong
                if operation.name == "return":
                    return frame.values[operation.operands[0].number] if operation.operands else None
                if operation.successors:
                    block = blocks[frame.successor(operation)]
                    break
                found = frame.run(operation)
                if operation.result is not None:
                    frame.values[operation.result.number] = found

    def load(self, address: Address, type_: Type) -> int:
        """The scalar that lies at an address."""
        content = bytes(address.buffer[address.offset : address.offset + size_of(type_)])
        if isinstance(type_, BigEndian):
            return int.from_bytes(content, "big")
        return wrap(int.from_bytes(content, self.byteorder), type_)

    def store(self, address: Address, type_: Type, number: int) -> None:
        size = size_of(type_)
        order: ByteOrder = "big" if isinstance(type_, BigEndian) else self.byteorder
        content = (number & ((1 << 8 * size) - 1)).to_bytes(size, order)
        address.buffer[address.offset : address.offset + size] = content


class _Frame:
    """One call. Locals that hold numbers or structures are buffers, those that hold pointers are kept as such."""

    def __init__(self, run: _Run, function: Function, arguments: Sequence[Computed]) -> None:
        self.machine = run
        self.values: dict[int, Computed] = {
            parameter.value.number: argument
            for parameter, argument in zip(function.parameters, arguments, strict=True)
        }
        self.types = {local.name: local.type for local in function.locals}
        self.locals = {
            local.name: bytearray(size_of(local.type))
            for local in function.locals
            if not isinstance(local.type, Pointer)
        }
        self.pointers: dict[str, Computed] = {}

    def number(self, operation: Operation, index: int) -> int:
        found = self.values[operation.operands[index].number]
        assert isinstance(found, int)
        return found

    def address(self, operation: Operation, index: int) -> Address:
        found = self.values[operation.operands[index].number]
        assert isinstance(found, Address)
        return found

    def successor(self, operation: Operation) -> str:
        if operation.name == "branch":
            return operation.successors[0 if self.number(operation, 0) else 1]
        if operation.name == "switch":
            value = self.number(operation, 0)
            for case in range(len(operation.successors) - 1):
                if operation.attributes[f"case{case}"] == value:
                    return operation.successors[case + 1]
        return operation.successors[0]

    def run(self, operation: Operation) -> Computed:
        rule = _RULES.get(operation.name)
        if rule is None:
            raise Unsupported(operation.name)
        return rule(self, operation)


def _type(operation: Operation) -> Type:
    assert operation.result is not None
    return operation.result.type


def _divide(first: int, second: int) -> int:
    return first // second if second else 0


def _remainder(first: int, second: int) -> int:
    return first % second if second else first


_ARITHMETIC: dict[str, Callable[[int, int], int]] = {
    "add": lambda first, second: first + second,
    "sub": lambda first, second: first - second,
    "mul": lambda first, second: first * second,
    "div": _divide,
    "mod": _remainder,
    "and": lambda first, second: first & second,
    "or": lambda first, second: first | second,
    "xor": lambda first, second: first ^ second,
}
_SHIFTS: dict[str, Callable[[int, int], int]] = {
    "shl": lambda value, count: value << count,
    "shr": lambda value, count: value >> count,
}
_COMPARISONS: dict[str, Callable[[int, int], bool]] = {
    "eq": lambda first, second: first == second,
    "ne": lambda first, second: first != second,
    "lt": lambda first, second: first < second,
    "le": lambda first, second: first <= second,
    "gt": lambda first, second: first > second,
    "ge": lambda first, second: first >= second,
}

_Rule = Callable[[_Frame, Operation], Computed]


def _arithmetic(plain: Callable[[int, int], int]) -> _Rule:
    return lambda frame, operation: wrap(
        plain(frame.number(operation, 0), frame.number(operation, 1)), _type(operation)
    )


def _shift(plain: Callable[[int, int], int]) -> _Rule:
    def rule(frame: _Frame, operation: Operation) -> Computed:
        type_ = _type(operation)
        assert isinstance(type_, Int)
        count = frame.number(operation, 1) & (type_.bits - 1)
        return wrap(plain(frame.number(operation, 0), count), type_)

    return rule


def _comparison(plain: Callable[[int, int], bool]) -> _Rule:
    return lambda frame, operation: int(plain(frame.number(operation, 0), frame.number(operation, 1)))


def _const(frame: _Frame, operation: Operation) -> Computed:
    return int(operation.attributes["value"])


def _const_order(frame: _Frame, operation: Operation) -> Computed:
    return int(operation.attributes[frame.machine.byteorder])


def _not(frame: _Frame, operation: Operation) -> Computed:
    return 1 - frame.number(operation, 0)


def _convert(frame: _Frame, operation: Operation) -> Computed:
    return wrap(frame.number(operation, 0), _type(operation))


def _reinterpret(frame: _Frame, operation: Operation) -> Computed:
    type_, source = _type(operation), operation.operands[0].type
    buffer = Address(bytearray(size_of(type_)), 0)
    frame.machine.store(buffer, source, frame.number(operation, 0))
    return frame.machine.load(buffer, type_)


def _select(frame: _Frame, operation: Operation) -> Computed:
    return frame.number(operation, 1 if frame.number(operation, 0) else 2)


def _local_get(frame: _Frame, operation: Operation) -> Computed:
    name = str(operation.attributes["local"])
    if name not in frame.locals:
        return frame.pointers.get(name)
    return frame.machine.load(Address(frame.locals[name], 0), frame.types[name])


def _local_set(frame: _Frame, operation: Operation) -> Computed:
    name = str(operation.attributes["local"])
    value = frame.values[operation.operands[0].number]
    if name in frame.locals:
        assert isinstance(value, int)
        frame.machine.store(Address(frame.locals[name], 0), frame.types[name], value)
    else:
        frame.pointers[name] = value
    return None


def _local_address(frame: _Frame, operation: Operation) -> Computed:
    return Address(frame.locals[str(operation.attributes["local"])], 0)


def _local_zero(frame: _Frame, operation: Operation) -> Computed:
    local = frame.locals[str(operation.attributes["local"])]
    local[:] = bytes(len(local))
    return None


def _target(operation: Operation) -> Type:
    pointer = operation.operands[0].type
    assert isinstance(pointer, Pointer)
    return pointer.target


def _member(frame: _Frame, operation: Operation) -> Computed:
    base, struct = frame.address(operation, 0), _target(operation)
    assert isinstance(struct, Struct)
    member = struct.member(str(operation.attributes["name"]))
    assert member is not None
    return Address(base.buffer, base.offset + member.offset)


def _element(frame: _Frame, operation: Operation) -> Computed:
    base, array = frame.address(operation, 0), _target(operation)
    assert isinstance(array, Array)
    index = frame.number(operation, 1)
    assert 0 <= index < array.count
    return Address(base.buffer, base.offset + index * size_of(array.element))


def _load(frame: _Frame, operation: Operation) -> Computed:
    return frame.machine.load(frame.address(operation, 0), _type(operation))


def _store(frame: _Frame, operation: Operation) -> Computed:
    frame.machine.store(frame.address(operation, 0), _target(operation), frame.number(operation, 1))
    return None


def _copy(frame: _Frame, operation: Operation) -> Computed:
    to, source, size = frame.address(operation, 0), frame.address(operation, 1), size_of(_target(operation))
    to.buffer[to.offset : to.offset + size] = source.buffer[source.offset : source.offset + size]
    return None


def _context_load(frame: _Frame, operation: Operation) -> Computed:
    field = str(operation.attributes["field"])
    if field not in frame.machine.fields:
        raise Unsupported(f"context field {field}")
    return frame.machine.fields[field]


def _packet_view(frame: _Frame, operation: Operation) -> Computed:
    start = int(operation.attributes["offset"])
    if len(operation.operands) > 1:
        start += frame.number(operation, 1)
    type_ = _type(operation)
    assert isinstance(type_, Pointer)
    packet = frame.machine.packet
    return Address(packet, start) if start + size_of(type_.target) <= len(packet) else None


def _is_null(frame: _Frame, operation: Operation) -> Computed:
    return int(frame.values[operation.operands[0].number] is None)


def _assume_non_null(frame: _Frame, operation: Operation) -> Computed:
    return frame.address(operation, 0)


def _call(frame: _Frame, operation: Operation) -> Computed:
    function = frame.machine.functions[str(operation.attributes["function"])]
    return frame.machine.call(function, [frame.values[each.number] for each in operation.operands])


_RULES: dict[str, _Rule] = {
    **{name: _arithmetic(plain) for name, plain in _ARITHMETIC.items()},
    **{name: _shift(plain) for name, plain in _SHIFTS.items()},
    **{name: _comparison(plain) for name, plain in _COMPARISONS.items()},
    "const": _const,
    "const.order": _const_order,
    "not": _not,
    "convert": _convert,
    "swap": _convert,
    "reinterpret": _reinterpret,
    "select": _select,
    "local.get": _local_get,
    "local.set": _local_set,
    "local.address": _local_address,
    "local.zero": _local_zero,
    "member": _member,
    "element": _element,
    "load": _load,
    "store": _store,
    "copy": _copy,
    "context.load": _context_load,
    "packet.view": _packet_view,
    "is_null": _is_null,
    "assume_non_null": _assume_non_null,
    "call": _call,
}
