"""Counters of an attached policy, shown as they change."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from skverdict.runtime.cli.signals import ended
from skverdict.runtime.cli.table import Table, drawn, print_tables

if TYPE_CHECKING:
    from skverdict.runtime.kernel.counters import Counts, ProgramCount
    from skverdict.runtime.kernel.inventory import MapState

#: Seconds between two looks.
INTERVAL = 0.5

VERDICTS = (("other", "negative"), ("drop", "zero"), ("pass", "one"), ("other", "more"))
MEANINGS = {
    "stream_parser": (("refused", "negative"), ("incomplete", "zero"), ("message", "one"), ("message", "more")),
    "stream_verdict": VERDICTS,
    "skb_verdict": VERDICTS,
    "msg_verdict": VERDICTS,
}
"""What a program's results mean, by its kind: a word for each field of `Results`. A redirect passes, too."""


def watch(
    read: Callable[[], Counts],
    title: str,
    *,
    seconds: float | None,
    printed: Callable[[], Sequence[str]] | None,
    as_json: bool,
) -> None:
    """Show what `read` gives, and lines that are `printed`, until a signal ends it or `seconds` are over.

    On a terminal the tables change in place; elsewhere the last ones are printed at the end.
    """
    deadline = None if seconds is None else time.monotonic() + seconds
    shown = 0
    with _display(title, as_json) as show:
        while True:
            lines = printed() if printed is not None else ()
            show(read(), lines[shown:])
            shown = len(lines)
            left = INTERVAL if deadline is None else min(INTERVAL, deadline - time.monotonic())
            if left <= 0 or ended(left):
                break
        counts = read()
        show(counts, ())
    if as_json:
        print(json.dumps(as_data(counts), indent=2))
    elif not sys.stdout.isatty():
        print_tables(tables(counts))


@contextmanager
def _display(title: str, as_json: bool) -> Iterator[Callable[[Counts, Sequence[str]], None]]:
    """What shows counts and new lines."""
    if as_json or not sys.stdout.isatty():
        output = sys.stderr if as_json else sys.stdout
        print(title, file=output, flush=True)
        yield lambda counts, lines: _say(lines, output)
        return
    from rich.console import Console, Group
    from rich.live import Live
    from rich.text import Text

    console = Console()
    with Live(Text(title), console=console, auto_refresh=False) as live:

        def show(counts: Counts, lines: Sequence[str]) -> None:
            for line in lines:
                live.console.print(Text(line))
            live.update(Group(Text(title), *map(drawn, tables(counts))), refresh=True)

        yield show


def _say(lines: Sequence[str], output: TextIO) -> None:
    for line in lines:
        print(line, file=output, flush=True)


def tables(counts: Counts) -> list[Table]:
    """The counts as tables."""
    programs = [
        (each.name, each.kind, f"{each.runs:,}", _mean(each), _meaning(each)) for each in counts.programs
    ]
    maps = [(each.name, each.kind, entries(each), f"{each.max_entries:,}") for each in counts.maps]
    return [
        Table("Programs", ("program", "kind", "runs", "ns per run", "results"), "llrrl", programs),
        Table("Maps", ("map", "kind", "entries", "at most"), "llrr", maps),
    ]


def entries(state: MapState) -> str:
    """How full a map is."""
    if state.entries is None:
        return "-"
    return f"{state.entries:,}" + (" full" if state.entries >= state.max_entries else "")


def _mean(program: ProgramCount) -> str:
    return f"{program.run_time // program.runs:,}" if program.runs else "-"


def _meaning(program: ProgramCount) -> str:
    return ", ".join(f"{word} {count:,}" for word, count in results(program).items()) or "-"


def results(program: ProgramCount) -> dict[str, int]:
    """How often a program gave each result, by what it means; without those that it never gave."""
    if program.results is None:
        return {}
    found: dict[str, int] = {}
    for word, field in MEANINGS.get(program.kind, ()):
        count: int = getattr(program.results, field)
        if count:
            found[word] = found.get(word, 0) + count
    return found


def as_data(counts: Counts) -> dict[str, list[dict[str, object]]]:
    """The counts for JSON; times are nanoseconds."""
    return {
        "programs": [
            {
                "name": each.name,
                "kind": each.kind,
                "runs": each.runs,
                "run_time": each.run_time,
                "results": results(each),
            }
            for each in counts.programs
        ],
        "maps": [each._asdict() for each in counts.maps],
    }
