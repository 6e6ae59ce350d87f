"""The report of `skverdict run`: tables for people, JSON for programs.

The JSON is `Report.as_json()` with the policy's name: all counts are bytes or runs, every list is there even
if it is empty, and `fault` is an empty text where the replay went through.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from skverdict.runtime.capture.report import Flow, ProgramReport, Report
from skverdict.runtime.cli.table import Table, print_tables

MOST_CONNECTIONS = 40
"""Connections that a table lists; the rest is summed up."""

LEFTOVERS = {
    "dropped": "dropped",
    "lost": "lost by the kernel",
    "unsent": "not taken by the socket",
    "held": "still held",
    "left_out": "behind a hole of the capture",
}
"""Counts of a flow that stand in the last column where they are not 0."""


def print_report(report: Report, policy: str, *, as_json: bool) -> None:
    """Print a report."""
    if as_json:
        for text in _json(report, policy):
            print(text, end="")
        print()
        return
    for event in report.trace:
        print(event)
    total = sum(flow.sent for row in report.connections for flow in (row.to_server, row.to_client))
    packets, connections = report.capture.packets, len(report.connections)
    print(f"{report.capture.file} through {policy}")
    print(f"packets {packets:,}, connections {connections:,}, bytes of payload {total:,}\n")
    print_tables(tables(report))
    for line in remarks(report):
        print(line)


def _json(report: Report, policy: str) -> Iterator[str]:
    """The report as JSON, of which there is never more at once than a connection's: there may be very many."""
    import json
    from textwrap import indent

    mark = '"connections": []'
    whole = json.dumps({"policy": policy, **report.as_json(connections=False)}, indent=2)
    before, _, behind = whole.partition(mark)
    yield before
    begin = f"{mark[:-1]}\n"
    for row in report.connections:
        yield begin + indent(json.dumps(row.as_json(), indent=2), "    ")
        begin = ",\n"
    yield "\n  ]" if report.connections else mark
    yield behind


def tables(report: Report) -> list[Table]:
    """The tables of a report."""
    found = [programs_table(report.programs.values()), _connections(report)]
    if any(row.egress or row.ingress for row in report.upstreams):
        found.append(_upstreams(report))
    return found


def programs_table(programs: Iterable[ProgramReport]) -> Table:
    """How often each program came to which verdict."""
    rows = [
        (
            row.name,
            row.kind,
            f"{row.runs:,}",
            ", ".join(f"{verdict} {count:,}" for verdict, count in row.verdicts.most_common()) or "-",
        )
        for row in programs
    ]
    return Table("Verdicts", ("program", "kind", "runs", "verdicts"), "llrl", rows)


def _connections(report: Report) -> Table:
    rows = []
    for row in report.connections[:MOST_CONNECTIONS]:
        rows.append((f"client {row.connection.number}", str(row.connection.client), *_flow(row.to_server)))
        rows.append((f"server {row.connection.number}", str(row.connection.server), *_flow(row.to_client)))
    for count, flow in _rest(report):
        rows.append(("others", f"{count:,} connections", *_flow(flow)))
    return Table("Bytes", ("sender", "address", "sent", "delivered", "redirected", "else"), "llrrll", rows)


def _rest(report: Report) -> Iterator[tuple[int, Flow]]:
    """How many connections are not listed, and the sum of their flows, if there are any."""
    rest = report.connections[MOST_CONNECTIONS:]
    if rest:
        flow = Flow()
        for row in rest:
            flow.add(row.to_server)
            flow.add(row.to_client)
        yield len(rest), flow


def _flow(flow: Flow) -> Sequence[str]:
    """The columns of a flow: sent, received, redirected, and what else became of it."""
    redirected = [f"{count:,} {way} of {socket}" for (way, socket), count in flow.redirected.items()]
    other = [f"{getattr(flow, name):,} {what}" for name, what in LEFTOVERS.items() if getattr(flow, name)]
    if flow.returned:
        other.append(f"{flow.returned:,} back to the sender")
    other += [f"{name} {count:,} times" for name, count in flow.errors.items()]
    return f"{flow.sent:,}", f"{flow.received:,}", ", ".join(redirected) or "-", ", ".join(other) or "-"


def _upstreams(report: Report) -> Table:
    rows = [(row.name, f"{row.egress:,}", f"{row.ingress:,}") for row in report.upstreams]
    return Table("Upstream sockets", ("socket", "sent out of it", "read from it"), "lrr", rows)


def remarks(report: Report) -> Iterator[str]:
    """What has to be said beside the counts."""
    for title, lines in (
        ("capture", [str(note) for note in report.capture.notes]),
        ("replay", report.problems),
        ("kernel", report.hazards),
        ("printed", report.printed),
    ):
        for line in lines:
            yield f"{title}: {line}"
