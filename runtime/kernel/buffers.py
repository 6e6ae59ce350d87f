"""Ring buffers and perf buffers: the records that programs put out, as streams of events."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

from skverdict.runtime.kernel.bpf import Bpf
from skverdict.runtime.kernel.errors import refusals
from skverdict.runtime.kernel.events import EventStream
from skverdict.runtime.kernel.libbpf import PERF_LOST, PERF_SAMPLE, SAMPLE
from skverdict.runtime.kernel.maps import KernelMap
from skverdict.runtime.machine.errno import Errno, KernelError
from skverdict.runtime.maps.perf_event_array import BUFFER_SIZE, PerfRecord
from skverdict.runtime.maps.typed import ValueMismatch

_PAGE = 4096


class KernelRingBuffer(EventStream[bytes]):
    """A ring buffer, whose events are records. `raw` is the map itself."""

    def __init__(self, bpf: Bpf, raw: KernelMap) -> None:
        self.raw = raw
        self._bpf = bpf
        self._handle: int | None = None
        self._taken: list[bytes] = []
        self._sample = SAMPLE(self._keep)  # libbpf calls it for as long as the handle is open

    def _keep(self, _: Any, data: int, size: int) -> int:
        self._taken.append(ctypes.string_at(data, size))
        return 0

    def _opened(self) -> int:
        """libbpf's handle of the buffer, made when it is needed first."""
        if self._handle is None:
            with refusals(f"map {self.raw.name}"):
                self._handle = self._bpf.open_ring_buffer(self.raw.descriptor, self._sample)
        return self._handle

    def fileno(self) -> int:
        return self._bpf.ring_buffer_descriptor(self._opened())

    def consume(self) -> list[bytes]:
        """Take the records that are submitted, up to the first that is still reserved."""
        with refusals(f"map {self.raw.name}"):
            self._bpf.consume_ring_buffer(self._opened())
        taken, self._taken = self._taken, []
        return taken

    def take(self) -> list[bytes]:
        return self.consume()

    def close(self) -> None:
        """Let go of the memory that is shared with the kernel; it is taken again if need be."""
        if self._handle is not None:
            self._bpf.free_ring_buffer(self._handle)
            self._handle = None


class KernelPerfEvents(EventStream[PerfRecord]):
    """An array of perf events, whose events are records. Nothing is open before `open`. `raw` is the map."""

    def __init__(self, bpf: Bpf, raw: KernelMap) -> None:
        self.raw = raw
        #: Records that found no room.
        self.lost = 0
        self._bpf = bpf
        self._handle: int | None = None
        self._taken: list[PerfRecord] = []
        # libbpf calls them for as long as the handle is open
        self._callbacks: tuple[Callable[..., Any], Callable[..., Any]] = (
            PERF_SAMPLE(self._keep),
            PERF_LOST(self._count_lost),
        )

    def _keep(self, _: Any, cpu: int, data: int, size: int) -> None:
        self._taken.append(PerfRecord(cpu, ctypes.string_at(data, size)))

    def _count_lost(self, _: Any, cpu: int, count: int) -> None:
        self.lost += count

    def open(self, size: int = BUFFER_SIZE) -> None:
        """Open an event for each CPU that is on, with a buffer of `size` bytes, a power of 2 and 4096 or
        more. What was open before is closed."""
        if size < _PAGE or size & (size - 1):
            raise ValueMismatch(f"buffers of {self.raw.name}: {size} bytes are no power of 2 from 4096 on")
        self.close()
        with refusals(f"map {self.raw.name}"):
            self._handle = self._bpf.open_perf_buffer(self.raw.descriptor, size // _PAGE, *self._callbacks)

    def _opened(self) -> int:
        if self._handle is None:
            raise KernelError(Errno.ENOENT, f"map {self.raw.name} has no open events; call open() first")
        return self._handle

    def fileno(self) -> int:
        return self._bpf.perf_buffer_descriptor(self._opened())

    def records(self) -> list[PerfRecord]:
        """Take what programs have put out, CPU by CPU."""
        with refusals(f"map {self.raw.name}"):
            self._bpf.consume_perf_buffer(self._opened())
        taken, self._taken = self._taken, []
        return taken

    def take(self) -> list[PerfRecord]:
        return self.records()

    def close(self) -> None:
        """Close the events."""
        if self._handle is not None:
            self._bpf.free_perf_buffer(self._handle)
            self._handle = None
