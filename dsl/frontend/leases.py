"""What a program holds and must give back on every path: taken, given back, and looked for where it ends."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from skverdict.dsl.errors import Place
from skverdict.dsl.frontend.values import Lease, Reference

if TYPE_CHECKING:
    from skverdict.dsl.frontend.lowering import Lowering
    from skverdict.dsl.frontend.state import Edge, State
    from skverdict.dsl.ir.types import Type

HELD, NULL, ENDED, MIXED = "held", "null", "ended", "mixed"


class Status:
    """How it stands with a lease at one point of the program.

    `kind` is `held`; `null`, where nothing was got; `ended`, and `did` at `place` says how; or `mixed`: held
    on the paths that `why` tells, and not on the others.
    """

    __slots__ = ("did", "kind", "place", "why")

    def __init__(self, kind: str, did: str = "", place: Place | None = None, why: str = "") -> None:
        self.kind = kind
        self.did = did
        self.place = place
        self.why = why


_HELD, _NULL = Status(HELD), Status(NULL)

# The leases of a point, and how it stands with each.
Leases = dict[Lease, Status]


def merged(edges: list[Edge]) -> Leases:
    """The leases where edges meet."""
    found: dict[Lease, None] = {}
    for edge in edges:
        found.update(dict.fromkeys(edge.state.leases))
    leases: Leases = {}
    for lease in found:
        status = _met([(edge, edge.state.leases.get(lease)) for edge in edges])
        if status is not None:
            leases[lease] = status
    return leases


def _met(ways: list[tuple[Edge, Status | None]]) -> Status | None:
    kinds = {status.kind if status else "" for _, status in ways}
    if MIXED in kinds:
        return next(status for _, status in ways if status and status.kind == MIXED)
    if HELD in kinds:
        if kinds <= {HELD, NULL}:
            return _HELD
        why = next(edge.why for edge, status in ways if status and status.kind == HELD)
        ended = next((status for _, status in ways if status and status.kind == ENDED), None)
        return Status(MIXED, ended.did if ended else "", ended.place if ended else None, why)
    if ENDED in kinds:
        return next(status for _, status in ways if status and status.kind == ENDED)
    return _NULL if kinds == {NULL} else None


def as_weak(assumed: Leases, found: Leases) -> bool:
    """True if what was assumed of the leases holds for what was found."""
    return all(
        lease in assumed and assumed[lease].kind in (status.kind, MIXED) for lease, status in found.items()
    )


def trail_of(edges: list[Edge], leases: Leases) -> tuple[tuple[Place, str], ...]:
    """The decisions that all ways here have made since something was taken."""
    if not any(status.kind in (HELD, MIXED) for status in leases.values()):
        return ()
    trails = [edge.state.trail for edge in edges]
    if len(edges) == 1:
        edge, told = edges[0], trails[0]
        if not edge.place or not edge.why or any(place.is_within(edge.place) for place, _ in told):
            # Of `if not found:`, it was told already which way `found` went.
            return told
        return (*told, (edge.place, edge.why))
    common = 0
    while all(len(trail) > common and trail[common] == trails[0][common] for trail in trails):
        common += 1
    return trails[0][:common]


def take(lowering: Lowering, node: ast.AST, what: str, remedy: str, verb: str, whole: Type) -> Lease:
    """The program holds something from here on. Raises Refused if an earlier turn of a loop left it held."""
    path = lowering.point(node)
    lease = Lease(what, remedy, verb, lowering.place(node), path, whole)
    status = lowering.here.leases.get(lease)
    if status is not None and status.kind in (HELD, MIXED):
        raise lowering.refuse(
            node, f"{what} may still be held from an earlier turn of the loop, and is not {verb}", remedy
        )
    lowering.here.leases[lease] = _HELD
    return lease


def end(lowering: Lowering, node: ast.AST, lease: Lease, did: str) -> None:
    """The program no longer holds what it took."""
    lowering.here.leases[lease] = Status(ENDED, did, lowering.place(node))


def check_use(lowering: Lowering, node: ast.AST, reference: Reference) -> None:
    """Raises Refused if what the reference leads to was given back, on this path or another."""
    lease = reference.lease
    status = lowering.here.leases.get(lease) if lease else None
    if lease is None or status is None or status.kind in (HELD, NULL):
        return
    notes = [(lease.place, "it was taken here")]
    if status.place is not None:
        notes.append((status.place, f"it is {status.did} here"))
    if status.kind == ENDED:
        line = f" on line {status.place.line}" if status.place else ""
        raise lowering.refuse(node, f"{lease.what} was {status.did}{line}, and is gone", "", notes)
    if status.why:
        why, hint = f"it is still there only {status.why}", "use it before the paths meet"
    else:
        why, hint = f"it was {status.did} on another path, or before", "take it anew in each turn of the loop"
    raise lowering.refuse(node, f"{lease.what} may be gone: {why}", hint, notes)


def null_state(state: State, reference: Reference) -> State:
    """The state where the reference is known to be None, so that there is nothing to give back."""
    if reference.lease is None:
        return state
    state = state.copy()
    if reference.lease in state.leases:
        state.leases[reference.lease] = _NULL
    return state


def check_none_held(lowering: Lowering, node: ast.AST, does: str) -> None:
    """Raises Refused if the program holds something where it `does` what ends it."""
    state = lowering.here
    for lease, status in state.leases.items():
        if status.kind not in (HELD, MIXED):
            continue
        message = f"{lease.what} is not {lease.verb} where the {_name(lowering)} {does}"
        if status.kind == MIXED:
            message += f", {status.why}"
        notes: list[tuple[Place, str]] = [(lease.place, "it was taken here")]
        path = {(place.key, why): place for place, why in state.trail}
        notes += [(place, f"the path: {why}") for (_, why), place in path.items()]
        raise lowering.refuse(node, message, lease.remedy, notes)


def _name(lowering: Lowering) -> str:
    return "program" if lowering.function.kind == lowering.kind else "function"
