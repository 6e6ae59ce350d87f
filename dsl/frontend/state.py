"""What is known about a function's names at one point of the program, and how two such points meet.

A name stands for an operand (bound once, so its value can be used as it is), for a `Slot` (a local variable
of the IR), or for nothing usable: it may be unassigned (`Missing`), may be one of two things (`Conflict`), or
an error was reported where it was assigned (`BROKEN`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from skverdict.dsl.errors import Place
from skverdict.dsl.frontend.values import (
    ContextValue,
    Epoch,
    GlobalValue,
    MapValue,
    MaybeNumber,
    Method,
    NoneValue,
    Operand,
    PacketValue,
    PythonValue,
    Reference,
    Scalar,
    TypeValue,
    Window,
)
from skverdict.dsl.ir.module import Local, Value

if TYPE_CHECKING:
    from skverdict.dsl.frontend.leases import Leases

# What is known of a number or a place that is kept in a variable.
Shape = Scalar | Reference | MaybeNumber


class Slot:
    """A variable that lives in an IR local; `shape` is what reading it gives, but for the value."""

    __slots__ = ("local", "shape")

    def __init__(self, local: Local, shape: Shape) -> None:
        self.local = local
        self.shape = shape

    def reshaped(self, shape: Shape) -> Slot:
        """The same variable, of which something else is known."""
        return Slot(self.local, shape)


class Missing:
    """Unassigned on some path: `place` and `why` say which."""

    __slots__ = ("place", "why")

    def __init__(self, place: Place | None, why: str) -> None:
        self.place = place
        self.why = why


class Conflict:
    """One thing on one path and another on the other."""

    __slots__ = ("first", "second")

    def __init__(self, first: Binding, second: Binding) -> None:
        self.first = first
        self.second = second


class Broken:
    """An error was already reported where the name was assigned."""

    __slots__ = ()


BROKEN = Broken()
Binding = Operand | Slot | Missing | Conflict | Broken


def refers_to(binding: Binding, local: str | None) -> bool:
    """True if a name so bound may stand for the stack local, or for a part of it."""
    if isinstance(binding, Conflict):
        return refers_to(binding.first, local) or refers_to(binding.second, local)
    place = binding.source if isinstance(binding, Window) else binding
    return isinstance(place, Reference) and local is not None and place.root == local


class Readable(NamedTuple):
    """Bytes of the packet that a check has found to be there.

    `pointer` is their address: `base` bytes, and the number `variable`, behind the start of the packet.
    """

    pointer: Value
    base: int
    variable: Value | None
    size: int
    epoch: Epoch


class State:
    """The names of the function being expanded, the packet's epoch, and what of it is surely there.

    `leases` are what the program took and how it stands with each, `trail` the decisions since then.
    """

    __slots__ = ("epoch", "leases", "names", "readable", "trail")

    def __init__(
        self,
        names: dict[str, Binding],
        epoch: Epoch,
        readable: tuple[Readable, ...] = (),
        leases: Leases | None = None,
        trail: tuple[tuple[Place, str], ...] = (),
    ) -> None:
        self.names = names
        self.epoch = epoch
        # Entries of an epoch that has ended mean nothing.
        self.readable = readable
        self.leases = {} if leases is None else leases
        self.trail = trail

    def copy(self) -> State:
        return State(dict(self.names), self.epoch, self.readable, dict(self.leases), self.trail)


class Edge:
    """One way to reach a label: the state there, and in words when it is taken."""

    __slots__ = ("place", "state", "why")

    def __init__(self, state: State, place: Place | None, why: str) -> None:
        self.state = state
        self.place = place
        self.why = why


def merge(edges: list[Edge], epoch: Epoch) -> State:
    """The state where `edges` meet; `epoch` is the packet's one if theirs differ."""
    first = edges[0]
    leases: Leases = {}
    trail: tuple[tuple[Place, str], ...] = ()
    if any(edge.state.leases for edge in edges):
        from skverdict.dsl.frontend.leases import merged, trail_of

        leases = merged(edges)
        trail = trail_of(edges, leases)
    if len(edges) == 1:
        state = first.state.copy()
        state.trail = trail
        return state
    same_epoch = all(edge.state.epoch == first.state.epoch for edge in edges)
    if same_epoch:
        epoch = first.state.epoch
    else:
        moved = next(edge.state.epoch for edge in reversed(edges) if edge.state.epoch.place is not None)
        epoch = Epoch(moved.place, moved.call, epoch.path)
    names: dict[str, Binding] = {}
    order: dict[str, None] = {}
    for edge in edges:
        order.update(dict.fromkeys(edge.state.names))
    others = [edge.state.names for edge in edges[1:]]
    for name in order:
        binding = first.state.names.get(name)
        if same_epoch and binding is not None and all(other.get(name) is binding for other in others):
            names[name] = binding
        else:
            names[name] = _merge_name(name, edges, epoch)
    readable = first.state.readable
    if readable:
        rest = [edge.state.readable for edge in edges[1:]]
        readable = tuple(one for one in readable if all(one in other for other in rest))
    return State(names, epoch, readable, leases, trail)


def _merge_name(name: str, edges: list[Edge], epoch: Epoch) -> Binding:
    merged: Binding | None = None
    for edge in edges:
        binding = edge.state.names.get(name)
        if binding is None:
            return Missing(edge.place, edge.why)
        if isinstance(binding, (Missing, Broken)):
            return binding
        binding = _in_epoch(binding, edge.state.epoch, epoch)
        merged = binding if merged is None else _meet(merged, binding, epoch)
    assert merged is not None
    return merged


