"""Policies as data: what a body gives, and how what is wrong with one is told.

An entry is `=== name`, its text, and for refused ones a line `--- line:column: message` for each error in
order, each followed by `help: ...` if the error has a hint. Lines are those of the entry's text.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).parent


class Entry(NamedTuple):
    """One entry; `expected` is what follows its text."""

    name: str
    text: str
    expected: str


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
