"""The register file: r0..r10 as a list, in which a register that was never written refuses to be used."""

from __future__ import annotations

from typing import NoReturn, cast


class UnwrittenRegister(Exception):
    """The program uses register `number`, which holds nothing: never written, or lost in a call."""

    def __init__(self, number: int) -> None:
        super().__init__(f"r{number} is used before it is written")
        self.number = number


class _Unwritten:
    """What stands in a register that holds nothing. It takes part in no operation, so no check costs time."""

    def __init__(self, number: int) -> None:
        self.number = number

    def _refuse(self, *_: object) -> NoReturn:
        raise UnwrittenRegister(self.number)

    __pos__ = __neg__ = _refuse
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = _refuse
    __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = _refuse
    __and__ = __rand__ = __or__ = __ror__ = __xor__ = __rxor__ = _refuse
    __lshift__ = __rlshift__ = __rshift__ = __rrshift__ = _refuse
    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = _refuse
    __bool__ = __index__ = __hash__ = _refuse


#: An unwritten r0..r10, to be copied.
UNWRITTEN: tuple[int, ...] = tuple(cast(int, _Unwritten(number)) for number in range(11))
