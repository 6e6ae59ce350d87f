"""What a capture that cannot be read is answered with."""

from __future__ import annotations


class CaptureError(Exception):
    """A capture file that is cut short, is no capture, or contradicts itself.

    `file` is the name as the user gave it, `offset` the byte offset in it at which the wrong thing lies.
    """

    def __init__(self, file: str, offset: int, problem: str) -> None:
        super().__init__(f"{file}: byte {offset}: {problem}")
        self.file = file
        self.offset = offset
        self.problem = problem
