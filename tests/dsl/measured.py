"""The measured facts in `tests/data/kernel-facts`, with this project's names for program kinds."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

FACTS = Path(__file__).parents[1] / "data" / "kernel-facts"
KINDS = {"sk_msg": "msg_verdict"}


def rows(name: str) -> Iterator[tuple[dict[str, str], str, str]]:
    """Each row of a table once for each kernel it holds on: the row, the program kind, the kernel."""
    with (FACTS / name).open(newline="") as file:
        for row in csv.DictReader(file):
            kind = KINDS.get(row["program"], row["program"])
            for kernel in row["kernels"].split("+"):
                yield row, kind, kernel
