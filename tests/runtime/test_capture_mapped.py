"""Capture files that are replayed as they are read."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from skverdict.codegen.instruction import Instruction
from skverdict.runtime.capture import CaptureError, CaptureFile, parse_capture, read_capture
from skverdict.runtime.capture.plan import make_plan
from skverdict.runtime.capture.replay import LEAST_EVENTS, replay

from tests.runtime.capture_files import Talk, pcap
from tests.runtime.replay_kit import CAPTURES, compiled, conversation, replayed

ALL_TO_KEY = """
sockets = SockMap(max_entries=8)
@stream_verdict
def verdict(skb: SkSkb) -> i32:
    return sockets.redirect(skb, {key})
"""
HTTP = CAPTURES / "http1-nginx.pcap"

PEAK = """
import resource, sys
from skverdict.runtime.capture import CaptureFile
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
with open(sys.argv[1], "rb") as file, CaptureFile(file, "x") as capture:
    before = peak()
    count = sum(1 for event in capture.events)
    print(count, capture.found.payload >> 20, peak() - before)
"""


def opened(path: Path) -> CaptureFile:
    with path.open("rb") as file:
        return CaptureFile(file, str(path))


def test_events_are_those_of_a_capture_in_memory_each_time_anew() -> None:
    whole = read_capture(HTTP)
    with opened(HTTP) as capture:
        for _ in range(2):
            assert list(capture.events) == whole.events
            found = capture.found
            assert (found.packets, found.payload, found.notes) == (whole.packets, 310093, whole.notes)
            assert found.connections == whole.connections
            assert found.events == []


def test_a_report_is_that_of_a_capture_in_memory() -> None:
    content = compiled(ALL_TO_KEY.format(key=3))
    whole = read_capture(HTTP)
    with opened(HTTP) as capture:
        streamed = replay(capture, content, make_plan(content))
    in_memory = replay(whole, content, make_plan(content))
    streamed.capture.file = in_memory.capture.file
    assert streamed.as_json() == in_memory.as_json()
    assert streamed.capture.packets == 65


def test_what_is_no_regular_file_is_read_twice_as_well(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=(HTTP.read_bytes(),))
    writer.start()
    with opened(path) as capture:
        writer.join()
        assert len(list(capture.events)) == len(list(capture.events)) == len(read_capture(HTTP).events)


def test_what_never_ends_and_is_no_capture_is_not_read_on() -> None:
    with opened(Path("/dev/zero")) as capture, pytest.raises(CaptureError, match="magic number"):
        list(capture.events)


def test_a_bad_file_is_told_when_its_bad_place_is_reached(tmp_path: Path) -> None:
    path = tmp_path / "cut.pcap"
    path.write_bytes(HTTP.read_bytes()[:1000])
    with opened(path) as capture:
        events = capture.events
        assert next(events).kind == "open"
        with pytest.raises(CaptureError, match="byte 964: the file ends inside packet 8"):
            list(events)


@pytest.mark.parametrize("content", [b"", b"abc"])
def test_files_that_are_too_short(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "short.pcap"
    path.write_bytes(content)
    with opened(path) as capture, pytest.raises(CaptureError, match=f"byte {len(content)}"):
        list(capture.events)


def test_what_has_been_read_takes_no_memory(tmp_path: Path) -> None:
    made = pcap(Talk().opened().say("client", 0, bytes(60000)).frames)
    header, packet = made[:24], made[-60000 - 54 - 16 :]
    path = tmp_path / "large.pcap"
    with path.open("wb") as file:
        file.write(header)
        for number in range(1500):
            frame = bytearray(packet)
            frame[16 + 38 : 16 + 42] = (1 + 60000 * number).to_bytes(4, "big")
            file.write(frame)
    done = subprocess.run([sys.executable, "-c", PEAK, path], capture_output=True, text=True, check=True)
    events, payload, grown = map(int, done.stdout.split())
    assert (events, payload) == (1501, 85)
    assert grown < 40


def test_a_fault_does_not_keep_a_capture_from_being_counted() -> None:
    content = compiled(ALL_TO_KEY.format(key=3))
    read_null = {0: Instruction(0xB7, 1, 0, 0, 0), 1: Instruction(0x61, 0, 1, 0, 0), 2: Instruction(0x95, 0, 0, 0, 0)}
    broken = dataclasses.replace(content.programs["verdict"], instructions=read_null, lines={})
    content = dataclasses.replace(content, programs={"verdict": broken})
    with opened(HTTP) as capture:
        report = replay(capture, content, make_plan(content))
    assert report.fault
    assert report.capture.packets == 65


def test_entries_that_are_missed_late_are_filled_before_the_replay_that_counts() -> None:
    policy = """
sockets = SockMap(max_entries=8)
@stream_verdict
def verdict(skb: SkSkb) -> i32:
    return sockets.redirect(skb, 2 if skb.len == 4 else 1)
"""
    early = Talk().opened()
    for number in range(3 * LEAST_EVENTS):
        early.say("client", number, b"a")
    late = conversation(client=("10.0.0.1", 1001))
    capture = parse_capture(pcap([*early.frames, *late.frames]))
    report = replayed(policy, capture)
    assert [row.name for row in report.upstreams] == ["sockets[1]", "sockets[2]"]
    assert report.upstreams[0].egress == 3 * LEAST_EVENTS + 3
    assert report.upstreams[1].egress == 4
    # The last run is that at the end of the stream.
    assert report.programs["verdict"].verdicts == {"redirect": 3 * LEAST_EVENTS + 2 + 1}
