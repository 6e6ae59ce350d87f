"""The command line: `skverdict COMMAND ...`, also as `python -m skverdict.runtime.cli`.

Exit codes: 0 done; 2 the command line or the policy is wrong; 1 anything else (an object, a capture or a file
that cannot be used, a program that faults, a test that fails); 3 two objects differ; 5 there are no tests; 130
interrupted. An error is told on standard error, in as few
lines as it needs.

`build` has a budget of a few milliseconds besides LLVM's, so nothing is imported here before it is needed.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv` (without the program's name); gives the exit code."""
    _accept_any_text()
    try:
        code = _dispatch(sys.argv[1:] if argv is None else argv)
        print(end="", flush=True)
    except BaseException as error:
        from skverdict.runtime.cli.failure import report

        return report(error)
    return code


def _dispatch(arguments: Sequence[str]) -> int:
    """Run the command; argparse ends in SystemExit where it has printed help or what is wrong."""
    from skverdict.runtime.cli.commands import dispatch

    try:
        return dispatch(arguments)
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 0


def _accept_any_text() -> None:
    """Let standard output show what its encoding lacks, file names above all, as escapes."""
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="backslashreplace")
