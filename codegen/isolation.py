"""Work in a child process: what LLVM cannot lower ends the process that it runs in."""

from __future__ import annotations

import os
import pickle
import signal
import tempfile
from collections.abc import Callable
from typing import TypeVar

from skverdict.codegen.errors import CodegenError
from skverdict.dsl.errors import Place, PolicyError

_DONE, _REFUSED = b"+", b"-"

T = TypeVar("T")


def isolated(make: Callable[[], T], file: str) -> T:
    """What `make` gives, which runs in a child process; it must be something that can be pickled.

    Raises its PolicyError as a `CodegenError`, and one about `file` as a whole if the child ends otherwise,
    with the last line that it printed.
    """
    with tempfile.TemporaryFile() as printed:
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            _work(make, writing, printed.fileno())
        os.close(writing)
        with os.fdopen(reading, "rb") as pipe:
            answer = pipe.read()
        _, status = os.waitpid(child, 0)
        printed.seek(0)
        lines = printed.read().decode(errors="replace").split("\n")
    if status == 0 and answer[:1] == _DONE:
        made: T = pickle.loads(answer[1:])
        return made
    if status == 0 and answer[:1] == _REFUSED:
        error = CodegenError.__new__(CodegenError)
        PolicyError.__init__(error, pickle.loads(answer[1:]))
        raise error
    last = next((line for line in reversed(lines) if line.strip()), "")
    raise CodegenError(
        f"the code generator died on this policy ({_end(status)}){': ' + last[:200] if last else ''}",
        Place(file, 0, 0),
        hint="this is a fault of skverdict: please report the policy",
    )


def _work(make: Callable[[], T], writing: int, printed: int) -> None:
    """The child: it answers and never returns."""
    status = 1
    try:
        os.dup2(printed, 2)
        try:
            answer = _DONE + pickle.dumps(make())
        except PolicyError as error:
            answer = _REFUSED + pickle.dumps(error.diagnostics)
        with os.fdopen(writing, "wb") as pipe:
            pipe.write(answer)
        status = 0
    except BaseException as error:
        os.write(2, f"{type(error).__name__}: {error}\n".encode(errors="replace"))
    finally:
        os._exit(status)


def _end(status: int) -> str:
    """How a process ended, in words."""
    code = os.waitstatus_to_exitcode(status)
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"
