"""Fields of the context and of sockets, and packet bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from skverdict.dsl.catalogue.contexts import CONTEXTS
from skverdict.dsl.catalogue.sockets import STRUCTURES
from skverdict.dsl.ir.types import Array, Opaque, Pointer, Space, size_of

if TYPE_CHECKING:
    from skverdict.codegen.lowering.emitter import FunctionEmitter
    from skverdict.dsl.catalogue.contexts import Context
    from skverdict.dsl.ir.module import Operation, Value

# LLVM merges, narrows and re-bases plain loads and stores, which the verifier refuses in a context. These two
# intrinsics carry a byte offset to the very end and become one access of their own width; `volatile` keeps
# the instruction selector from narrowing them. Operands: volatile, not atomic, system scope, log2 of the
# alignment, in bounds, byte index.
_ACCESS = "i1 true, i8 0, i8 1, i8 {align}, i1 true, i32 {offset}"
_ACCESS_TYPES = "ptr, i1, i8, i8, i8, i1, ..."
_ACCESS_PARAMETERS = "ptr captures(none), i1 immarg, i8 immarg, i8 immarg, i8 immarg, i1 immarg, ..."
_ACCESS_ATTRIBUTES = "nocallback nofree nosync nounwind willreturn"


# The verifier takes no packet offset beyond this (`MAX_PACKET_OFF` in kernel/bpf/verifier.c).
MAX_PACKET_OFFSET = 0xFFFF


def _context(value: Value) -> Context:
    """The structure that a context or a socket has its fields in."""
    assert isinstance(value.type, Pointer) and isinstance(value.type.target, Opaque)
    tables = STRUCTURES if value.type.space is Space.SOCKET else CONTEXTS
    return tables[value.type.target.name]


def _access(offset: int, size: int) -> str:
    return _ACCESS.format(align=size.bit_length() - 1, offset=offset)


def load_field(
    f: FunctionEmitter, context: Value, offset: int, size: int, limits: str = "", beside: str = ""
) -> str:
    """The operand of `size` bytes at `offset` in the context; `limits` is an attribute of the result.

    With `beside`, a number of 64 bits, it is loaded again for each such number.
    """
    base = f.operand(context)
    if beside:
        base = f.define(f'call ptr asm "", "=r,0,r"(ptr {base}, i64 {beside}) nounwind memory(none)')
    kind = f"i{8 * size}"
    name = f"@llvm.bpf.getelementptr.and.load.{kind}"
    f.module.declare(f"declare {kind} {name}({_ACCESS_PARAMETERS}) {_ACCESS_ATTRIBUTES} memory(argmem: read)")
    pointer = f"ptr readonly elementtype(i8) {base}"
    call = f"call {limits}{kind} ({_ACCESS_TYPES}) {name}({pointer}, {_access(offset, size)})"
    return f.define(f"{call} memory(argmem: read)")


def store_field(f: FunctionEmitter, context: Value, offset: int, size: int, operand: str) -> None:
    """Write `size` bytes at `offset` in the context."""
    kind = f"i{8 * size}"
    name = f"@llvm.bpf.getelementptr.and.store.{kind}"
    f.module.declare(
        f"declare void {name}({kind}, {_ACCESS_PARAMETERS}) {_ACCESS_ATTRIBUTES} memory(argmem: write)"
    )
    pointer = f"ptr writeonly elementtype(i8) {f.operand(context)}"
    f.emit(
        f"call void ({kind}, {_ACCESS_TYPES}) {name}({kind} {operand}, {pointer}, {_access(offset, size)}) "
        "memory(argmem: write)"
    )


def _place(operation: Operation) -> tuple[int, int]:
    """Offset and size in bytes of the field, or array element, that an operation names."""
    attribute = operation.attributes["field"]
    assert isinstance(attribute, str)
    name, _, index = attribute.partition(".")
    field = _context(operation.operands[0]).fields[name]
    if not isinstance(field.type, Array):
        return field.offset, size_of(field.type)
    size = size_of(field.type.element)
    return field.offset + int(index) * size, size


def lower_context_load(f: FunctionEmitter, operation: Operation) -> None:
    assert operation.result is not None
    loaded = load_field(f, operation.operands[0], *_place(operation))
    if isinstance(operation.result.type, Pointer):
        loaded = f.define(f"inttoptr i64 {loaded} to ptr")
    f.bind(operation, loaded)


def lower_context_store(f: FunctionEmitter, operation: Operation) -> None:
    context, value = operation.operands
    store_field(f, context, *_place(operation), f.operand(value))


def _load_pointer(f: FunctionEmitter, context: Value, role: str, beside: str = "") -> str:
    """The field with that role, as a pointer; it is a number of 4 or 8 bytes in the structure."""
    field = next(field for field in _context(context).fields.values() if field.role == role)
    size = size_of(field.type)
    # Not NULL where it counts: an absent packet has an end of 0 too, so that no view of it is inside.
    loaded = load_field(f, context, field.offset, size, f"range(i{8 * size} 1, 0) ", beside)
    if size < 8:
        loaded = f.define(f"zext i{8 * size} {loaded} to i64")
    return f.define(f"inttoptr i64 {loaded} to ptr")


def load_packet_end(f: FunctionEmitter, context: Value) -> str:
    """The end of the packet, as a pointer."""
    return _load_pointer(f, context, "data_end")


def lower_packet_view(f: FunctionEmitter, operation: Operation) -> None:
    context, *more = operation.operands
    assert operation.result is not None and isinstance(operation.result.type, Pointer)
    offset = operation.attributes["offset"]
    assert isinstance(offset, int)
    last = MAX_PACKET_OFFSET - offset - size_of(operation.result.type.target)
    if last < 0:
        f.bind(operation, "null")
        return
    distance = f.define(f"zext {f.typed(more[0])} to i64") if more else ""
    # The verifier notes at a pointer how far the packet is known to reach: at one that stays the same while a loop
    # goes on, all that the turns before found, and each of that is another case of the rest of the loop.
    is_repeated = operation.result.number in f.repeated
    start = _load_pointer(f, context, "data", distance if is_repeated else "")
    end = load_packet_end(f, context)
    inside_label, outside_label, joined = (f.new_label() for _ in range(3))
    is_far = False
    if more:
        limit = operation.attributes["limit"]
        assert isinstance(limit, int)
        is_far = f.bounds.largest(more[0]) > last and not (limit <= last and f.bounds.is_known(more[0]))
        if is_far:
            # One register for the comparison and the addition, else the verifier does not connect them; another one
            # where the bound is another, since an address keeps the bound that it was made with.
            distance = f.hide(distance, 64, beside=last)
            far = f.define(f"icmp ugt i64 {distance}, {last}")
            near_label = f.new_label()
            f.emit(f"br i1 {far}, label %{outside_label}, label %{near_label}")
            f.start_block(near_label)
        elif is_repeated:
            # Else LLVM counts the rounds of the loop beforehand, with arithmetic that no packet pointer may have.
            distance = f.hide(distance, 64)
        start = f.define(f"getelementptr inbounds nuw i8, ptr {start}, i64 {distance}")
    view = f.define(f"getelementptr inbounds nuw i8, ptr {start}, i64 {offset}") if offset else start
    past = f.define(f"getelementptr i8, ptr {start}, i64 {MAX_PACKET_OFFSET - last}")
    if is_far:
        # Else LLVM may make one condition of both, in which the verifier sees neither.
        past = f.hide_address(past)
    outside = f.define(f"icmp ugt ptr {past}, {end}")
    f.emit(f"br i1 {outside}, label %{outside_label}, label %{inside_label}")
    for label in (inside_label, outside_label):
        f.start_block(label)
        f.emit(f"br label %{joined}")
    f.start_block(joined)
    f.bind(operation, f.define(f"phi ptr [ {view}, %{inside_label} ], [ null, %{outside_label} ]"))


RULES = {
    "context.load": lower_context_load,
    "context.store": lower_context_store,
    "socket.load": lower_context_load,
    "packet.view": lower_packet_view,
}
