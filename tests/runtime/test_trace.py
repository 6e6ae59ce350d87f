"""The trace as a list, as a file, and as a picture."""

from __future__ import annotations

import contextlib
import json
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from skverdict.runtime.pictures.lanes import page, picture
from skverdict.runtime.pictures.lanes_text import lanes_text
from skverdict.runtime.trace import EVENTS, Called, Changed, Event, Faulted, Hazard, Moved, Ran, Trace
from skverdict.runtime.trace_file import TraceError, read, write

NUMBERS = st.integers(0, 1 << 70)
RESULTS = st.one_of(st.none(), st.integers(0, (1 << 64) - 1))
TEXTS, BYTES = st.text(max_size=8), st.binary(max_size=8)
ONE: st.SearchStrategy[Event] = st.one_of(
    st.builds(Ran, TEXTS, TEXTS, TEXTS, NUMBERS, NUMBERS, BYTES, st.integers(), TEXTS, TEXTS, st.booleans()),
    st.builds(Called, TEXTS, TEXTS, st.lists(st.one_of(NUMBERS, BYTES, TEXTS), max_size=3).map(tuple), RESULTS),
    st.builds(Moved, TEXTS, TEXTS, TEXTS, NUMBERS, BYTES, TEXTS),
    st.builds(Changed, TEXTS, TEXTS),
    st.builds(Hazard, TEXTS, TEXTS, TEXTS),
    st.builds(Faulted, TEXTS, TEXTS, TEXTS),
)

STORY = (
    Changed("server", "put into map peers"),
    Moved("sent", "client", "", 5, b"hello"),
    Ran("verdict", "stream_verdict", "server", 5, 0, b"hello", 1, "redirect", "near", True),
    Called("verdict", "bpf_sk_redirect_hash", ("__sk_buff", "peers", b"\0\1", 1), 1),
    Moved("ingress", "server", "near", 5, b"hello"),
    Moved("dropped", "server", "", 5, b"hello"),
    Hazard("near", "bytes < are > late", "do not pass"),
    Faulted("verdict", "server", "the stack at r10-8 was never written\nin verdict"),
)


def traced(*events: Event) -> Trace:
    trace = Trace()
    for event in events:
        trace.append(event)
    return trace


def test_a_trace_is_a_list_of_events() -> None:
    trace = traced(*STORY)
    assert (len(trace), trace[1], trace[-1], trace[2:4]) == (8, STORY[1], STORY[-1], list(STORY[2:4]))
    assert list(trace) == list(STORY)
    assert trace == traced(*STORY)
    assert STORY[3] in trace
    assert trace.hazards() == [STORY[6]]
    assert list(trace.of(Moved)) == [STORY[1], STORY[4], STORY[5]]
    trace.clear()
    assert not trace


def test_each_event_prints_on_its_own_terms() -> None:
    assert [str(event) for event in STORY[1:5]] == [
        "sent client: 5 bytes b'hello'",
        "stream_verdict verdict on server: len 5 (0 readable) b'hello' returned 1: redirect -> ingress of near",
        "verdict: bpf_sk_redirect_hash(__sk_buff, peers, 0001, 1) = 1",
        "ingress server -> near: 5 bytes b'hello'",
    ]


@pytest.mark.parametrize(
    ("helper", "gave", "shown"),
    [
        ("bpf_map_lookup_elem", 0, "NULL"),
        ("bpf_map_lookup_elem", 1 << 32, "a pointer"),
        ("bpf_map_update_elem", (1 << 64) - 7, "-E2BIG"),
        ("bpf_map_update_elem", (1 << 64) - 100000, "-100000"),
        ("bpf_ktime_get_ns", (1 << 64) - 7, str((1 << 64) - 7)),
        ("bpf_ringbuf_submit", None, ""),
        ("bpf_of_later_kernels", 7, "7"),
    ],
)
def test_a_result_is_told_as_what_it_is(helper: str, gave: int | None, shown: str) -> None:
    assert Called("p", helper, (), gave).result == shown


@given(events=st.lists(ONE, max_size=6))
def test_a_trace_comes_back_from_its_file(events: list[Event]) -> None:
    assert read(write(traced(*events))) == events


