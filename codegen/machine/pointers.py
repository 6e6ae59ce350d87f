"""What a value points into, as far as it shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from skverdict.codegen.machine.calls import helper
from skverdict.codegen.machine.graph import ADD, ALU, ALU64, CALL, CLASS, CODE, COPY, ENTRY, FRAME, LOAD, PHI, SUB
from skverdict.dsl.catalogue.contexts import CONTEXTS
from skverdict.dsl.catalogue.programs import PROGRAMS

if TYPE_CHECKING:
    from skverdict.codegen.machine.graph import Node

STACK, CONTEXT, ENTRY_VALUE, PACKET, UNKNOWN = "stack", "context", "entry", "packet", ""

# What results that are memory point into.
_RESULTS = {"map_value": ENTRY_VALUE, "record": ENTRY_VALUE, "memory": ENTRY_VALUE}


def region(node: Node, program: str) -> str:
    """The memory that `node` points into: one of the words above. `program` is the program kind."""
    while True:
        kind = node.kind
        if kind == FRAME:
            return STACK
        if kind == ENTRY:
            return CONTEXT if program and node.imm == 1 else UNKNOWN
        if kind == CALL:
            called = None if node.symbol else helper(node.imm)
            return _RESULTS.get(called.returns.rstrip("!"), UNKNOWN) if called else UNKNOWN
        if kind == LOAD:
            if program and region(node.args[0], program) == CONTEXT and node.offset in _ends(program):
                return PACKET
            return UNKNOWN
        if kind == COPY or (kind == ALU and node.opcode & CLASS == ALU64 and node.opcode & CODE == ADD):
            node = node.args[0]
            continue
        return UNKNOWN


def may_be_packet(node: Node, program: str) -> bool:
    """True if `node` may be a pointer to the packet or to its end: also one that was stored on the stack, or what a
    subprogram (no `program`) is given or reads there.

    The verifier keeps such a value a pointer whatever it was compared with, and lets only sums and differences be
    made of it (`adjust_ptr_min_max_vals` in kernel/bpf/verifier.c).
    """
    seen: set[Node] = set()
    waiting = [node]
    while waiting:
        node = waiting.pop()
        if node in seen:
            continue
        seen.add(node)
        if node.kind == LOAD:
            base = node.args[0]
            if region(base, program) == STACK or region(node, program) == PACKET:
                return True
            if base.kind == ENTRY and not program:
                return True
        elif node.kind == ENTRY:
            if not program:
                return True
        elif node.kind in (PHI, COPY) or (
            node.kind == ALU and node.opcode & CLASS == ALU64 and node.opcode & CODE in (ADD, SUB)
        ):
            waiting += node.args
    return False


def _ends(program: str) -> tuple[int, ...]:
    """The offsets in the context of the pointers to the packet."""
    fields = CONTEXTS[PROGRAMS[program].context].fields.values()
    return tuple(field.offset for field in fields if field.role in ("data", "data_end"))
