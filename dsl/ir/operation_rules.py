"""What single operations ask for beside their row: types and names that depend on one another."""

from __future__ import annotations

from collections.abc import Iterator

from skverdict.dsl.catalogue.contexts import CONTEXTS, Context, Field
from skverdict.dsl.catalogue.sockets import STRUCTURES
from skverdict.dsl.ir.call_rules import call, call_helper
from skverdict.dsl.ir.kernel_path import PathError, follow
from skverdict.dsl.ir.module import SUBPROGRAM
from skverdict.dsl.ir.site import Rule, Site, fits, gives, named
from skverdict.dsl.ir.types import (
    U8,
    U32,
    U64,
    VOID,
    Array,
    BigEndian,
    Bool,
    Int,
    Opaque,
    Pointer,
    Space,
    Struct,
    Type,
    size_of,
)


def _const(site: Site) -> Iterator[str]:
    if not fits(site.number("value"), site.result):
        yield f"{site.number('value')} is no {site.result}"


def _const_order(site: Site) -> Iterator[str]:
    for name in ("little", "big"):
        if not fits(site.number(name), site.result):
            yield f"{site.number(name)} is no {site.result}"


def _other_order(site: Site) -> Iterator[str]:
    operand, result = site.operand(0), site.result
    if isinstance(operand, Bool) or isinstance(result, Bool):
        yield "a bool has no byte order"
    if isinstance(operand, BigEndian) == isinstance(result, BigEndian):
        yield f"{operand} and {result}: one of them is to be in network order"
    if size_of(operand) != size_of(result):
        yield f"{operand} and {result} differ in width"


def _local_address(site: Site) -> Iterator[str]:
    yield from named(site, "local", site.locals)
    type_ = site.locals[site.text("local")]
    if isinstance(type_, Pointer):
        yield f"local {site.text('local')} holds a pointer, which has no address"
    yield from gives(Pointer(type_, Space.STACK), site)


def _local_zero(site: Site) -> Iterator[str]:
    yield from named(site, "local", site.locals)


def _member(site: Site) -> Iterator[str]:
    pointer, name = site.pointer(0), site.text("name")
    member = pointer.target.member(name) if isinstance(pointer.target, Struct) else None
    if member is None:
        yield f"{pointer.target} has no member {name}"
    else:
        yield from gives(Pointer(member.type, pointer.space), site)


def _element(site: Site) -> Iterator[str]:
    pointer = site.pointer(0)
    if isinstance(pointer.target, Array):
        yield from gives(Pointer(pointer.target.element, pointer.space), site)
    else:
        yield f"{pointer.target} has no elements"


def _part(site: Site) -> Iterator[str]:
    base, result, offset = site.pointer(0), site.result, site.number("offset")
    more = [operand.type for operand in site.operation.operands[1:]]
    if len(more) > 1 or any(not isinstance(type_, Int) or type_.signed for type_ in more):
        yield "takes a pointer and at most one unsigned integer"
    if not isinstance(base.target, (Struct, Array)):
        yield f"{base.target} has no parts"
    if not isinstance(result, Pointer) or result.space is not base.space or result.nullable:
        yield f"its result is {result}, not a pointer into {base.space.value} memory"
    elif not isinstance(result.target, (Bool, Int, BigEndian, Array, Struct)):
        yield f"{result.target} cannot lie in memory"
    elif offset < 0 or offset + size_of(result.target) > size_of(base.target):
        yield f"{size_of(result.target)} bytes at {offset} are outside of {base.target}"


def _copy(site: Site) -> Iterator[str]:
    to, source = site.pointer(0).target, site.pointer(1).target
    if to != source:
        yield f"copies {source} to {to}"
    if isinstance(to, Opaque):
        yield f"{to} has no size"


def _field(context: Context, text: str) -> tuple[Field | None, str]:
    """The field that an access means, or None and what is wrong."""
    name, dot, index = text.partition(".")
    field = context.fields.get(name)
    if field is None:
        return None, f"{context.name} has no field {name}"
    if isinstance(field.type, Array):
        if not (index.isdecimal() and index.isascii() and int(index) < field.type.count):
            return None, f"field {name} has elements {name}.0 to {name}.{field.type.count - 1}"
    elif dot:
        return None, f"field {name} has no elements"
    return field, ""


def _field_type(field: Field) -> Type:
    return field.type.element if isinstance(field.type, Array) else field.type


def _context_load(site: Site) -> Iterator[str]:
    field, problem = _field(CONTEXTS[str(site.pointer(0).target)], site.text("field"))
    if field is None:
        yield problem
    elif not site.permits(field.readers):
        yield f"a {site.function.kind} cannot read field {field.name}"
    elif field.role in ("data", "data_end"):
        yield f"field {field.name} bounds the packet, which packet.view reads"
    elif field.role == "socket":
        result = site.result
        if not isinstance(result, Pointer) or result.space is not Space.SOCKET:
            yield f"its result is {result}, not a socket pointer"
        elif result.nullable != field.nullable:
            yield f"its result is {result}, but {'may' if field.nullable else 'cannot'} be NULL"
    else:
        yield from gives(_field_type(field), site)


