"""Files that a command reads and writes; `-` is standard input or output."""

from __future__ import annotations

import errno
import os
import stat
import sys

from skverdict.runtime.cli.failure import UsageError

STANDARD = "-"
ELF = b"\x7fELF"


def read_input(path: str) -> bytes:
    """The content of a file, or of standard input."""
    if path == STANDARD:
        return sys.stdin.buffer.read()
    with open(path, "rb") as file:
        return file.read()


def read_object_file(path: str) -> bytes:
    """The content of a file that is to be an object, or of standard input."""
    content = read_input(path)
    if path.endswith(".py") and not content.startswith(ELF):
        raise UsageError(f"{path} is a policy, and this takes an object: skverdict build {path} -o FILE.o")
    return content


def input_name(path: str) -> str:
    """How errors name an input."""
    return "<stdin>" if path == STANDARD else path


def same_file(path: str, other: str) -> bool:
    """Whether both name one file that is there."""
    try:
        return STANDARD not in (path, other) and os.path.samefile(path, other)
    except OSError:
        return False


def write_output(path: str, content: bytes) -> None:
    """Put `content` into the file at `path`, all of it or, with an OSError, nothing."""
    if path == STANDARD:
        if sys.stdout.isatty():
            raise UsageError("an object file is not for a terminal to show; redirect standard output")
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
        return
    try:
        _write(os.path.realpath(path), content)  # a symbolic link stays one
    except OSError as error:
        error.filename, error.filename2 = path, None
        raise


def _write(target: str, content: bytes) -> None:
    try:
        mode = os.stat(target).st_mode
    except FileNotFoundError:
        mode = 0
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if mode and not stat.S_ISREG(mode):
        with open(target, "wb") as device:
            device.write(content)
        return
    _replace(target, content, stat.S_IMODE(mode))


def _replace(target: str, content: bytes, mode: int) -> None:
    """Write a file beside `target`, with its mode if it has one, and let it take its place."""
    beside = os.path.join(os.path.dirname(target), f".skverdict-{os.getpid()}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
            if mode:
                os.fchmod(descriptor, mode)
        os.replace(beside, target)
    except BaseException:
        os.unlink(beside)
        raise
