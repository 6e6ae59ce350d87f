"""What the views of things have in common, whether a simulated map is behind them or the kernel's."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection
from typing import Any

from skverdict.runtime.maps.typed import ValueMismatch
from skverdict.runtime.maps.user_side import BPF_ANY


def program_name(value: Any, programs: Collection[str], map_name: str) -> str:
    """The name of a program that is given by its name or itself. Raises ValueMismatch for one that is not there."""
    name = value if isinstance(value, str) else str(getattr(value, "name", value))
    if name not in programs:
        known = ", ".join(programs)
        raise ValueMismatch(f"value of {map_name}: {value!r} is no program; there are {known}")
    return name


class BesideSockets(ABC):
    """Values beside sockets, by the sockets, as a dictionary has them."""

    @abstractmethod
    def lookup(self, socket: Any) -> Any:
        """The value beside `socket`. ENOENT: it has none."""

    @abstractmethod
    def update(self, socket: Any, value: Any, flags: int = BPF_ANY) -> None:
        """Put a value beside `socket`."""

    @abstractmethod
    def delete(self, socket: Any) -> None:
        """Take the value away. ENOENT: there is none."""

    @abstractmethod
    def __contains__(self, socket: Any) -> bool: ...

    def __getitem__(self, socket: Any) -> Any:
        return self.lookup(socket)

    def __setitem__(self, socket: Any, value: Any) -> None:
        self.update(socket, value)

    def __delitem__(self, socket: Any) -> None:
        self.delete(socket)
