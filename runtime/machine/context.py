"""What a program gets as its first argument: the boundary between the machine and what it runs on.

The machine knows which fields a structure has and who may use them from `dsl.catalogue.contexts`; what the
fields hold comes from an object of the classes below.
"""

from __future__ import annotations

from abc import ABC, abstractmethod


class Structure(ABC):
    """A kernel structure behind a pointer, read and written by field.

    `table` names its entry in `contexts.CONTEXTS` or `sockets.STRUCTURES`. A number is given and taken in the
    field's own type: for a `BigEndian` field it is the number that the bytes spell in network order (port
    10000 is 10000, address 127.0.0.1 is 0x7f000001, on either byte order of the machine). `index` counts the
    elements of an array field and is 0 for others. `full` is False for what stands for a socket in the
    making, or one in TIME_WAIT.
    """

    table: str
    full: bool = True

    @property
    def identity(self) -> object:
        """What the structure belongs to: structures of one thing and table have one address."""
        return self

    @abstractmethod
    def field(self, name: str, index: int = 0) -> int:
        """The number in field `name`, within the range of the field's type."""

    def set_field(self, name: str, value: int, index: int = 0) -> None:
        """Take a program's write to field `name`; called only where the catalogue allows the write."""
        raise NotImplementedError(f"{self.table}.{name} is writable in the catalogue, but not here")

    def structure(self, name: str) -> Structure | None:
        """The structure that pointer field `name` (role `socket`) leads to; None is a NULL pointer."""
        return None


class Context(Structure):
    """The context of one run. `kind` is the program kind of `programs.PROGRAMS` that decides what it may
    do."""

    kind: str

    def packet(self) -> bytearray | memoryview:
        """The linear bytes between `data` and `data_end`, live: a program's write changes them.

        Asked when the program first loads `data` or `data_end`, and again after each helper that the
        catalogue marks `moves_buffer`, which ends every older packet pointer. Give a read-only memoryview
        where the program must not write.
        """
        return bytearray()

    def buffer_bytes(self) -> bytes:
        """All bytes of the buffer, also those that are not linear, for helpers that copy them."""
        return bytes(self.packet())
