"""The sum of what the replays of many captures found out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from skverdict.runtime.capture.report import Flow, ProgramReport, Report


class Failure(NamedTuple):
    """A capture that gave no report; `error` says why."""

    file: str
    error: str

    def as_json(self) -> dict[str, Any]:
        """The failure in the place of a report."""
        return {"capture": {"file": self.file}, "error": self.error}


@dataclass
class Total:
    """The sum of reports; `failed` of `captures` gave none, or one that a fault ended early."""

    captures: int = 0
    failed: int = 0
    packets: int = 0
    connections: int = 0
    programs: dict[str, ProgramReport] = field(default_factory=dict)
    flow: Flow = field(default_factory=Flow)

    def as_json(self) -> dict[str, Any]:
        """Everything as plain data; of what was redirected only how, since each capture has its own sockets."""
        return {
            "captures": self.captures,
            "failed": self.failed,
            "packets": self.packets,
            "connections": self.connections,
            "programs": [program.as_json() for program in self.programs.values()],
            **self.flow.as_json(),
            "redirected": redirected_by_way(self.flow),
        }


def flow_of(report: Report) -> Flow:
    """Both directions of all connections of a report."""
    flow = Flow()
    for row in report.connections:
        flow.add(row.to_server)
        flow.add(row.to_client)
    return flow


def redirected_by_way(flow: Flow) -> dict[str, int]:
    """Bytes that were redirected, by `egress` and `ingress`, to whatever socket."""
    ways: Counter[str] = Counter(egress=0, ingress=0)
    for (way, _), count in flow.redirected.items():
        ways[way] += count
    return dict(ways)


def total_of(results: Sequence[Report | Failure]) -> Total:
    """The sum of what replays gave."""
    total = Total(len(results))
    for result in results:
        if isinstance(result, Failure):
            total.failed += 1
            continue
        total.failed += bool(result.fault)
        total.packets += result.capture.packets
        total.connections += len(result.connections)
        total.flow.add(flow_of(result))
        _add_programs(total.programs, result.programs.values())
    return total


def _add_programs(sums: dict[str, ProgramReport], programs: Iterable[ProgramReport]) -> None:
    for program in programs:
        row = sums.setdefault(program.name, ProgramReport(program.name, program.kind))
        row.verdicts.update(program.verdicts)
