"""What a test tells about the names in it."""

from __future__ import annotations

import ast

from skverdict.dsl.frontend.state import Slot, State
from skverdict.dsl.frontend.values import MaybeNumber, Reference, Scalar


def name_of(node: ast.expr) -> str | None:
    """The variable that an expression reads, or has just assigned."""
    if isinstance(node, ast.NamedExpr):
        node = node.target
    return node.id if isinstance(node, ast.Name) else None


def not_none(state: State, node: ast.expr) -> State:
    """The state once `node` is known not to be None."""
    name = name_of(node)
    state = state.copy()
    if name is None:
        return state
    binding = state.names.get(name)
    if isinstance(binding, (Reference, MaybeNumber)):
        state.names[name] = binding.altered(nullable=False)
    elif isinstance(binding, Slot) and isinstance(binding.shape, (Reference, MaybeNumber)):
        state.names[name] = binding.reshaped(binding.shape.altered(nullable=False))
    return state


# The comparison that holds where `name` does not.
OPPOSITE = {"lt": "ge", "ge": "lt", "le": "gt", "gt": "le", "eq": "ne", "ne": "eq"}
# The comparison of the operands the other way round.
MIRRORED = {"lt": "gt", "gt": "lt", "le": "ge", "ge": "le", "eq": "eq", "ne": "ne"}


def compared(state: State, node: ast.expr, name: str, other: Scalar) -> State:
    """The state once the number that `node` reads is known to be `name` (such as `lt`) `other`."""
    variable = name_of(node)
    binding = state.names.get(variable) if variable else None
    shape = binding.shape if isinstance(binding, Slot) else binding
    if variable is None or not isinstance(shape, (Scalar, MaybeNumber)):
        return state
    if isinstance(shape, Scalar) and shape.constant is not None:
        return state
    low, high = _tighten(name, shape.low, shape.high, other)
    if low > high:
        # The two ranges exclude each other, so this point is never reached; what is known stays.
        return state
    state = state.copy()
    narrowed = shape.with_range(low, high) if isinstance(shape, Scalar) else shape.altered(within=(low, high))
    state.names[variable] = binding.reshaped(narrowed) if isinstance(binding, Slot) else narrowed
    return state


def _tighten(name: str, low: int, high: int, other: Scalar) -> tuple[int, int]:
    if name == "lt":
        return low, min(high, other.high - 1)
    if name == "le":
        return low, min(high, other.high)
    if name == "gt":
        return max(low, other.low + 1), high
    if name == "ge":
        return max(low, other.low), high
    if name == "eq":
        return max(low, other.low), min(high, other.high)
    if other.low == other.high == low:
        return low + 1, high
    if other.low == other.high == high:
        return low, high - 1
    return low, high
