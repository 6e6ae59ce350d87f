"""What each IR operation is: operands, attributes, result, and whether it ends a block.

The front end builds these, `check` holds a module against this table, `text` prints and parses them, and code
generation lowers them; an operation that is not here does not exist.
"""

from __future__ import annotations

from typing import NamedTuple


class OperationKind(NamedTuple):
    """One row. `operands` and `result` are words for types that `check` knows:

    `T` a scalar, the same type everywhere in the row; `int T` an integer, likewise; `scalar`, `int`, `bool`
    any such type, `a|b` either; `ptr` a non-null pointer; `ptr?` any pointer, and as a result a nullable one;
    `context` a non-null context pointer; `target` the scalar, or address of a context, that
    operand 0 points to; `local` what the local
    holds; `field` what the context field is, a scalar or a pointer; `any` anything, or no result; `...` any
    number of further operands.

    `attributes` maps a name to `int` or `name`. `successors` counts labels; -1: one, and one for each
    attribute `case0`, `case1`, ...
    """

    name: str
    operands: tuple[str, ...] = ()
    result: str = "void"
    attributes: tuple[tuple[str, str], ...] = ()
    successors: int = 0
    terminator: bool = False


def _rows() -> list[OperationKind]:
    row = OperationKind
    arithmetic = [row(name, ("int T", "int T"), "T") for name in (
        # Wraps at the width of T.
        "add", "sub", "mul",
        # Unsigned T: a zero divisor gives 0 for div and the dividend for mod (RFC 9669, section 4.1).
        # Signed T: Python's meaning (floor, and a remainder with the divisor's sign); zero divisor as above.
        "div", "mod",
        "and", "or", "xor",
        # The count is masked to the width of T (RFC 9669, section 4.1); `shr` is arithmetic for signed T.
        "shl", "shr",
    )]  # fmt: skip
    comparisons = [
        *(row(name, ("T", "T"), "bool") for name in ("eq", "ne")),
        *(row(name, ("int T", "int T"), "bool") for name in ("lt", "le", "gt", "ge")),
    ]
    return [
        # A scalar constant; a BigEndian constant's `value` is the host-order number it stands for.
        row("const", (), "T", (("value", "int"),)),
        # An integer that depends on the machine's byte order, such as the place of a bit-field in its unit.
        row("const.order", (), "int", (("little", "int"), ("big", "int"))),
        *arithmetic,
        *comparisons,
        row("not", ("bool",), "bool"),
        # Integer or bool to integer: truncation, or extension by the signedness of the operand's type.
        row("convert", ("int|bool",), "int"),
        # Int <-> BigEndian of the same width: the number stays, the byte order changes.
        row("swap", ("T",), "scalar"),
        # Int <-> BigEndian of the same width: the bytes stay, the number changes.
        row("reinterpret", ("T",), "scalar"),
        # The conditional expression without branches: operand 0 ? operand 1 : operand 2.
        row("select", ("bool", "T", "T"), "T"),
        # Locals hold a scalar, an aggregate or a pointer; `local.get` and `local.set` take scalars and
        # pointers. `local.address` is the address of an aggregate or scalar in the stack frame. A local may
        # be written in one block and read in another; an SSA value may be used in all that its block
        # dominates.
        row("local.get", (), "local", (("local", "name"),)),
        row("local.set", ("local",), "void", (("local", "name"),)),
        row("local.address", (), "ptr", (("local", "name"),)),
        # Writes zero to every byte of a local, padding too.
        row("local.zero", (), "void", (("local", "name"),)),
        # Address of a struct member, or of an array element (index unsigned, in range by the front end's
        # proof).
        row("member", ("ptr",), "ptr", (("name", "name"),)),
        row("element", ("ptr", "int"), "ptr"),
        # Address of a scalar or array anywhere inside an aggregate, whatever members lie there: `offset`
        # bytes from its start, and operand 1, if present, an unsigned integer, farther (in range by the
        # front end's proof).
        row("part", ("ptr", "..."), "ptr", (("offset", "int"),)),
        # Memory. `copy` moves all bytes of an aggregate: operand 0 is the destination, 1 the source.
        row("load", ("ptr",), "target"),
        row("store", ("ptr", "target"), "void"),
        row("copy", ("ptr", "ptr"), "void"),
        # Atomic changes of an integer of 32 or 64 bits outside of the packet; the result, which may be left
        # out, is what was there before. `compare_exchange` puts operand 2 there if it finds operand 1.
        *(row(f"atomic.{name}", ("ptr", "target"), "any") for name in ("add", "and", "or", "xor")),
        row("atomic.exchange", ("ptr", "target"), "any"),
        row("atomic.compare_exchange", ("ptr", "target", "target"), "any"),
        # Context fields by UAPI name (`catalogue.contexts`), at their declared offset and width; an element
        # of an array field has its index behind a dot: `remote_ip6.2`.
        row("context.load", ("context",), "field", (("field", "name"),)),
        row("context.store", ("context", "scalar"), "void", (("field", "name"),)),
        # Fields of the kernel's sockets (`catalogue.sockets`), likewise.
        row("socket.load", ("ptr",), "field", (("field", "name"),)),
        # What lies in a structure of the kernel, declared under the name of the pointer's target: `field` is a
        # path of names and indices, such as `comm.3` (`kernel_path`). Its value; its address, as a number; and
        # whether the kernel has it at all.
        row("kernel.load", ("ptr",), "field", (("field", "name"),)),
        row("kernel.address", ("ptr",), "int", (("field", "name"),)),
        row("kernel.exists", ("ptr",), "bool", (("field", "name"),)),
        # Packet bytes [offset, offset + size of the result's target) if they lie within data..data_end, else
        # NULL. Operand 1, if present, is a u32 added to `offset`; `limit` is its largest possible value
        # (4294967295 if nothing is known: an offset beyond the verifier's 65535 gives NULL, too).
        row("packet.view", ("context", "..."), "ptr?", (("offset", "int"), ("limit", "int"))),
        # Pointer tests: `is_null` of a nullable pointer; `assume_non_null` after that test.
        row("is_null", ("ptr?",), "bool"),
        row("assume_non_null", ("ptr?",), "ptr"),
        # NULL; and operand 1 if operand 0 is true, else NULL.
        row("null", (), "ptr?"),
        row("or_null", ("bool", "ptr"), "ptr?"),
        # The address of a map, of a global variable or of a subprogram (for a helper to call) of the module.
        row("map", (), "ptr", (("map", "name"),)),
        row("global", (), "ptr", (("global", "name"),)),
        row("function", (), "ptr", (("function", "name"),)),
        # The address of the UTF-8 bytes of `text` and a NUL in read-only memory.
        row("string", (), "ptr", (("text", "name"),)),
        # A kernel helper by its kernel name (`catalogue.helpers`), or a subprogram of the module.
        row("call.helper", ("...",), "any", (("helper", "name"),)),
        row("call", ("...",), "any", (("function", "name"),)),
        # Terminators. `switch` compares operand 0 with the integers `case0`, `case1`, ...: successors are the
        # default, then one for each case.
        row("jump", successors=1, terminator=True),
        row("branch", ("bool",), successors=2, terminator=True),
        row("switch", ("int",), successors=-1, terminator=True),
        row("return", ("...",), terminator=True),
    ]


OPERATIONS: dict[str, OperationKind] = {row.name: row for row in _rows()}
