"""The pytest that runs inside the virtual machine: what lets it use the kernel, and how reports get out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

TOKEN_ARGUMENT = "skverdict.guest="


def require_guest(token: str, command_line: Path = Path("/proc/cmdline")) -> None:
    """Raise UsageError unless the kernel was booted with `token`: programs must not be loaded by mistake."""
    if f"{TOKEN_ARGUMENT}{token}" not in command_line.read_text(encoding="utf-8").split():
        raise pytest.UsageError("--skverdict-guest is for the virtual machine that --kernel-image starts")


class Reporting:
    """Writes each report to a file, a line of JSON."""

    def __init__(self, config: pytest.Config, path: str) -> None:
        self._config = config
        self._path = path

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        content = self._config.hook.pytest_report_to_serializable(config=self._config, report=report)
        with open(self._path, "a", encoding="utf-8") as file:
            file.write(json.dumps(content) + "\n")
