"""What the socket layer needs of a program, whoever runs it."""

from __future__ import annotations

from typing import Protocol

from skverdict.runtime.machine.context import Context


class Program(Protocol):
    """A loaded program. `kind` is a key of `dsl.catalogue.programs.PROGRAMS`.

    `changes_packet` is True if the program calls a helper that may move or change the packet.
    """

    @property
    def name(self) -> str: ...

    @property
    def kind(self) -> str: ...

    @property
    def changes_packet(self) -> bool: ...

    def run(self, context: Context) -> int:
        """The program's result as C's `int`. Raises Fault if the program does what the kernel would not
        allow."""
