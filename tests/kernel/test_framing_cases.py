"""What the guest reports of framed messages becomes cases, with nothing lost."""

from __future__ import annotations

from tests.kernel.cases import Case
from tests.kernel.framing import judge


def test_every_example_and_kind_of_reader_has_a_case() -> None:
    reported = [
        {"policy": "frame_router", "readers": "keep up", "messages": 500},
        {"policy": "command_filter", "readers": "lag", "error": "Wrong: server: 3 bytes came"},
    ]
    nothing = "the guest reported nothing of it"
    assert list(judge(reported)) == [
        Case("framing", "frame_router, readers that keep up", "passed", "500 messages, seed 1"),
        Case("framing", "frame_router, readers that lag", "failed", nothing),
        Case("framing", "command_filter, readers that keep up", "failed", nothing),
        Case("framing", "command_filter, readers that lag", "failed", "Wrong: server: 3 bytes came"),
    ]
