"""Records, prints, statistics and results of programs in a real kernel."""

from __future__ import annotations

import asyncio
import struct
import threading
import time
from pathlib import Path

import pytest
from skverdict.runtime.kernel.kernel import Kernel
from skverdict.runtime.kernel.printed import TracePipe
from skverdict.runtime.kernel.results import ResultCounter, Results

from tests.kernel.backend.kit import BPF, ROOT, TELLING, nothing_left, telling, wait_for


def record(length: int) -> bytes:
    return struct.pack("=II", length, 10000)


def test_records_of_a_ring_buffer_come_in_order() -> None:
    with nothing_left(), telling() as (kernel, client, _):
        for length in (3, 5, 7):
            client.send(b"x" * length)
        assert kernel.maps["segments"].consume() == [record(3), record(5), record(7)]
        assert kernel.maps["segments"].consume() == []


def test_a_ring_buffer_is_waited_for() -> None:
    with telling() as (kernel, client, _):
        later = threading.Timer(0.2, client.send, (b"abcd",))
        later.start()
        began = time.monotonic()
        assert next(iter(kernel.maps["segments"])) == record(4)
        assert time.monotonic() - began >= 0.2
        later.join()


def test_waiting_for_a_record_ends_in_time() -> None:
    with telling() as (kernel, client, _):
        client.send(b"ab")
        assert list(kernel.maps["segments"].events(seconds=0.1)) == [record(2)]


def test_a_ring_buffer_with_asyncio() -> None:
    async def gather(kernel: Kernel, client: object) -> list[bytes]:
        async def send() -> None:
            for length in (1, 2, 3):
                await asyncio.sleep(0.05)
                client.send(b"x" * length)  # type: ignore[attr-defined]

        sending = asyncio.create_task(send())
        found = []
        async for event in kernel.maps["segments"]:
            found.append(event)
            if len(found) == 3:
                break
        await sending
        return found

    with telling() as (kernel, client, _):
        assert asyncio.run(gather(kernel, client)) == [record(1), record(2), record(3)]


def test_a_full_ring_buffer_loses_records_and_goes_on() -> None:
    with telling() as (kernel, client, _):
        for _ in range(300):
            client.python.send(b"x")
            time.sleep(0.005)
        taken = kernel.maps["segments"].consume()
        assert 200 < len(taken) < 300
        client.send(b"xy")
        assert kernel.maps["segments"].consume()[-1] == record(2)


def test_perf_records_name_their_cpu() -> None:
    with nothing_left(), telling() as (kernel, client, _):
        events = kernel.maps["samples"]
        with pytest.raises(OSError, match="no open events"):
            events.records()
        events.open(4096)
        client.send(b"abc")
        ((cpu, content),) = events.records()
        assert (cpu, content[:8]) == (0, record(3))
        assert events.lost == 0


def test_perf_records_that_found_no_room_are_counted() -> None:
    with telling() as (kernel, client, _):
        events = kernel.maps["samples"]
        events.open(4096)
        for _ in range(300):
            client.python.send(b"x")
            time.sleep(0.005)
        events.records()
        client.send(b"xy")
        assert events.records()[-1].content[:8] == record(2)
        assert events.lost > 0


def test_perf_records_are_waited_for() -> None:
    with telling() as (kernel, client, _):
        events = kernel.maps["samples"]
        events.open()
        later = threading.Timer(0.1, client.send, (b"abcd",))
        later.start()
        assert next(iter(events)).content[:8] == record(4)
        later.join()


def test_what_programs_print_is_a_stream() -> None:
    with telling() as (kernel, client, _):
        pipe = TracePipe()
        pipe.take()
        client.send(b"abcde")
        (line,) = pipe.events(seconds=0.2)
        assert (line.text, line.cpu) == ("length 5", 0)
        assert line.time > 0
        pipe.close()
        client.send(b"ab")
        assert kernel.printed[-1] == "length 2"


def test_runs_are_counted_while_statistics_are_on() -> None:
    with telling() as (kernel, client, _):
        client.send(b"a")
        assert kernel.programs["tell"].info.runs == 0
        with kernel.statistics():
            for _ in range(3):
                client.send(b"a")
        client.send(b"a")
        info = kernel.programs["tell"].info
        assert info.runs == 3
        assert info.run_time > 0
        assert info.verified > 0


def test_results_are_counted_beside_the_program() -> None:
    with nothing_left(), telling(globals={"limit": 3}) as (kernel, client, _):
        counter = ResultCounter(BPF, kernel.programs["tell"].descriptor)
        for length in (1, 2, 3, 4, 5):
            client.send(b"x" * length)
        wait_for(lambda: sum(counter.read()) == 5)
        assert counter.read() == Results(negative=0, zero=2, one=3, more=0)
        counter.close()


def test_results_of_parsers() -> None:
    with Kernel(ROOT / "examples/port_redirect.o") as kernel:
        client, server = kernel.tcp_pair()
        kernel.attach("sock_map_rx", parser="parser", verdict="verdict")
        kernel.maps["sock_map_rx"][1] = server
        counters = {
            name: ResultCounter(BPF, program.descriptor) for name, program in kernel.programs.items()
        }
        for length in (1, 4, 9):
            client.send(b"x" * length)
        wait_for(lambda: sum(counters["verdict"].read()) == 3)
        assert counters["parser"].read() == Results(negative=0, zero=0, one=1, more=2)
        assert counters["verdict"].read() == Results(negative=0, zero=3, one=0, more=0)
        for counter in counters.values():
            counter.close()


def test_a_closed_kernel_leaves_no_buffer_mapped() -> None:
    with nothing_left():
        for _ in range(3):
            with Kernel(TELLING) as kernel:
                kernel.maps["segments"].consume()
                kernel.maps["samples"].open()
    assert "bpf-map" not in Path("/proc/self/maps").read_text(encoding="utf-8")
