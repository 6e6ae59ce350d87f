"""The context has two registers: the one it comes in until the first call, and one that calls leave alone.

LLVM moves it at once to where calls leave it and copies it back for the first call.
"""

from __future__ import annotations

from skverdict.codegen.machine.graph import CALL, COPY, Block, Graph, Node


def split_context(graph: Graph) -> Node | None:
    """Give the context a copy for what uses it behind a call, if it is also used before; gives that copy."""
    context = graph.entries.get(1)
    if context is None or not graph.program:
        return None
    before: set[Block] = set()  # blocks that no way from the start to their end has a call on
    early: list[Node] = []
    late: list[tuple[Node, int]] = []
    for block in graph.blocks:
        clean = all(each in before for each in block.predecessors)
        for node in block.nodes:
            for place, arg in enumerate(node.args):
                if arg is context:
                    if clean:
                        early.append(node)
                    else:
                        late.append((node, place))
            if node.kind == CALL:
                clean = False
        if clean:
            before.add(block)
        for place, arg in enumerate(block.end.args):
            if arg is context:
                late.append((block.end, place))
    for block in graph.blocks:
        for phi in block.phis:
            late += ((phi, place) for place, arg in enumerate(phi.args) if arg is context)
    if not early or not late:
        return None
    kept = Node(COPY, args=[context], line=early[0].line)
    for node, place in late:
        node.args[place] = kept
    graph.blocks[0].nodes.insert(0, kept)
    return kept
