"""Tables: drawn by rich on a terminal, aligned by spaces anywhere else."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from rich.table import Table as RichTable


class Table(NamedTuple):
    """A table. `alignment` has one letter a column: `l` or `r`."""

    title: str
    columns: Sequence[str]
    alignment: str
    rows: Sequence[Sequence[str]]


def print_tables(tables: Iterable[Table]) -> None:
    """Print tables on standard output, an empty line after each."""
    draw = _print_rich if sys.stdout.isatty() else _print_plain
    for table in tables:
        draw(table)
        print()


def _print_plain(table: Table) -> None:
    lines = [table.columns, *table.rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(table.columns))]
    print(table.title)
    for line in lines:
        cells = [
            cell.rjust(width) if side == "r" else cell.ljust(width)
            for cell, width, side in zip(line, widths, table.alignment, strict=True)
        ]
        print(f"  {'  '.join(cells)}".rstrip())


def _print_rich(table: Table) -> None:
    from rich.console import Console

    Console().print(drawn(table))


def drawn(table: Table) -> RichTable:
    """The table as rich draws it."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table as RichTable
    from rich.text import Text

    made = RichTable(title=table.title, title_justify="left", title_style="bold", box=SIMPLE_HEAD)
    for title, side in zip(table.columns, table.alignment, strict=True):
        number = side == "r"
        made.add_column(title, justify="right" if number else "left", overflow="fold", no_wrap=number)
    for row in table.rows:
        made.add_row(*map(Text, row))  # names may look like rich's markup
    return made
