"""The benchmarks of messages and of large captures measure what they say."""

from __future__ import annotations

import random
from pathlib import Path

from skverdict.codegen import build
from skverdict.codegen.object_reader import read_object
from skverdict.dsl import load_policy

from bench import message_speed, replay_speed


def test_a_made_capture_is_redirected_in_bounded_memory(tmp_path: Path) -> None:
    path = tmp_path / "made.pcap"
    replay_speed.make(path, 600_000)
    result = replay_speed.replayed(path)
    # 66 bytes of headers beside each segment's, and a few packets without payload.
    assert 0.85 < result.redirected / path.stat().st_size < 1
    assert result.runs == 2 * -(-result.redirected // replay_speed.SEGMENT)
    assert result.memory < 300 << 20
    assert "| 1 |" in replay_speed.table(1 << 20, result)


def test_every_way_of_sending_messages_brings_them_all() -> None:
    for subject in message_speed.SUBJECTS.values():
        object_ = read_object(build(load_policy(str(message_speed.EXAMPLES / subject.policy))))
        messages = [random.Random(number).randbytes(subject.size) for number in range(20)]
        for engine, way in message_speed.COLUMNS.values():
            assert message_speed._made(subject, object_, engine, way, messages)() > 0
