"""Warnings about what compiles, loads, and then does not do what its author meant, found in the IR."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from skverdict.dsl.catalogue.helpers import HELPERS
from skverdict.dsl.frontend.values import with_article
from skverdict.dsl.ir.module import Function, Location, Operation, Value
from skverdict.dsl.ir.types import BigEndian, Int, Pointer, Struct

if TYPE_CHECKING:
    from skverdict.dsl.frontend.scope import PolicyScope

_COMPARISONS = ("eq", "ne", "lt", "le", "gt", "ge")
# `remote_port` has the port in the upper half of its bits, on a little-endian machine.
_LAST_PORT = 0xFFFF
# The same comparison with its sides exchanged; and what those of an unsigned number with 0 give.
_FLIPPED = {"lt": "gt", "le": "ge", "gt": "lt", "ge": "le"}
_ALWAYS = {"lt": "always false", "ge": "always true"}
# Fields whose byte order differs from one to the other.
_ORDERED = ("local_port", "remote_port", "local_ip4", "remote_ip4")
_OTHER = {"host": "network", "network": "host"}


def find_traps(scope: PolicyScope, functions: Sequence[Function]) -> None:
    """Report each."""
    for function in functions:
        _bits_as_port(scope, function)
        _below_zero(scope, function)
        if function.kind == "stream_parser" and function.name not in scope.framed:
            _fixed_place(scope, function)
    _orders_of_keys(scope, functions)
    _members_of_keys(scope, functions)


def _operations(function: Function) -> Iterator[Operation]:
    for block in function.blocks:
        yield from block.operations


def _makers(function: Function) -> dict[int, Operation]:
    return {each.result.number: each for each in _operations(function) if each.result is not None}


# The bits of a port in network order, compared as if they were its number.


def _bits_as_port(scope: PolicyScope, function: Function) -> None:
    makers = _makers(function)
    for operation in _operations(function):
        if operation.name not in _COMPARISONS:
            continue
        sides = [makers.get(operand.number) for operand in operation.operands]
        for bits, number in (sides, reversed(sides)):
            port = int(str(number.attributes["value"])) if number is not None and number.name == "const" else 0
            if 0 < port <= _LAST_PORT and _is_port_in_bits(bits, makers):
                scope.reporter.warning(
                    scope.sources.place(operation.location),
                    f"`remote_port` is in network order, and these are its bits: no port has the bits {port}",
                    "compare the number: `.host()` in place of `.raw()`",
                )


def _is_port_in_bits(maker: Operation | None, makers: dict[int, Operation]) -> bool:
    if maker is None or maker.name != "reinterpret":
        return False
    source = makers.get(maker.operands[0].number)
    return source is not None and source.attributes.get("field") == "remote_port"


# Unsigned numbers that are compared as if they could be negative.


def _below_zero(scope: PolicyScope, function: Function) -> None:
    makers = _makers(function)
    for operation in _operations(function):
        if operation.name not in _FLIPPED:
            continue
        number, other = operation.operands
        name = operation.name
        if _is_zero(makers.get(number.number)):
            number, other, name = other, number, _FLIPPED[name]
        type_ = number.type
        if not isinstance(type_, Int) or type_.signed or not _is_zero(makers.get(other.number)):
            continue
        maker = makers.get(number.number)
        if maker is not None and maker.name == "const":
            continue
        is_difference = maker is not None and maker.name == "sub"
        if name in ("lt", "ge") or is_difference:
            hint = "compare the two before subtracting, or subtract signed numbers, such as `i64(a) - b`"
            scope.reporter.warning(
                scope.sources.place(operation.location),
                f"{with_article(type_)} is never negative: "
                + ("a difference below 0 wraps to a large number" if is_difference else f"this is {_ALWAYS[name]}"),
                hint if is_difference else "compare it with another number, or make it signed, such as `i64(n)`",
            )


def _is_zero(maker: Operation | None) -> bool:
    return maker is not None and maker.name == "const" and int(str(maker.attributes["value"])) == 0


# Parsers that take the segment's beginning for the message's.


def _fixed_place(scope: PolicyScope, function: Function) -> None:
    makers = _makers(function)
    for operation in _operations(function):
        if _reads_at_fixed_place(operation, makers):
            scope.reporter.warning(
                scope.sources.place(operation.location),
                f"the parser `{function.name}` reads at a fixed place, which counts from the start of the received "
                "segment: the second message of a segment is taken for the first again",
                "frame the stream with `@framed`, which follows where each message begins",
            )
            return


def _reads_at_fixed_place(operation: Operation, makers: dict[int, Operation]) -> bool:
    if operation.name == "packet.view":
        return len(operation.operands) == 1
    if operation.attributes.get("helper") != "bpf_skb_load_bytes":
        return False
    offset = makers.get(operation.operands[1].number)
    while offset is not None and offset.name == "convert":
        offset = makers.get(offset.operands[0].number)
    return offset is not None and offset.name == "const"


# Keys of sockets whose numbers are in one byte order here and in the other there.


class _Part(NamedTuple):
    """A member of a map's key, or all of it (no name); the field that went into it, in which byte order."""

    map: str
    member: str
    field: str
    order: str
    location: Location


def _orders_of_keys(scope: PolicyScope, functions: Sequence[Function]) -> None:
    first: dict[tuple[str, str], _Part] = {}
    for part in (part for function in functions for part in _parts(function)):
        known = first.setdefault((part.map, part.member), part)
        if known.order != part.order:
            what = f"`{part.member}` of the key" if part.member else "the key"
            scope.reporter.warning(
                scope.sources.place(part.location),
                f"{what} of `{part.map}` is `{part.field}` in {part.order} order here and `{known.field}` in "
                f"{known.order} order elsewhere, so that what is put in at one is not found at the other",
                "use `.host()` on what is in network order, or `.raw()`, at both places alike",
                [(scope.sources.place(known.location), "the other place")],
            )
            return


