"""Policies as data: bodies of programs, and policies behind the import of everything.

An entry is `=== name` and its text.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).parent
# Policies that every kernel is to accept, by topic.
ACCEPTED = tuple(f"accepted/{path.name}" for path in sorted((FOLDER / "accepted").glob("*.txt")))
PRELUDE = "from skverdict.dsl import *\n"
_MARK = re.compile(r"^# (since|cpu) (\S+)$", re.MULTILINE)


class Entry(NamedTuple):
    """One entry."""

    name: str
    text: str

    @property
    def marks(self) -> dict[str, str]:
        """What a line `# since 6.12` or `# cpu v3` says that the policy needs."""
        return {mark[1]: mark[2] for mark in _MARK.finditer(self.text)}


def entries(file: str) -> list[Entry]:
    """The entries of a file of this folder. Raises ValueError for two of one name."""
    found: dict[str, Entry] = {}
    for part in ("\n" + (FOLDER / file).read_text()).split("\n=== ")[1:]:
        name, _, text = part.partition("\n")
        if name in found:
            raise ValueError(f"{file}: two entries are called {name!r}")
        found[name] = Entry(name, text.strip("\n") + "\n")
    return list(found.values())
