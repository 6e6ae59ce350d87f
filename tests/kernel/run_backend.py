"""Runs in the guest: the tests of tests/kernel/backend by pytest, with a result for each.

A result has `test`, `outcome` (`passed`, `failed` or `skipped`), `seconds`, and `detail`, why it failed or was
skipped. Arguments are pytest's own.
"""

from __future__ import annotations

import sys

import pytest

from tests.kernel.boundary import report, require_guest

TESTS = "tests/kernel/backend"
#: Files that only a guest's pytest takes for tests.
PATTERN = "guest_*.py"


class Reporter:
    """Sends what became of each test."""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        # A test that fails before or after its body says so there; one that goes well is told once.
        if report.when == "call" or not report.passed:
            send(report)


def send(found: pytest.TestReport) -> None:
    reason = found.longrepr[2] if isinstance(found.longrepr, tuple) else found.longreprtext
    report({"test": found.nodeid, "outcome": found.outcome, "seconds": found.duration, "detail": reason})


def main(arguments: list[str]) -> int:
    require_guest()
    options = ["-p", "no:cacheprovider", "-q", "-o", f"python_files={PATTERN}", "-o", "addopts="]
    code = pytest.main([*options, "--import-mode=importlib", TESTS, *arguments], plugins=[Reporter()])
    # What failed is in the results.
    return 0 if code in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED) else int(code)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