def _context_store(site: Site) -> Iterator[str]:
    field, problem = _field(CONTEXTS[str(site.pointer(0).target)], site.text("field"))
    if field is None:
        yield problem
    elif not site.permits(field.writers):
        yield f"a {site.function.kind} cannot write field {field.name}"
    elif site.operand(1) != _field_type(field):
        yield f"operand 1 is {site.operand(1)}, but field {field.name} is {_field_type(field)}"


def _socket_load(site: Site) -> Iterator[str]:
    pointer, name = site.pointer(0), site.text("field")
    structure = STRUCTURES.get(str(pointer.target))
    if structure is None or pointer.space is not Space.SOCKET:
        yield f"{pointer} has no fields"
        return
    field, problem = _field(structure, name)
    if field is None:
        yield problem
    else:
        yield from gives(_field_type(field), site)


def _kernel_place(site: Site) -> Iterator[str]:
    pointer, path = site.pointer(0), site.text("field")
    struct = site.structs.get(str(pointer.target))
    if struct is None or pointer.space is not Space.OBJECT:
        yield f"{pointer} leads to no structure of the kernel that is declared"
        return
    try:
        place = follow(struct, path)
    except PathError as error:
        yield str(error)
        return
    if site.operation.name == "kernel.load":
        if isinstance(place.type, (Struct, Array)):
            yield f"{place.type} is more than can be read at once"
        yield from gives(place.type, site)
    elif site.operation.name == "kernel.address":
        yield from gives(U64, site)


def _atomic(site: Site) -> Iterator[str]:
    pointer = site.pointer(0)
    if not isinstance(pointer.target, Int) or pointer.target.bits < 32:
        yield f"{pointer.target} cannot be changed atomically"
    if pointer.space not in (Space.STACK, Space.MAP_VALUE, Space.RECORD):
        yield f"{pointer.space.value} memory cannot be changed atomically"
    if site.operation.result is not None:
        yield from gives(pointer.target, site)


def _or_null(site: Site) -> Iterator[str]:
    yield from gives(site.pointer(1)._replace(nullable=True), site)


def _packet_view(site: Site) -> Iterator[str]:
    if [operand.type for operand in site.operation.operands[1:]] not in ([], [U32]):
        yield "takes a context and at most one u32"
    for name in ("offset", "limit"):
        if not fits(site.number(name), U32):
            yield f"{name} {site.number(name)} is no u32"
    result = site.result
    if not isinstance(result, Pointer) or result.space is not Space.PACKET:
        yield f"its result is {result}, not a pointer to packet bytes"


def _assume_non_null(site: Site) -> Iterator[str]:
    yield from gives(site.pointer(0)._replace(nullable=False), site)


def _map(site: Site) -> Iterator[str]:
    yield from named(site, "map", site.maps)
    if not (isinstance(site.result, Pointer) and site.result.space is Space.MAP):
        yield f"its result is {site.result}, not a map pointer"


def _global(site: Site) -> Iterator[str]:
    yield from named(site, "global", site.globals)
    yield from gives(Pointer(site.globals[site.text("global")].type, Space.MAP_VALUE), site)


def _function(site: Site) -> Iterator[str]:
    yield from named(site, "function", site.functions)
    if site.functions[site.text("function")].kind != SUBPROGRAM:
        yield f"{site.text('function')} is a program of its own"
    yield from gives(Pointer(Opaque("function"), Space.FUNCTION), site)


def _string(site: Site) -> Iterator[str]:
    text = site.text("text")
    if "\0" in text:
        yield "a string ends at its first NUL"
    try:
        content = text.encode()
    except UnicodeEncodeError:
        yield "it is no UTF-8"
    else:
        yield from gives(Pointer(Array(U8, len(content) + 1), Space.MAP_VALUE), site)


def _switch(site: Site) -> Iterator[str]:
    cases = [site.number(f"case{index}") for index in range(len(site.operation.successors) - 1)]
    for value in cases:
        if not fits(value, site.operand(0)):
            yield f"case {value} is no {site.operand(0)}"
        if cases.count(value) > 1:
            yield f"case {value} stands there twice"


def _return(site: Site) -> Iterator[str]:
    given = [operand.type for operand in site.operation.operands]
    if given != ([] if site.function.result == VOID else [site.function.result]):
        values = ", ".join(str(type_) for type_ in given) or "nothing"
        yield f"returns {values} from a function that gives {site.function.result}"


RULES: dict[str, tuple[Rule, ...]] = {
    "const": (_const,),
    "const.order": (_const_order,),
    "swap": (_other_order,),
    "reinterpret": (_other_order,),
    "local.address": (_local_address,),
    "local.zero": (_local_zero,),
    "member": (_member,),
    "element": (_element,),
    "part": (_part,),
    "copy": (_copy,),
    "context.load": (_context_load,),
    "context.store": (_context_store,),
    "socket.load": (_socket_load,),
    **{f"kernel.{name}": (_kernel_place,) for name in ("load", "address", "exists")},
    **{f"atomic.{name}": (_atomic,) for name in ("add", "and", "or", "xor", "exchange", "compare_exchange")},
    "packet.view": (_packet_view,),
    "assume_non_null": (_assume_non_null,),
    "or_null": (_or_null,),
    "map": (_map,),
    "global": (_global,),
    "function": (_function,),
    "string": (_string,),
    "call.helper": (call_helper,),
    "call": (call,),
    "switch": (_switch,),
    "return": (_return,),
}
