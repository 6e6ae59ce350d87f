"""Policies as data: what a body gives, and how what is wrong with one is told.

An entry is `=== name`, its text, and for refused ones a line `--- line:column: message` for each error in
order, each followed by `help: ...` if the error has a hint. Lines are those of the entry's text.
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
    """One entry; `expected` is what follows its text."""

    name: str
    text: str
    expected: str

    @property
    def marks(self) -> dict[str, str]:
        """What a line `# since 6.12` or `# cpu v3` says that the policy needs."""
        return {mark[1]: mark[2] for mark in _MARK.finditer(self.text)}


def entries(file: str) -> list[Entry]:
    """The entries of a file of this folder. Raises ValueError for two of one name."""
    found: dict[str, Entry] = {}
    for part in ("\n" + (FOLDER / file).read_text()).split("\n=== ")[1:]:
        name, _, rest = part.partition("\n")
        text, separator, expected = rest.partition("\n--- ")
        if name in found:
            raise ValueError(f"{file}: two entries are called {name!r}")
        found[name] = Entry(name, text.strip("\n") + "\n", (separator + expected).strip("\n"))
    return list(found.values())
