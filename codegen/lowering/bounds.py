"""How large a number can get, as far as the verifier sees it in the instructions that make it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from skverdict.dsl.ir.types import Int

if TYPE_CHECKING:
    from skverdict.dsl.ir.module import Function, Operation, Value

_UNKNOWN = (1 << 64) - 1
_KEEPS_KNOWN = ("convert", "add", "sub", "mul", "and", "or", "xor", "shl", "shr")


class Bounds:
    """Upper bounds of the unsigned numbers in one function."""

    def __init__(self, function: Function) -> None:
        self._makers: dict[int, Operation] = {}
        self._writes: dict[str, list[Value]] = {}
        self._largest: dict[int, int] = {}
        addressed = set()
        for block in function.blocks:
            for operation in block.operations:
                if operation.result is not None:
                    self._makers[operation.result.number] = operation
                if operation.name == "local.set":
                    local = str(operation.attributes["local"])
                    self._writes.setdefault(local, []).append(operation.operands[0])
                elif operation.name in ("local.address", "local.zero"):
                    addressed.add(str(operation.attributes["local"]))
        for local in addressed:
            self._writes.pop(local, None)

    def _sources(self, operation: Operation) -> tuple[Value, ...]:
        """What the result of `operation` is made of; for a local without address, all it is ever set to."""
        if operation.name == "local.get":
            return tuple(self._writes.get(str(operation.attributes["local"]), ()))
        return operation.operands

    def largest(self, value: Value) -> int:
        """The largest number `value` can be."""
        if not isinstance(value.type, Int) or value.type.signed:
            return _UNKNOWN
        known = self._largest.get(value.number)
        if known is None:
            # What goes into itself, around a loop, counts as unknown.
            self._largest[value.number] = (1 << value.type.bits) - 1
            known = self._largest[value.number] = self._find_largest(value)
        return known

    def _find_largest(self, value: Value) -> int:
        top = self._largest[value.number]
        maker = self._makers.get(value.number)
        if maker is None:
            return top
        if maker.name == "const":
            return int(str(maker.attributes["value"]))
        if maker.name not in ("convert", "and", "local.get"):
            return top
        sources = [self.largest(source) for source in self._sources(maker)]
        if maker.name == "local.get":
            return min(top, max(sources, default=top))
        return min(top, *sources)

    def is_known(self, value: Value) -> bool:
        """True if the verifier, which follows every round of a loop, always knows the number exactly.

        So it is with what only constants go into: the counter of a loop between constants, for one.
        """
        seen: set[int] = set()
        waiting = [value]
        while waiting:
            maker = self._makers.get(waiting.pop().number)
            if maker is None:
                return False
            if maker.result is None or maker.result.number in seen or maker.name == "const":
                continue
            seen.add(maker.result.number)
            sources = self._sources(maker)
            if maker.name not in (*_KEEPS_KNOWN, "local.get") or not sources:
                return False
            waiting += sources
        return True