def _parts(function: Function) -> Iterator[_Part]:
    """The parts of the keys that a function hands to helpers, of which the byte order is known."""
    makers = _makers(function)
    written = _written(function, makers)
    for operation in _operations(function):
        if operation.name != "call.helper":
            continue
        map_ = ""
        for argument, operand in zip(
            HELPERS[str(operation.attributes["helper"])].arguments, operation.operands, strict=False
        ):
            maker = makers.get(operand.number)
            if argument.kind == "map" and maker is not None:
                map_ = str(maker.attributes.get("map", ""))
            elif argument.kind == "key" and map_ and maker is not None and maker.name == "local.address":
                for member, value, location in written.get(str(maker.attributes["local"]), ()):
                    for field, order in _orders(value, makers, set()):
                        yield _Part(map_, member, field, order, location)


def _written(
    function: Function, makers: dict[int, Operation]
) -> dict[str, list[tuple[str, Value, Location]]]:
    """What is put into each local: the member, the value and where."""
    written: dict[str, list[tuple[str, Value, Location]]] = {}
    for operation in _operations(function):
        if operation.location is None:
            continue
        if operation.name == "local.set":
            local, member = str(operation.attributes["local"]), ""
        elif operation.name == "store":
            target = makers.get(operation.operands[0].number)
            holder = makers.get(target.operands[0].number) if target and target.name == "member" else None
            if target is None or holder is None or holder.name != "local.address":
                continue
            local, member = str(holder.attributes["local"]), str(target.attributes["name"])
        else:
            continue
        written.setdefault(local, []).append((member, operation.operands[-1], operation.location))
    return written


def _orders(value: Value, makers: dict[int, Operation], seen: set[int]) -> Iterator[tuple[str, str]]:
    """The fields that a number is, each with the byte order that it is in."""
    maker = makers.get(value.number)
    if maker is None or value.number in seen:
        return
    seen.add(value.number)
    if maker.name == "context.load":
        field = str(maker.attributes["field"])
        if field in _ORDERED:
            yield field, "network" if isinstance(value.type, BigEndian) else "host"
    elif maker.name in ("convert", "reinterpret"):
        yield from _orders(maker.operands[0], makers, seen)
    elif maker.name == "swap":
        for field, order in _orders(maker.operands[0], makers, seen):
            yield field, _OTHER[order]


# Keys of sockets of which a member is set here and left zero there.

# What puts a socket under a key, and what looks for one there.
_KEYED = ("bpf_sock_hash_update", "bpf_sk_redirect_hash", "bpf_msg_redirect_hash")
_INSIDE = ("member", "element", "part")


class _Key(NamedTuple):
    """A structure that is handed to a helper as a key, and its members that were set to something."""

    map: str
    struct: Struct
    members: frozenset[str]
    location: Location


def _members_of_keys(scope: PolicyScope, functions: Sequence[Function]) -> None:
    keys: dict[str, list[_Key]] = {}
    for key in (key for function in functions for key in _keys(function)):
        keys.setdefault(key.map, []).append(key)
    for name, found in keys.items():
        for member in found[0].struct.members:
            there = [key for key in found if member.name in key.members]
            without = [key for key in found if member.name not in key.members]
            if there and without:
                scope.reporter.warning(
                    scope.sources.place(without[0].location),
                    f"`{member.name}` of the key of `{name}` is left 0 here and is set elsewhere, so that what is put "
                    "in at one is not found at the other",
                    f"set `{member.name}` at both places, or at none",
                    [(scope.sources.place(there[0].location), "the other place")],
                )
                return


def _keys(function: Function) -> Iterator[_Key]:
    """The keys of which it is known what is in them: nothing else is done with them."""
    makers = _makers(function)
    keys: list[tuple[str, Value, Location]] = []
    members: dict[str, set[str]] = {}
    unknown: set[str] = set()
    for operation in _operations(function):
        for number, operand in enumerate(operation.operands):
            local, member = _place_on_stack(operand, makers)
            if not local or operation.name in _INSIDE:
                continue
            if operation.name == "call.helper" and operation.attributes["helper"] in _KEYED and number == 2:
                map_ = makers.get(operation.operands[1].number)
                if map_ is not None and operation.location is not None:
                    keys.append((str(map_.attributes.get("map", "")), operand, operation.location))
            elif operation.name == "store" and number == 0:
                if not _is_zero(makers.get(operation.operands[1].number)):
                    members.setdefault(local, set()).add(member)
            elif operation.name != "load":
                unknown.add(local)
    for name, operand, location in keys:
        local, _ = _place_on_stack(operand, makers)
        struct = operand.type.target if isinstance(operand.type, Pointer) else None
        if name and local not in unknown and isinstance(struct, Struct):
            yield _Key(name, struct, frozenset(members.get(local, ())), location)


def _place_on_stack(value: Value, makers: dict[int, Operation]) -> tuple[str, str]:
    """The local that an address leads into, and the member of it; empty for another address."""
    member = ""
    maker = makers.get(value.number)
    while maker is not None and maker.name in _INSIDE:
        member = str(maker.attributes.get("name", member))
        maker = makers.get(maker.operands[0].number)
    is_local = maker is not None and maker.name == "local.address"
    return (str(maker.attributes["local"]) if maker is not None and is_local else "", member)
