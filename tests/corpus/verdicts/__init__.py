"""Programs that verifiers refuse, and others that are much like them, with what kernels said.

In `programs.txt` an entry's first line has the kernels that refuse it, each with the cause as
`skverdict.codegen.verifier.accesses` names it, or `taken`. `python -m tests.kernel.walked` asks kernels again.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from skverdict.codegen.assembler import assemble
from skverdict.codegen.object_writer import object_bytes

_FILE = Path(__file__).with_name("programs.txt")
_HEAD = """endian little
license "GPL"

map values hash key 4 value 32 max_entries 1 flags 0x0
map records ringbuf key 0 value 0 max_entries 4096 flags 0x0

program program sk_skb/stream_verdict
program:
"""
_TAKEN = "taken"


class Verdict(NamedTuple):
    """One program: `refused` has the cause by kernel, and `text` the instructions."""

    name: str
    refused: dict[str, str]
    text: str

    def content(self) -> bytes:
        """Its object."""
        return object_bytes(assemble(_HEAD + self.text))


def verdicts() -> list[Verdict]:
    """All entries, in the order of the file."""
    found = []
    for part in _FILE.read_text(encoding="utf-8").split("\n=== ")[1:]:
        name, marks, text = part.split("\n", 2)
        words = [] if marks == _TAKEN else [mark.split(" ", 1) for mark in marks.split("; ")]
        found.append(Verdict(name, dict(words), text))
    return found
