"""Native code on disk, so that a program is compiled once on a machine.

A file is named after all that its content follows from. It is only believed if nobody else can have written it, and if
its content is what was put there; anything else is as if it were not there, and is written anew.
"""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

#: How a file begins; to be changed with what follows.
_MAGIC = b"skverdict native 1\n"
_DIGEST = hashlib.sha256
_DIGEST_SIZE = _DIGEST().digest_size
#: Above so many files, the ones that were used least lately go, until there are so many.
_MOST, _KEPT = 1000, 800


def folder() -> Path:
    """Where the files are: in the user's folder for caches (`XDG_CACHE_HOME`, or `~/.cache`)."""
    home = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return Path(home) / "skverdict" / "native"


def stored(parts: tuple[str, ...]) -> bytes | None:
    """What was made for `parts` before, if it is on disk."""
    return _read(_path(parts))


def cached(parts: tuple[str, ...], make: Callable[[], bytes]) -> bytes:
    """What `make` gives for `parts`, from disk if it was made before. A disk that cannot be used does no harm."""
    path = _path(parts)
    content = _read(path)
    if content is None:
        content = make()
        with suppress(OSError):
            _write(path, content)
    return content


def _path(parts: tuple[str, ...]) -> Path:
    return folder() / _DIGEST(b"".join(_framed(part) for part in parts)).hexdigest()


def _framed(part: str) -> bytes:
    """A part so that no two rows of parts come to the same."""
    content = part.encode()
    return b"%d:%b" % (len(content), content)


def _read(path: Path) -> bytes | None:
    """The content of a file that can be believed."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    with open(descriptor, "rb") as file:
        if not (_is_ours(os.stat(path.parent)) and _is_ours(os.fstat(descriptor))):
            return None
        try:
            whole = file.read()
        except OSError:
            return None
    start = len(_MAGIC) + _DIGEST_SIZE
    content = whole[start:]
    if whole[:start] != _MAGIC + _DIGEST(content).digest():
        return None
    with suppress(OSError):
        os.utime(path)
    return content


def _is_ours(status: os.stat_result) -> bool:
    """True if it belongs to this user, and no other user can write to it."""
    return status.st_uid == os.geteuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _write(path: Path, content: bytes) -> None:
    """Put a file there as a whole."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent)
    try:
        with open(descriptor, "wb") as file:
            file.write(_MAGIC + _DIGEST(content).digest() + content)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise
    _make_room(path.parent)


def _make_room(where: Path) -> None:
    if len(os.listdir(where)) <= _MOST:
        return
    files = [(entry.stat().st_mtime, entry.path) for entry in os.scandir(where) if entry.is_file()]
    for _, path in sorted(files)[: max(0, len(files) - _KEPT)]:
        with suppress(OSError):
            os.unlink(path)
