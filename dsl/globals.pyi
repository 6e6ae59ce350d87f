"""Variables that programs share, as editors and type checkers see them."""

from collections.abc import Sequence
from typing import Generic, TypeVar

T = TypeVar("T")

class Global(Generic[T]):
    """A variable of type `type`, a scalar, a Struct or an Array, that is `value` at first, or all zero."""

    read_only: bool
    annotation: object
    initial: object
    origin: tuple[str, int]
    value: T
    def __init__(self, type: type[T], value: T | Sequence[object] | bytes | None = None) -> None: ...

class Const(Global[T]):
    """A variable that user space sets before the programs are loaded, and that nobody changes afterwards."""

    @property
    def value(self) -> T: ...  # type: ignore[override]
