"""Ring buffers and perf buffers of a kernel, on a stand-in for libbpf's."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from typing import Any

import pytest
from skverdict.codegen.object import MapSpec
from skverdict.runtime.kernel.buffers import KernelPerfEvents, KernelRingBuffer
from skverdict.runtime.kernel.maps import KernelMap
from skverdict.runtime.maps.perf_event_array import PerfRecord
from skverdict.runtime.maps.typed import ValueMismatch

from tests.runtime.kernel_kit import StandIn


class Buffers(StandIn):
    """One buffer, to which `put` adds. It is readable while something is in it."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[bytes] = []
        self.lost = 0
        self.opened = 0
        self.pages = 0
        self._reader, self._writer = os.pipe()
        self._callbacks: tuple[Callable[..., Any], ...] = ()

    def put(self, record: bytes) -> None:
        self.records.append(record)
        os.write(self._writer, b".")

    def _consume(self) -> list[bytes]:
        taken, self.records = self.records, []
        if taken:
            os.read(self._reader, len(taken))
        return taken

    def open_ring_buffer(self, map_: int, sample: Callable[..., Any]) -> int:
        self.opened += 1
        self._callbacks = (sample,)
        return 1

    def ring_buffer_descriptor(self, handle: int) -> int:
        return self._reader

    def consume_ring_buffer(self, handle: int) -> int:
        taken = self._consume()
        for record in taken:
            memory = ctypes.create_string_buffer(record, len(record))
            assert self._callbacks[0](None, ctypes.addressof(memory), len(record)) == 0
        return len(taken)

    def free_ring_buffer(self, handle: int) -> None:
        self.opened -= 1

    def open_perf_buffer(
        self, map_: int, pages: int, sample: Callable[..., Any], lost: Callable[..., Any]
    ) -> int:
        self.opened += 1
        self.pages = pages
        self._callbacks = (sample, lost)
        return 2

    def perf_buffer_descriptor(self, handle: int) -> int:
        return self._reader

    def consume_perf_buffer(self, handle: int) -> None:
        for cpu, record in enumerate(self._consume()):
            memory = ctypes.create_string_buffer(record, len(record))
            self._callbacks[0](None, cpu, ctypes.addressof(memory), len(record))
        if self.lost:
            self._callbacks[1](None, 0, self.lost)
            self.lost = 0

    def free_perf_buffer(self, handle: int) -> None:
        self.opened -= 1


def ring() -> tuple[Buffers, KernelRingBuffer]:
    bpf = Buffers()
    return bpf, KernelRingBuffer(bpf, KernelMap(bpf, 7, MapSpec("events", 27, 0, 0, 4096)))


def perf() -> tuple[Buffers, KernelPerfEvents]:
    bpf = Buffers()
    return bpf, KernelPerfEvents(bpf, KernelMap(bpf, 7, MapSpec("samples", 4, 4, 4, 2)))


def test_records_are_taken_in_order_and_once() -> None:
    bpf, buffer = ring()
    bpf.put(b"one")
    bpf.put(b"tw\0")
    assert buffer.consume() == [b"one", b"tw\0"]
    assert buffer.consume() == []


def test_waiting_gives_each_record_and_ends_in_time() -> None:
    bpf, buffer = ring()
    bpf.put(b"one")
    seen = []
    for record in buffer.events(seconds=0):
        seen.append(record)
        if len(seen) == 1:
            bpf.put(b"two")
    assert seen == [b"one", b"two"]


def test_closing_lets_go_and_it_can_be_used_again() -> None:
    bpf, buffer = ring()
    buffer.close()
    buffer.consume()
    assert bpf.opened == 1
    buffer.close()
    buffer.close()
    assert bpf.opened == 0
    bpf.put(b"again")
    assert buffer.consume() == [b"again"]


def test_perf_records_carry_their_cpu_and_losses_are_counted() -> None:
    bpf, buffer = perf()
    buffer.open(8192)
    assert bpf.pages == 2
    bpf.put(b"one")
    bpf.put(b"two")
    bpf.lost = 3
    assert buffer.records() == [PerfRecord(0, b"one"), PerfRecord(1, b"two")]
    assert buffer.lost == 3


def test_perf_events_are_opened_first() -> None:
    bpf, buffer = perf()
    with pytest.raises(OSError, match="call open"):
        buffer.records()
    for size in (0, 4095, 5000, 12288):
        with pytest.raises(ValueMismatch, match="power of 2"):
            buffer.open(size)
    buffer.open()
    buffer.open()
    assert bpf.opened == 1
