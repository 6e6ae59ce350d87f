"""A capture file of any size, read while it is replayed and never held in memory."""

from __future__ import annotations

import mmap
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import BinaryIO

from skverdict.runtime.capture.connections import Capture, Event
from skverdict.runtime.capture.reader import FORMATS, events_of
from skverdict.runtime.capture.record import Content

KEPT = 16 << 20
"""Bytes of the file that may stay in memory behind what is read."""


_HEAD = 64
"""Bytes that tell what is no capture."""


class CaptureFile:
    """A pcap or pcapng file whose events are read anew for each replay; to be used with `with`.

    `found` is what the last reading has found so far, without its events. `told` is called now and then with
    the number of bytes that have been read, of `size` in all. A capture that is no regular file is copied to a
    temporary one. A file must not be cut short meanwhile.
    """

    def __init__(self, file: BinaryIO, name: str, told: Callable[[int], None] | None = None) -> None:
        self.name = name
        self.told = told
        self.found = Capture(name)
        self._content = _mapped(file)
        self.size = len(self._content)

    def __enter__(self) -> CaptureFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if isinstance(self._content, mmap.mmap):
            self._content.close()

    @property
    def events(self) -> Iterator[Event]:
        """The events, from the first one on. Raises CaptureError where the file turns out bad."""
        self.found = Capture(self.name)
        freed = 0

        def read(position: int) -> None:
            nonlocal freed
            if position - freed > KEPT and isinstance(self._content, mmap.mmap):
                upto = position // mmap.PAGESIZE * mmap.PAGESIZE
                self._content.madvise(mmap.MADV_DONTNEED, freed, upto - freed)
                freed = upto
            if self.told is not None:
                self.told(position)

        return events_of(self._content, self.found, read)


def _mapped(file: BinaryIO) -> Content:
    """The content of a file, without reading it."""
    if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        return _map(file)
    with tempfile.TemporaryFile(prefix="skverdict-") as copy:
        head = file.read(_HEAD)
        copy.write(head)
        if head[:4] in FORMATS:
            # Of anything else there may be no end.
            shutil.copyfileobj(file, copy)
        copy.flush()
        return _map(copy)


def _map(file: BinaryIO) -> Content:
    if not os.fstat(file.fileno()).st_size:
        return b""
    return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