def changed(change: Callable[[dict[str, Any]], object]) -> str:
    content = json.loads(write(traced(*STORY)))
    change(content)
    return json.dumps(content)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "it is not JSON"),
        (b"\xff\xfe\x00", "it is not JSON"),
        ("[" * 100_000, "it is not JSON"),
        ("[]", "no object with the format"),
        (changed(lambda it: it.update(version=2)), "version 2"),
        (changed(lambda it: it.pop("events")), "events are no array"),
        (changed(lambda it: it["events"].insert(2, 7)), "event 2: it is no object"),
        (changed(lambda it: it["events"][1].update(event="moves")), "event 1: 'moves' is none of ran, called"),
        (changed(lambda it: it["events"][1].update(event=[])), "is none of"),
        (changed(lambda it: it["events"][1].pop("way")), "way do not fit"),
        (changed(lambda it: it["events"][1].update(length="5")), "event 1, length: '5' is no int"),
        (changed(lambda it: it["events"][1].update(length=True)), "'True' is no int"),
        (changed(lambda it: it["events"][1].update(head={"hex": "0g"})), "'0g' is not hexadecimal"),
        (changed(lambda it: it["events"][1].update(head={})), "bytes are an object"),
        (changed(lambda it: it["events"][3].update(values=[None])), "its parts are numbers"),
    ],
)
def test_what_is_no_trace_is_told(content: str | bytes, problem: str) -> None:
    with pytest.raises(TraceError, match=problem):
        read(content)


@given(content=st.binary(max_size=64))
def test_any_bytes_are_a_trace_or_a_named_error(content: bytes) -> None:
    with contextlib.suppress(TraceError):
        assert isinstance(read(content), Trace)


def test_a_picture_has_a_lane_for_each_socket_and_a_row_for_each_event() -> None:
    drawn = ElementTree.fromstring(picture(STORY))
    tag = "{http://www.w3.org/2000/svg}"
    assert [each.text for each in drawn.iter(f"{tag}text") if each.get("class") == "name"] == [
        "server",
        "client",
        "near",
    ]
    titles = [each.text for each in drawn.iter(f"{tag}title")]
    assert len(titles) == len(STORY) - 1
    assert titles[3] == "ingress server -> near: 5 bytes b'hello'"
    arrows = {each.get("class"): each.get("d") for each in drawn.iter(f"{tag}path") if each.get("class")}
    # From the first lane to the third, and from the first to nowhere.
    assert arrows["arrow ingress"].endswith("H510")
    assert arrows["arrow dropped"].endswith("h40")


def test_a_picture_of_characters_has_a_column_for_each_socket() -> None:
    moves = [
        Moved("sent", "client", "", 5, b"hello"),
        Ran("verdict", "stream_verdict", "server", 5, 0, b"hello", 1, "redirect", "near"),
        Moved("egress", "server", "near", 5, b"hello"),
        Moved("arrived", "near", "client", 5, b"hello"),
        Moved("received", "client", "", 5, b"hello"),
    ]
    assert lanes_text(moves).splitlines() == [
        "                 client                  server                   near",
        "                    |---> sent 5            |                       |",
        "                    |              [verdict: redirect]              |",
        "                    |                       |------- egress 5 ----->|",
        "                    |<----------------- arrived 5 ------------------|",
        "     received 5 <---|                       |                       |",
    ]


@given(events=st.lists(ONE, max_size=6))
def test_every_trace_can_be_drawn_with_characters(events: list[Event]) -> None:
    drawn = [event for event in events if not isinstance(event, Called)]
    assert len(lanes_text(events).splitlines()) <= len(drawn) + 1


@given(events=st.lists(ONE, max_size=6))
def test_every_trace_can_be_drawn(events: list[Event]) -> None:
    ElementTree.fromstring(picture(events))


def test_a_page_tells_every_event() -> None:
    text = page(STORY, "A & B")
    assert "<title>A &amp; B</title>" in text
    assert text.count("<li ") == len(STORY)
    assert "bytes &lt; are &gt; late" in text


def test_a_trace_is_saved_as_its_name_says(tmp_path: Path) -> None:
    trace = traced(*STORY)
    for suffix in ("json", "svg", "html", "txt"):
        trace.save(tmp_path / f"trace.{suffix}")
    assert read((tmp_path / "trace.json").read_bytes()) == trace
    assert (tmp_path / "trace.txt").read_text() == f"{trace}\n"
    assert (tmp_path / "trace.svg").read_text() == picture(trace)
    assert picture(trace) in (tmp_path / "trace.html").read_text()
    with pytest.raises(ValueError, match="ends in none of"):
        trace.save(tmp_path / "trace.png")
    assert not (tmp_path / "trace.png").exists()


def test_events_have_names() -> None:
    assert list(EVENTS) == ["ran", "called", "moved", "changed", "hazard", "faulted"]
