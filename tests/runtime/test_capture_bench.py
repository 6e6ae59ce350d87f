"""The captures that libraries are tried with: skverdict gets each right, as docs/captures.md says."""

from __future__ import annotations

import pytest
from skverdict.runtime.capture import CaptureError, parse_capture

from bench.capture_libraries import Probe, Row, probes, table


@pytest.mark.parametrize("probe", [each for each in probes() if each.size >= 0], ids=lambda probe: probe.name)
def test_the_payload_of_odd_captures_is_found(probe: Probe) -> None:
    assert sum(len(event.data) for event in parse_capture(probe.content).events) == probe.size


def test_a_capture_that_is_cut_short_is_told() -> None:
    with pytest.raises(CaptureError, match="byte 210: the file ends inside packet 2: 154 bytes claimed, 144 there"):
        parse_capture(next(each.content for each in probes() if each.size < 0))


def test_the_table_has_a_column_for_each_library() -> None:
    text = table([Row("one 1.0", 0.25, 10.0, ["yes"] * len(probes())), Row("two", 1.0, 0.5, ["no"] * len(probes()))])
    assert text.splitlines()[0] == "| | one 1.0 | two |"
    assert "| MiB a second | 10.0 | 0.5 |" in text
    assert "| 802.1Q tag | yes | no |" in text
