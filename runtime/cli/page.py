"""`skverdict run --report` and `--pictures`: a replay with everything that the page and the pictures show."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from skverdict.runtime.capture.replay import replay
from skverdict.runtime.cli.files import write_output
from skverdict.runtime.cli.progress import Bar
from skverdict.runtime.cli.report import tables
from skverdict.runtime.cli.table import Table, print_tables
from skverdict.runtime.pictures.control_flow import graph_text
from skverdict.runtime.pictures.lanes_text import lanes_text
from skverdict.runtime.pictures.map_history import History
from skverdict.runtime.pictures.page import MOST_DRAWN, page

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Sequence

    from skverdict.codegen.object import Object
    from skverdict.dsl import Policy
    from skverdict.runtime.capture import Capture
    from skverdict.runtime.capture.connections import Event as Captured
    from skverdict.runtime.capture.plan import Plan
    from skverdict.runtime.capture.report import Report
    from skverdict.runtime.pictures.control_flow import Hits
    from skverdict.runtime.simulator import Simulator
    from skverdict.runtime.trace import Event

MOST_CHANGES = 400
"""Changes of maps that are printed; the rest is counted."""


class Observed(NamedTuple):
    """A replay: its report, how often each line ran, everything that happened, and what the maps held."""

    report: Report
    hits: Hits | None
    events: Sequence[Event]
    history: History


def observe(
    options: Namespace, capture: Capture, policy: Policy | None, content: Object, plan: Plan
) -> Observed:
    """Replay and look on.

    How often lines ran is counted in a replay of its own, since counting needs another object.
    """
    histories: list[History] = []
    with Bar("replaying", len(capture.events)) as bar:

        def begin(simulator: Simulator) -> Callable[[Captured], None]:
            history, step = History(simulator), bar.counting()
            histories.append(history)

            def look(event: Captured) -> None:
                history.look(event.packet)
                step(event)

            return look

        report = replay(capture, content, plan, kernel=options.kernel, trace=True, observe=begin)
    hits = None if policy is None else _hits(capture, policy, plan, options.kernel)
    events = list(report.trace)
    if not options.trace:
        report.trace.clear()
    return Observed(report, hits, events, histories[-1])


def write_page(path: str, title: str, content: Object, seen: Observed) -> None:
    """Write the page."""
    text = page(title, tables(seen.report), content, seen.hits, seen.events, seen.history)
    write_output(path, text.encode(errors="backslashreplace"))


def print_pictures(content: Object, seen: Observed) -> None:
    """Print the pictures as text: the programs' control flow, sockets as lanes, and the maps over time."""
    for program in content.programs.values():
        print(f"{graph_text(program, seen.hits)}\n")
    print(lanes_text(seen.events[:MOST_DRAWN]))
    print(*_more(len(seen.events) - MOST_DRAWN, "events"), sep="\n")
    changes = seen.history.changes
    columns = ("packet", "map", "key", "before", "after")
    rows = [(str(each.moment), *(text or "-" for text in each[1:])) for each in changes[:MOST_CHANGES]]
    print_tables([Table("Maps over time", columns, "rllll", rows)])
    print(*_more(len(changes) + seen.history.cut - MOST_CHANGES, "changes"), sep="\n", end="")


def _more(number: int, what: str) -> Iterator[str]:
    if number > 0:
        yield f"{number:,} more {what} are not shown\n"


def _hits(capture: Capture, policy: Policy, plan: Plan, kernel: str) -> Hits:
    """How often each line of a policy runs."""
    from skverdict.codegen import read_object
    from skverdict.runtime.coverage.recorder import Recorder
    from skverdict.runtime.watching import watched_by

    recorder = Recorder()
    with watched_by(recorder), Bar("counting", len(capture.events)) as bar:

        def begin(simulator: Simulator) -> Callable[[Captured], None]:
            recorder.hits.clear()
            return bar.counting()

        replay(capture, read_object(recorder.build(policy)), plan, kernel=kernel, observe=begin)
    names = {path: name for name, path in policy.paths.items()}
    return {(names[file], line): count for (file, line), count in recorder.hits.items()}
