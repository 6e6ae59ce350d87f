"""Which blocks of a function every path to a block goes through."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def dominators(successors: Mapping[str, Sequence[str]], entry: str) -> dict[str, str]:
    """Each reachable block's immediate dominator; the entry is its own. Unreachable blocks are absent.

    The algorithm of Cooper, Harvey and Kennedy, "A Simple, Fast Dominance Algorithm": intersect the
    dominators of the predecessors, in reverse postorder, until nothing changes.
    """
    order = _reverse_postorder(successors, entry)
    position = {label: index for index, label in enumerate(order)}
    predecessors: dict[str, list[str]] = {label: [] for label in order}
    for label in order:
        for successor in successors[label]:
            predecessors[successor].append(label)
    immediate = {entry: entry}

    def common(one: str, other: str) -> str:
        while one != other:
            if position[one] > position[other]:
                one = immediate[one]
            else:
                other = immediate[other]
        return one

    changed = True
    while changed:
        changed = False
        for label in order[1:]:
            known = [before for before in predecessors[label] if before in immediate]
            dominator = known[0]
            for before in known[1:]:
                dominator = common(dominator, before)
            if immediate.get(label) != dominator:
                immediate[label] = dominator
                changed = True
    return immediate


def dominates(immediate: Mapping[str, str], above: str, below: str) -> bool:
    """True if every path to the reachable block `below` goes through `above` (a block dominates itself)."""
    while below != above:
        if immediate[below] == below:
            return False
        below = immediate[below]
    return True


def _reverse_postorder(successors: Mapping[str, Sequence[str]], entry: str) -> list[str]:
    postorder: list[str] = []
    seen = {entry}
    path = [(entry, iter(successors[entry]))]
    while path:
        label, rest = path[-1]
        for successor in rest:
            if successor not in seen:
                seen.add(successor)
                path.append((successor, iter(successors[successor])))
                break
        else:
            postorder.append(label)
            path.pop()
    return postorder[::-1]
