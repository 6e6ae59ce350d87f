"""`skverdict test`: run a policy's tests, once or at each change."""

from __future__ import annotations

from skverdict.runtime.cli.failure import FAILED, USAGE, CommandError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Iterator, Sequence

DETAILS = """

The tests are pytest's, which has to be installed; what stands behind -- is given to it. With --watch they run
again whenever a file with the ending .py in one of the folders changes, until interrupted. The exit code is 0
if all passed, 1 if some did not, 5 if there were none."""

EXAMPLE = """examples:
  skverdict test
  skverdict test tests --watch -- -x -k redirect"""

PASSES_ON = True

INTERVAL = 0.3
"""Seconds between looks at the files."""

# The plugin is loaded already, which pytest would warn of.
_QUIET = ("-q", "-p", "no:cacheprovider", "-W", "ignore::pytest.PytestAssertRewriteWarning")
#: pytest's exit codes that mean something else here: tests that cannot be read, its own fault, a wrong command line.
_CODES = {2: FAILED, 3: FAILED, 4: USAGE}
_SKIPPED = frozenset({".git", ".venv", "node_modules", "__pycache__"})


def configure(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("paths", metavar="PATH", nargs="*", help="files and folders with tests (default: here)")
    parser.add_argument("--watch", action="store_true", help="run them again at each change")
    parser.add_argument("--json", action="store_true", help="print each test's outcome as JSON, nothing else")


def run(options: Namespace) -> int:
    """Run the tests, each time in a process of their own: modules that changed must be read anew."""
    from importlib.util import find_spec

    if find_spec("pytest") is None:
        raise CommandError("tests need pytest: pip install pytest")
    arguments = [*options.paths, *options.passed_on]
    if options.json:
        code = _as_json(arguments)
    elif options.watch:
        code = _watch(options.paths, arguments)
    else:
        code = _pytest(arguments)
    return _CODES.get(code, code)


def _pytest(arguments: Sequence[str]) -> int:
    import subprocess
    import sys

    return subprocess.run([sys.executable, "-m", "pytest", *arguments], check=False).returncode


def _as_json(arguments: Sequence[str]) -> int:
    """Run in this process with a plugin that listens, and standard output kept for the result."""
    import json
    import sys
    from contextlib import redirect_stdout

    import pytest
    from skverdict.runtime.testing.outcomes import Outcomes

    outcomes = Outcomes()
    with redirect_stdout(sys.stderr):
        code = pytest.main([*_QUIET, *arguments], plugins=[outcomes])
    print(json.dumps({"exit_code": int(code), "tests": outcomes.tests}, indent=2))
    return int(code)


def _watch(paths: Sequence[str], arguments: Sequence[str]) -> int:
    from time import sleep

    code, seen = 0, None
    while True:
        now = dict(_changes(paths or ["."]))
        if now != seen:
            seen = now
            code = _pytest(arguments)
            print(f"watching {', '.join(paths) or 'this folder'}; interrupt with Ctrl-C", flush=True)
        try:
            sleep(INTERVAL)
        except KeyboardInterrupt:
            return code


def _changes(paths: Sequence[str]) -> Iterator[tuple[str, int]]:
    """Each Python file with the time of its last change."""
    import os

    for path in paths:
        path = path.partition("::")[0]
        # A test file is watched with its folder, where its policy lies.
        for folder, folders, files in os.walk(path if os.path.isdir(path) else os.path.dirname(path) or "."):
            folders[:] = [each for each in folders if each not in _SKIPPED]
            for file in files:
                if file.endswith(".py"):
                    name = os.path.join(folder, file)
                    try:
                        yield name, os.stat(name).st_mtime_ns
                    except FileNotFoundError:
                        continue
