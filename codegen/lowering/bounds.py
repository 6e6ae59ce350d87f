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
        addressed = set()
        for block in function.blocks:
            for operation in block.operations:
                if operation.result is not None:
                    self._makers[operation.result.number] = operation
                if operation.name == "local.set":
                    self._writes.setdefault(str(operation.attributes["local"]), []).append(
                        operation.operands[0]
                    )
                elif operation.name in ("local.address", "local.zero"):
                    addressed.add(str(operation.attributes["local"]))
        for name in addressed:
            self._writes.pop(name, None)

    def largest(self, value: Value, depth: int = 8) -> int:
        """The largest number `value` can be; `depth` limits how far back to look."""
        if not isinstance(value.type, Int) or value.type.signed:
            return _UNKNOWN
        largest = (1 << value.type.bits) - 1
        maker = self._makers.get(value.number)
        if maker is None or not depth:
            return largest
        if maker.name == "const":
            return int(str(maker.attributes["value"]))
        if maker.name == "convert":
            return min(largest, self.largest(maker.operands[0], depth - 1))
        if maker.name == "and":
            return min(largest, *(self.largest(operand, depth - 1) for operand in maker.operands))
        if maker.name == "local.get":
            writes = self._writes.get(str(maker.attributes["local"]))
            if writes:
                return min(largest, max(self.largest(write, depth - 1) for write in writes))
        return largest

    def is_known(self, value: Value) -> bool:
        """True if the verifier, which follows every round of a loop, always knows the number exactly.

        So it is with what only constants go into: the counter of a loop between constants, for one.
        """
        return self._is_known(value, set())

    def _is_known(self, value: Value, assumed: set[str]) -> bool:
        """`assumed` are the locals taken for known while what they are made of is looked at."""
        maker = self._makers.get(value.number)
        if maker is None:
            return False
        if maker.name == "const":
            return True
        if maker.name == "local.get":
            local = str(maker.attributes["local"])
            if local in assumed:
                return True
            writes = self._writes.get(local, [])
            return bool(writes) and all(self._is_known(write, {*assumed, local}) for write in writes)
        return maker.name in _KEEPS_KNOWN and all(self._is_known(each, assumed) for each in maker.operands)
