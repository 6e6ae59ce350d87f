"""The pytest that starts the virtual machine: it runs there what is marked `kernel`, and reports it here.

The machine is virtme-ng's: the given kernel under QEMU in software emulation, with the files of this machine
to read. So pytest, the plugin and the tests in there are the very same.
"""

from __future__ import annotations

import json
import secrets
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from skverdict.runtime.testing.inside import TOKEN_ARGUMENT
from skverdict.runtime.testing.plugin import KERNEL

VNG = "vng"
QEMU = "qemu-system-x86_64"
MEMORY = "1G"
TAIL = 40
"""Lines of the machine's console that a failure shows."""


class GuestTests:
    """Takes the kernel runs of tests out of this process."""

    def __init__(self, config: pytest.Config) -> None:
        """Raises UsageError where no machine can be started."""
        image = config.getoption("kernel_image")
        if not Path(image).is_file():
            raise pytest.UsageError(f"--kernel-image={image}: no such file")
        for program, source in ((VNG, "pip install 'skverdict[kernel]'"), (QEMU, "apt install qemu-system-x86")):
            if shutil.which(program) is None:
                raise pytest.UsageError(f"--kernel-image needs {program}, which is not on PATH: {source}")
        self._image = image
        self._config = config
        self._reports: dict[str, list[pytest.TestReport]] | None = None
        self._trouble = ""

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> bool | None:
        """Report a kernel run as the machine did; the first one starts it, for all that were selected."""
        if not _is_kernel_run(item):
            return None
        if self._reports is None:
            self._run([_name(each) for each in item.session.items if _is_kernel_run(each)])
        assert self._reports is not None
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        for report in self._reports.get(item.nodeid) or [self._missing(item)]:
            item.ihook.pytest_runtest_logreport(report=report)
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True

    def _missing(self, item: pytest.Item) -> pytest.TestReport:
        trouble = self._trouble or "the virtual machine did not report on this test"
        return pytest.TestReport(
            item.nodeid, item.location, {}, outcome="failed", longrepr=trouble, when="call"
        )

    def _run(self, names: Sequence[str]) -> None:
        self._reports = {}
        with tempfile.TemporaryDirectory(prefix="skverdict-guest-") as folder:
            self._trouble = _boot(
                self._image, names, self._config.rootpath, Path(folder), self._config.getoption("kernel_seconds")
            )
            file = Path(folder, "reports")
            lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
        for line in lines:
            report = self._parsed(line)
            if report is not None:
                self._reports.setdefault(report.nodeid, []).append(report)

    def _parsed(self, line: str) -> pytest.TestReport | None:
        """A report; None where the machine died in the middle of writing it."""
        try:
            content: dict[str, Any] = json.loads(line)
        except ValueError:
            return None
        report: pytest.TestReport = self._config.hook.pytest_report_from_serializable(
            config=self._config, data=content
        )
        return report


def _is_kernel_run(item: pytest.Item) -> bool:
    call = getattr(item, "callspec", None)
    return call is not None and call.params.get("skverdict_backend") == KERNEL


def _name(item: pytest.Item) -> str:
    """How a test is named in the machine, wherever its pytest begins to look."""
    return f"{item.path}::{item.nodeid.partition('::')[2]}"


def guest_command(image: str, folder: Path, token: str, inner: Sequence[str]) -> list[str]:
    """The command that boots `image` and runs `inner` in it as root; `folder` can be written from there."""
    return [
        VNG, "--run", image, "--disable-kvm", "--user", "root", "--memory", MEMORY,
        "--rwdir", str(folder), "--append", f"{TOKEN_ARGUMENT}{token}",
        "--", f"ip link set lo up; {shlex.join(inner)}",
    ]  # fmt: skip


def _boot(image: str, names: Sequence[str], root: Path, folder: Path, seconds: float) -> str:
    """Run the tests `names` in a machine that runs `image`; what to tell if one has no report."""
    token = secrets.token_hex(16)
    inner = [
        sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:cov",
        "--skverdict-guest", token, "--skverdict-reports", str(folder / "reports"), "--rootdir", str(root),
        *names,
    ]  # fmt: skip
    try:
        done = subprocess.run(
            guest_command(image, folder, token, inner), cwd=root, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=seconds, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as hung:
        return f"the virtual machine was not done after {seconds:g} s\n{_tail(hung.stdout)}"
    return f"the virtual machine did not report on this test; its console:\n{_tail(done.stdout)}"


def _tail(console: bytes | None) -> str:
    return "\n".join((console or b"").decode(errors="replace").splitlines()[-TAIL:])
