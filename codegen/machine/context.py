"""Fields of the context: read once, and early if that spares the context a second register.

A connection's addresses and ports do not change while a program runs, whatever it calls; LLVM reads them
again behind each call. And a program that reads one field behind its calls need not keep the context.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from skverdict.codegen.lowering.effects import READS_ARGUMENTS
from skverdict.codegen.machine.calls import helper
from skverdict.codegen.machine.graph import CALL, LOAD, Block, Graph, Node, dominators
from skverdict.codegen.machine.simplify import replace
from skverdict.dsl.catalogue.contexts import CONTEXTS
from skverdict.dsl.catalogue.programs import PROGRAMS
from skverdict.dsl.ir.types import size_of

if TYPE_CHECKING:
    from collections.abc import Container

# What identifies the connection and the event.
_LASTING = frozenset(
    ("family", "remote_ip4", "local_ip4", "remote_ip6", "local_ip6", "remote_port", "local_port", "op")
)
_READING = READS_ARGUMENTS | {"bpf_skb_load_bytes", "bpf_perf_event_output", "bpf_get_netns_cookie"}


def lasting_fields(program: str) -> frozenset[int]:
    """The offsets of the context's bytes that do not change while a program of that kind runs."""
    fields = CONTEXTS[PROGRAMS[program].context].fields.values()
    return frozenset(
        offset
        for field in fields
        if field.name in _LASTING
        for offset in range(field.offset, field.offset + size_of(field.type))
    )


def share_loads(graph: Graph) -> None:
    """Use again what was read of the connection in a block that leads to this one."""
    context = graph.entries.get(1)
    if context is None or not graph.program:
        return
    loads: dict[tuple[int, int], list[tuple[Block, Node]]] = {}
    for block in graph.blocks:
        for node in block.nodes:
            if node.kind == LOAD and node.args[0] is context:
                loads.setdefault((node.opcode, node.offset), []).append((block, node))
    loads = {key: each for key, each in loads.items() if len(each) > 1}
    if not loads:
        return
    lasting = lasting_fields(graph.program)
    through: list[int] | None = None
    replaced: dict[Node, Node] = {}
    for (_, offset), places in loads.items():
        if offset not in lasting:
            continue
        through = through or dominators(graph)
        for number, (block, node) in enumerate(places):
            for earlier, first in places[:number]:
                if first not in replaced and through[block.index] >> earlier.index & 1:
                    replaced[node] = first
                    break
    if replaced:
        replace(graph, replaced)


def load_early(graph: Graph, kept: Node) -> None:
    """If the copy of the context is kept for one field only, read that field in the place of the copy."""
    users = [(block, node) for block, node in graph.users() if kept in node.args]
    if len(users) != 1:
        return
    block, load = users[0]
    if load.kind != LOAD or not _may_be_early(graph, load):
        return
    block.nodes.remove(load)
    nodes = graph.blocks[0].nodes
    nodes[nodes.index(kept)] = load
    load.args[0] = kept.args[0]


def _may_be_early(graph: Graph, load: Node) -> bool:
    """True if no call of the function can change the field."""
    if load.offset in lasting_fields(graph.program):
        return True
    return all(
        _leaves_context_alone(node) for block in graph.blocks for node in block.nodes if node.kind == CALL
    )


def _leaves_context_alone(call: Node, reading: Container[str] = _READING) -> bool:
    called = None if call.symbol else helper(call.imm)
    if called is None:
        return False
    return called.name in reading or not any(each.kind == "context" for each in called.arguments)

