"""From an exception to an exit code and to what standard error says."""

from __future__ import annotations

import os
import sys

USAGE = 2
FAILED = 1
DIFFERENT = 3
INTERRUPTED = 130

TRACEBACK_VARIABLE = "SKVERDICT_TRACEBACK"
"""Environment variable that, if not empty, has unexpected exceptions show their traceback."""

EXPECTED = {
    "UsageError": USAGE,
    "CommandError": FAILED,
    "PolicyError": USAGE,
    "AssemblyError": USAGE,
    "ObjectError": FAILED,
    "CaptureError": FAILED,
    "LoadError": FAILED,
    "Fault": FAILED,
    "MapError": FAILED,
    "SimulationError": FAILED,
    "HazardError": FAILED,
    "KernelUnavailable": FAILED,
    "KernelUseError": USAGE,
    "VerifierError": FAILED,
    "OSError": FAILED,
}
"""Exit code by the name of an exception's class or of a base of it: few of their modules are loaded."""

SELF_EXPLAINING = frozenset({"PolicyError", "AssemblyError", "VerifierError"})
"""Classes whose text begins with the place of the error, so that no program name stands before it."""


class UsageError(Exception):
    """The command line asks for what cannot be done, in a way that argparse does not see."""


class CommandError(Exception):
    """The command line is right, and what it asks for failed or led to nothing."""


def report(error: BaseException) -> int:
    """Tell about an exception that ended a command; gives the exit code."""
    if isinstance(error, KeyboardInterrupt):
        _give_up_output()
        return INTERRUPTED
    if isinstance(error, OSError):
        _give_up_output()
    if isinstance(error, BrokenPipeError):
        return FAILED  # whoever read the output has enough of it
    if not isinstance(error, Exception):
        raise error
    known = _expected(error)
    if known is None and os.environ.get(TRACEBACK_VARIABLE):
        raise error
    _say(explanation(error) if known in SELF_EXPLAINING else f"skverdict: {explanation(error)}")
    return FAILED if known is None else EXPECTED[known]


def explanation(error: Exception) -> str:
    """What is told about an exception."""
    if _expected(error) is not None:
        return _text(error)
    if os.environ.get(TRACEBACK_VARIABLE):
        from traceback import format_exception

        return "internal error:\n" + "".join(format_exception(error))
    return (
        f"internal error: {type(error).__name__}: {error}\n"
        f"This is a fault of skverdict. With {TRACEBACK_VARIABLE}=1 in the environment it tells where."
    )


def _expected(error: Exception) -> str | None:
    """The name under which an exception stands in `EXPECTED`."""
    return next((base.__name__ for base in type(error).__mro__ if base.__name__ in EXPECTED), None)


def _text(error: Exception) -> str:
    """What the error says, an OSError as `file: reason`."""
    if isinstance(error, OSError) and error.strerror:
        if error.filename is None:
            return error.strerror
        return f"{error.filename or repr('')}: {error.strerror}"
    return str(error)


def _say(text: str) -> None:
    print(text, file=sys.stderr)


def _give_up_output() -> None:
    """Write out what standard output holds; where that fails, see that it is not tried again at exit."""
    try:
        print(end="", flush=True)
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