def _in_epoch(binding: Binding, now: Epoch, epoch: Epoch) -> Binding:
    """A view that is still good stays so in the epoch that follows."""
    if now == epoch:
        return binding
    if isinstance(binding, Reference) and binding.epoch == now:
        return binding.altered(epoch=epoch)
    if isinstance(binding, Slot) and isinstance(binding.shape, Reference) and binding.shape.epoch == now:
        return binding.reshaped(binding.shape.altered(epoch=epoch))
    return binding


def _meet(first: Binding, second: Binding, now: Epoch) -> Binding:
    if first is second:
        return first
    if isinstance(first, Slot) and isinstance(second, Slot) and first.local == second.local:
        shape = _meet(first.shape, second.shape, now)
        return first.reshaped(shape) if isinstance(shape, Shape) else shape
    if isinstance(first, Scalar) and isinstance(second, Scalar) and first.same(second):
        return first.with_range(min(first.low, second.low), max(first.high, second.high), second.wrapped)
    if isinstance(first, Reference) and isinstance(second, Reference) and first.same_storage(second):
        # A view that has ended on one path has ended.
        epoch = second.epoch if first.epoch == now else first.epoch
        return first.altered(nullable=first.nullable or second.nullable, epoch=epoch, fresh=False)
    if isinstance(first, MaybeNumber) and isinstance(second, MaybeNumber) and _same_number(first, second):
        within = (min(first.low, second.low), max(first.high, second.high))
        return first.altered(nullable=first.nullable or second.nullable, within=within)
    if _same_thing(first, second):
        return first
    return Conflict(first, second)


def _same_number(first: MaybeNumber, second: MaybeNumber) -> bool:
    return (first.type, first.value) == (second.type, second.value)


def _same_thing(first: Binding, second: Binding) -> bool:
    if type(first) is not type(second):
        return False
    if isinstance(first, (ContextValue, NoneValue)):
        return True
    if isinstance(first, PacketValue):
        return True
    if isinstance(first, MapValue) and isinstance(second, MapValue):
        return first.map is second.map
    if isinstance(first, GlobalValue) and isinstance(second, GlobalValue):
        return first.variable is second.variable
    if isinstance(first, TypeValue) and isinstance(second, TypeValue):
        return first.type == second.type
    if isinstance(first, PythonValue) and isinstance(second, PythonValue):
        return first.object is second.object
    if isinstance(first, Method) and isinstance(second, Method):
        return first.name == second.name and _same_thing(first.receiver, second.receiver)
    return False


def same_state(first: State, second: State) -> bool:
    """True if lowering from either gives the same: names usable in one are as usable in the other."""
    if first.epoch != second.epoch or not set(first.readable) <= set(second.readable):
        return False
    if first.leases or second.leases:
        from skverdict.dsl.frontend.leases import as_weak

        if not as_weak(first.leases, second.leases):
            return False
    return all(
        binding is second.names.get(name) or _as_weak(binding, second.names.get(name, BROKEN))
        for name, binding in first.names.items()
    )


def mended(found: State, assumed: State) -> State:
    """`found`, but names that a mistake has broken since `assumed` are as they were there."""
    broken = {name for name, binding in found.names.items() if isinstance(binding, Broken)}
    found.names.update({name: assumed.names[name] for name in broken & assumed.names.keys()})
    return found


def tightened(state: State, found: State) -> State | None:
    """`state` with the ranges of `found` where those are tighter; None if none is."""
    tighter: State | None = None
    for name, binding in state.names.items():
        other = found.names.get(name)
        if other is binding:
            continue
        if not isinstance(binding, Slot) or not isinstance(other, Slot) or binding.local != other.local:
            continue
        wide, narrow = binding.shape, other.shape
        if not isinstance(wide, Scalar) or not isinstance(narrow, Scalar):
            continue
        if narrow.low > wide.low or narrow.high < wide.high:
            tighter = tighter or state.copy()
            tighter.names[name] = binding.reshaped(wide.with_range(narrow.low, narrow.high))
    return tighter


def _as_weak(assumed: Binding, found: Binding) -> bool:
    """True if what was `assumed` about a name still holds for what was `found`."""
    if isinstance(assumed, (Missing, Broken, Conflict)):
        return True
    if isinstance(found, (Missing, Broken, Conflict)):
        return False
    if isinstance(assumed, Slot) and isinstance(found, Slot):
        return assumed.local == found.local and _as_weak(assumed.shape, found.shape)
    if isinstance(assumed, Scalar) and isinstance(found, Scalar):
        return assumed.same(found) and assumed.low <= found.low and assumed.high >= found.high
    if isinstance(assumed, Reference) and isinstance(found, Reference):
        return (
            assumed.same_storage(found)
            and assumed.nullable >= found.nullable
            and assumed.epoch == found.epoch
        )
    if isinstance(assumed, MaybeNumber) and isinstance(found, MaybeNumber):
        wide_enough = assumed.low <= found.low and assumed.high >= found.high
        return _same_number(assumed, found) and wide_enough and assumed.nullable >= found.nullable
    return assumed is found or _same_thing(assumed, found)
