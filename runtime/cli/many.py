"""`skverdict run` over many captures, each replayed by whatever worker is free."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple

from skverdict.codegen import read_object
from skverdict.runtime.capture.plan import Plan
from skverdict.runtime.capture.replay import replay
from skverdict.runtime.capture.report import Report
from skverdict.runtime.capture.total import Failure, Total, flow_of, redirected_by_way, total_of
from skverdict.runtime.cli.captures import open_capture, require_payload
from skverdict.runtime.cli.failure import FAILED, CommandError, explanation
from skverdict.runtime.cli.progress import Bar
from skverdict.runtime.cli.report import programs_table, remarks
from skverdict.runtime.cli.table import Table, print_tables
from skverdict.runtime.jobs import Gone, Here, Lost, Workers, spread


class Job(NamedTuple):
    """A capture to replay: `path` is absolute, `name` is what the user calls it; `content` is the object."""

    path: str
    name: str
    content: bytes
    plan: Plan
    kernel: str
    trace: bool


def run_many(jobs: Sequence[Job], workers: AbstractContextManager[Workers]) -> list[Report | Failure]:
    """Do all jobs; what came of each, in their order."""
    with workers as ready, Bar("replaying captures", len(jobs)) as bar:
        results = spread(replay_file, jobs, ready, bar.show)
    return [
        _failure(job, result) if isinstance(result, Exception) else result
        for job, result in zip(jobs, results, strict=True)
    ]


def workers_for(jobs: int | None, cluster: str | None) -> AbstractContextManager[Workers]:
    """This process for one job at once, as many others as there are jobs, or the cluster at an address."""
    if cluster is not None:
        try:
            from skverdict.runtime.jobs.cluster import Cluster
        except ModuleNotFoundError as error:
            raise CommandError(
                f"--dask needs {error.name}, which is not installed: pip install 'skverdict[dask]'"
            ) from None
        # What is lost is told once, by this command.
        logging.getLogger("distributed.client").setLevel(logging.CRITICAL)
        try:
            return Cluster(cluster)
        except (OSError, ValueError) as error:
            raise CommandError(f"no Dask scheduler answers at {cluster}: {error}") from None
    if jobs is None or jobs == 1:
        return nullcontext(Here())
    from skverdict.runtime.jobs.processes import Processes

    return Processes(jobs)


def replay_file(job: Job) -> Report | Failure:
    """Do a job."""
    try:
        with open_capture(job.path, job.name) as capture:
            report = replay(capture, read_object(job.content), job.plan, kernel=job.kernel, trace=job.trace)
        require_payload(report.capture)
    except Exception as error:
        return _failure(job, error)
    return report


def _failure(job: Job, error: Exception) -> Failure:
    """What is told of a capture whose job raised an exception; it begins with the capture's name."""
    if isinstance(error, OSError):
        error.filename = job.name
    text = str(error) if isinstance(error, (Gone, Lost)) else explanation(error)
    return Failure(job.name, text if text.startswith(f"{job.name}:") else f"{job.name}: {text}")


def print_many(results: Sequence[Report | Failure], policy: str, *, as_json: bool) -> int:
    """Print what came of all captures, in order, what failed on standard error; gives the exit code."""
    total = total_of(results)
    if as_json:
        captures = [result.as_json() for result in results]
        print(json.dumps({"policy": policy, "captures": captures, "total": total.as_json()}, indent=2))
    else:
        _print_tables(results, total, policy)
    for line in _errors(results):
        print(f"skverdict: {line}", file=sys.stderr)
    return FAILED if total.failed else 0


def _print_tables(results: Sequence[Report | Failure], total: Total, policy: str) -> None:
    reports = [result for result in results if isinstance(result, Report)]
    for report in reports:
        for event in report.trace:
            print(f"{report.capture.file}: {event}")
    print(f"{total.captures:,} captures through {policy}, {total.failed:,} of them failed")
    counts = f"packets {total.packets:,}, connections {total.connections:,}"
    print(f"{counts}, bytes of payload {total.flow.sent:,}\n")
    columns = ("capture", "packets", "connections", "sent", "delivered", "egress", "ingress", "dropped", "outcome")
    rows = [_row(result) for result in results]
    print_tables([programs_table(total.programs.values()), Table("Captures", columns, "lrrrrrrrl", rows)])
    for report in reports:
        for line in remarks(report):
            print(f"{report.capture.file}: {line}")


def _row(result: Report | Failure) -> Sequence[str]:
    if isinstance(result, Failure):
        return (result.file, *["-"] * 7, "failed")
    flow = flow_of(result)
    ways = redirected_by_way(flow)
    counts = (
        result.capture.packets, len(result.connections), flow.sent, flow.received,
        ways["egress"], ways["ingress"], flow.dropped,
    )  # fmt: skip
    return result.capture.file, *(f"{count:,}" for count in counts), "fault" if result.fault else "done"


def _errors(results: Sequence[Report | Failure]) -> Iterator[str]:
    for result in results:
        if isinstance(result, Failure):
            yield result.error
        elif result.fault:
            yield f"{result.capture.file}: {result.fault}"


def job_of(name: str, content: bytes, plan: Plan, kernel: str, trace: bool) -> Job:
    """The job for the capture that the user calls `name`."""
    return Job(os.path.abspath(name), name, content, plan, kernel, trace)
