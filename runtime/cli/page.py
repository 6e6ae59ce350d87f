"""`skverdict run --report`: a replay with everything that its page shows."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from skverdict.runtime.capture.replay import replay
from skverdict.runtime.cli.files import write_output
from skverdict.runtime.cli.progress import Bar
from skverdict.runtime.cli.report import tables
from skverdict.runtime.pictures.map_history import History
from skverdict.runtime.pictures.page import page

if TYPE_CHECKING:
    from argparse import Namespace

    from skverdict.codegen.object import Object
    from skverdict.dsl import Policy
    from skverdict.runtime.capture import Capture
    from skverdict.runtime.capture.connections import Event
    from skverdict.runtime.capture.plan import Plan
    from skverdict.runtime.capture.report import Report
    from skverdict.runtime.pictures.control_flow import Hits
    from skverdict.runtime.simulator import Simulator


def replay_for_page(
    options: Namespace, capture: Capture, policy: Policy | None, content: Object, plan: Plan
) -> Report:
    """Replay, and write the page.

    How often lines ran is counted in a replay of its own, since counting needs another object.
    """
    histories: list[History] = []
    with Bar("replaying", len(capture.events)) as bar:

        def observe(simulator: Simulator) -> Callable[[Event], None]:
            history, step = History(simulator), bar.counting()
            histories.append(history)

            def look(event: Event) -> None:
                history.look(event.packet)
                step(event)

            return look

        report = replay(capture, content, plan, kernel=options.kernel, trace=True, observe=observe)
    hits = None if policy is None else _hits(capture, policy, plan, options.kernel)
    title = f"{options.policy} with {capture.file}"
    text = page(title, tables(report), content, hits, report.trace, histories[-1])
    write_output(options.report, text.encode(errors="backslashreplace"))
    if not options.trace:
        report.trace.clear()
    return report


def _hits(capture: Capture, policy: Policy, plan: Plan, kernel: str) -> Hits:
    """How often each line of a policy runs."""
    from skverdict.codegen import read_object
    from skverdict.runtime.coverage.recorder import Recorder
    from skverdict.runtime.watching import watched_by

    recorder = Recorder()
    with watched_by(recorder), Bar("counting", len(capture.events)) as bar:

        def observe(simulator: Simulator) -> Callable[[Event], None]:
            recorder.hits.clear()
            return bar.counting()

        replay(capture, read_object(recorder.build(policy)), plan, kernel=kernel, observe=observe)
    names = {path: name for name, path in policy.paths.items()}
    return {(names[file], line): count for (file, line), count in recorder.hits.items()}
