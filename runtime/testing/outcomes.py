"""What became of each test, for `skverdict test --json`."""

from __future__ import annotations

from typing import Any

import pytest


class Outcomes:
    """A pytest plugin: `tests` has one entry a test, with its worst outcome and the seconds it took."""

    def __init__(self) -> None:
        self._by_name: dict[str, dict[str, Any]] = {}

    @property
    def tests(self) -> list[dict[str, Any]]:
        return list(self._by_name.values())

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        entry = self._by_name.setdefault(
            report.nodeid, {"name": report.nodeid, "outcome": "passed", "seconds": 0.0, "message": ""}
        )
        entry["seconds"] = round(entry["seconds"] + report.duration, 6)
        if report.outcome != "passed":
            entry["outcome"] = report.outcome
            entry["message"] = report.longreprtext

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self._by_name[report.nodeid] = {
                "name": report.nodeid, "outcome": "failed", "seconds": 0.0, "message": report.longreprtext
            }  # fmt: skip
