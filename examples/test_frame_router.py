"""Frames through `frame_router.py`: each reaches the worker for its kind, whole and in order."""

from __future__ import annotations

from pathlib import Path

import pytest
from skverdict.codegen import build
from skverdict.dsl import load_policy
from skverdict.runtime import Simulator, Socket

POLICY = build(load_policy(Path(__file__).with_name("frame_router.py")))


def frame(kind: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(2, "big") + kind.to_bytes(2, "big") + payload


def router() -> tuple[Simulator, Socket, list[Socket]]:
    sim = Simulator(POLICY)
    workers: list[Socket] = []
    for kind in range(4):
        upstream, worker = sim.tcp_pair()
        sim.maps["workers"][kind] = upstream
        workers.append(worker)
    sim.attach("clients", parser="frame_length", verdict="to_worker")
    client, server = sim.tcp_pair()
    sim.maps["clients"][0] = server
    return sim, client, workers


FRAMES = [frame(0, b"zero"), frame(2, b""), frame(0, b"again"), frame(4, b"nobody's"), frame(3, b"x" * 5000)]


@pytest.mark.parametrize("size", [1, 3, 7, 100_000])
def test_frames_in_segments_of_any_size(size: int) -> None:
    sim, client, workers = router()
    stream = b"".join(FRAMES)
    for start in range(0, len(stream), size):
        client.send(stream[start : start + size])
    received = [worker.recv_all() if worker.pending else b"" for worker in workers]
    assert received == [FRAMES[0] + FRAMES[2], b"", FRAMES[1], FRAMES[4]]
    assert not sim.maps["to_worker_place"]


def test_the_longest_frame() -> None:
    _, client, workers = router()
    stream = frame(1, bytes(65535)) + frame(1, b"behind it")
    client.send(stream)
    assert workers[1].recv_all() == stream


def test_what_was_begun_is_remembered_until_the_frame_is_whole() -> None:
    sim, client, workers = router()
    client.send(frame(0, b"whole") + frame(1, b"in two")[:6])
    assert workers[0].recv_all() == frame(0, b"whole")
    assert len(sim.maps["to_worker_place"]) == 1
    client.send(frame(1, b"in two")[6:])
    assert workers[1].recv_all() == frame(1, b"in two")
    assert not sim.maps["to_worker_place"]


def test_a_place_that_was_lost_ends_the_stream() -> None:
    sim, client, workers = router()
    client.send(frame(0, b"whole") + frame(1, b"in two")[:6])
    for cookie in list(sim.maps["to_worker_place"]):
        del sim.maps["to_worker_place"][cookie]
    client.send(frame(1, b"in two")[6:] + frame(2, b"what is this"))
    assert [worker.pending for worker in workers[1:]] == [0, 0, 0]
