"""Spin locks: one at a time, no calls in between, unlocked on every path; and `with entry.lock:`."""

from __future__ import annotations

import ast

from skverdict.dsl.catalogue.helpers import HELPERS
from skverdict.dsl.catalogue.programs import KERNELS
from skverdict.dsl.frontend.dispatch import evaluate, statement
from skverdict.dsl.frontend.helper_calls import Arguments, emit_call, may_call
from skverdict.dsl.frontend.leases import HELD, MIXED, end
from skverdict.dsl.frontend.lowering import Frame, Lowering
from skverdict.dsl.frontend.statements import body
from skverdict.dsl.frontend.values import Lease, Operand, Reference
from skverdict.dsl.ir.module import Value
from skverdict.dsl.ir.types import VOID, Struct

LOCK, UNLOCK = "bpf_spin_lock", "bpf_spin_unlock"
_VERB = "unlocked"
_REMEDY = "use `with entry.lock:`, or write `bpf_spin_unlock(...)` on every path"


class Locked:
    """A `with` block that is open: the lock's address, and what is held."""

    __slots__ = ("address", "lease")

    def __init__(self, address: Value, lease: Lease) -> None:
        self.address = address
        self.lease = lease


def held_lock(lowering: Lowering) -> Lease | None:
    """The lock that is held here, on this path or another."""
    for lease, status in lowering.here.leases.items():
        if lease.verb == _VERB and status.kind in (HELD, MIXED):
            return lease
    return None


def check_no_lock(lowering: Lowering, node: ast.AST, name: str) -> None:
    """Raises Refused if a lock is held: the kernel lets nothing be called until it is unlocked."""
    lock = held_lock(lowering)
    if lock is not None and name != UNLOCK:
        raise lowering.refuse(
            node, f"`{name}` is called while {lock.what} is held, and the kernel lets nothing be called then",
            "call it before or after", [(lock.place, "it is locked here")],
        )  # fmt: skip


def locks(arguments: Arguments) -> None:
    """The call just emitted locks or unlocks. Raises Refused."""
    lowering, node = arguments.lowering, arguments.node
    operand = arguments.given["lock"][1]
    assert isinstance(operand, Reference)
    _check_callback(lowering, node, operand)
    lease = _lease(lowering, node, operand)
    if arguments.helper.name == LOCK:
        take_lock(lowering, node, lease)
    else:
        _unlocked(lowering, node, lease)


def _check_callback(lowering: Lowering, node: ast.AST, lock: Reference) -> None:
    """Linux 6.1 takes the entries that it gives to a callback for one and the same (`id` 0 in the verifier).

    It so forgets that one of them was locked. Raises Refused.
    """
    given = [lowering.place(parameter).key for parameter in lowering.frame.node.args.args]
    if lowering.callback and lowering.scope.kernel == KERNELS[0] and lock.origin.key in given:
        raise lowering.refuse(
            node, f"Linux {KERNELS[0]} does not follow the lock of an entry that it gives to a callback",
            "look the entry up by its key, and lock that",
        )  # fmt: skip


def _lease(lowering: Lowering, node: ast.AST, lock: Reference) -> Lease:
    """The lock of an entry; it is the same one as long as the entry comes from the same place."""
    home = f" of `{lock.home.name}`" if lock.home is not None else ""
    return Lease(
        f"the lock{home}", _REMEDY, _VERB, lowering.place(node), ("lock", *lock.origin.key), VOID
    )


def take_lock(lowering: Lowering, node: ast.AST, lease: Lease) -> None:
    from skverdict.dsl.frontend.leases import Status

    lowering.here.leases[lease] = Status(HELD)


def _unlocked(lowering: Lowering, node: ast.AST, lease: Lease) -> None:
    held = held_lock(lowering)
    if held is None:
        raise lowering.refuse(node, f"{lease.what} is not held here")
    if held != lease:
        raise lowering.refuse(
            node, f"this is not the lock that is held: that is {held.what}", "",
            [(held.place, "it is locked here")],
        )  # fmt: skip
    status = lowering.here.leases[held]
    if status.kind == MIXED:
        raise lowering.refuse(
            node, f"{held.what} may not be held here: it is so only {status.why}",
            "unlock it before the paths meet", [(held.place, "it is locked here")],
        )  # fmt: skip
    end(lowering, node, held, _VERB)


@statement(ast.With)
def with_lock(lowering: Lowering, node: ast.With) -> None:
    """`with entry.lock:`: unlocked however the block is left."""
    if len(node.items) != 1 or node.items[0].optional_vars is not None:
        raise lowering.refuse(node, "`with` takes one lock and no name", "write `with entry.lock:`")
    item = node.items[0].context_expr
    operand: Operand = evaluate(lowering, item)
    is_lock = isinstance(operand, Reference) and isinstance(operand.target, Struct)
    if not isinstance(operand, Reference) or not is_lock or str(operand.target) != f"struct {LOCK}":
        from skverdict.dsl.frontend.values import describe

        members = operand.target.members if isinstance(operand, Reference) and is_lock else ()  # type: ignore[union-attr]
        locks = [each.name for each in members if str(each.type) == f"struct {LOCK}"]
        raise lowering.refuse(
            item, f"`with` holds the lock of an entry, but this is {describe(operand)}",
            f"write `with {lowering.segment(item)}.{locks[0]}:`" if locks else (
                "give the map's value a member `lock: bpf_spin_lock`"
            ),
        )  # fmt: skip
    helper = HELPERS[LOCK]
    call = ast.copy_location(ast.Call(item, [], []), item)
    may_call(lowering, call, helper)
    emit_call(lowering, call, helper, {"lock": (item, operand)})
    address = lowering.block.operations[-1].operands[0]
    lease = _lease(lowering, item, operand)
    frame = lowering.frame
    frame.locks.append(Locked(address, lease))
    try:
        body(lowering, node.body)
        if lowering.state is not None:
            unlock_down_to(lowering, node.body[-1], frame, len(frame.locks) - 1)
    finally:
        frame.locks.pop()


def unlock_down_to(lowering: Lowering, node: ast.AST, frame: Frame, depth: int) -> None:
    """Unlock what the innermost `with` blocks hold, all but the outermost `depth` of them."""
    for locked in reversed(frame.locks[depth:]):
        status = lowering.here.leases.get(locked.lease)
        if status is not None and status.kind in (HELD, MIXED):
            lowering.effect(node, "call.helper", (locked.address,), helper=UNLOCK)
            end(lowering, node, locked.lease, _VERB)
