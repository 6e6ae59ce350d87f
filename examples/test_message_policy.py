"""Bytes through `message_policy.py`: records pass whole or not at all, however a sender cuts them."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skverdict.codegen import build
from skverdict.dsl import load_policy
from skverdict.runtime import Simulator, Socket

POLICY = build(load_policy(Path(__file__).with_name("message_policy.py")))
DATA, PING, UNKNOWN = 1, 2, 3
MAX_BODY = 4096
MAX_RECORDS = 8


def record(kind: int, body: bytes = b"") -> bytes:
    return struct.pack(">II", kind, len(body)) + body


def judged(program: str) -> tuple[Simulator, Socket, Socket]:
    """A sender that `program` judges, and its peer."""
    sim = Simulator(POLICY)
    sim.attach("watched", msg_verdict=program)
    sender, peer = sim.tcp_pair()
    sim.maps["watched"][0] = sender
    return sim, sender, peer


def cut(content: bytes, cuts: Iterable[int]) -> list[bytes]:
    """`content` in pieces, cut at those positions that lie inside."""
    places = [0, *sorted({place for place in cuts if 0 < place < len(content)}), len(content)]
    return [content[start:end] for start, end in pairwise(places)]


ACCEPTED = st.builds(record, st.sampled_from([DATA, PING]), st.binary(max_size=20))
CUTS = st.lists(st.integers(0, 100), max_size=12)


class TestWholeRecords:
    """Corks until the last record is complete, and judges all of them together."""

    def test_a_whole_record_passes_at_once(self) -> None:
        sim, sender, peer = judged("whole_records")

        assert sender.send(record(DATA, b"hello")) == 13

        assert peer.recv() == record(DATA, b"hello")
        assert sim.trace.verdicts() == Counter({("whole_records", "pass"): 1})

    @pytest.mark.parametrize("length", range(1, 13))
    def test_nothing_passes_before_the_record_is_complete(self, length: int) -> None:
        _, sender, peer = judged("whole_records")
        content = record(DATA, b"hello")

        assert sender.send(content[:length]) == length
        assert peer.pending == 0
        assert sender.send(content[length:]) == 13 - length
        assert peer.recv() == content

    def test_a_record_waits_for_the_one_behind_it(self) -> None:
        _, sender, peer = judged("whole_records")
        content = record(DATA, b"hello") + record(PING)

        sender.send(content[:-1])
        assert peer.pending == 0
        sender.send(content[-1:])
        assert peer.recv() == content

    @pytest.mark.parametrize("kind", [0, UNKNOWN, 1 << 24, 0xFFFFFFFF])
    def test_an_unknown_kind_is_refused(self, kind: int) -> None:
        sim, sender, peer = judged("whole_records")

        with pytest.raises(PermissionError):
            sender.send(record(kind, b"hello"))

        assert peer.pending == 0
        assert sim.trace.verdicts() == Counter({("whole_records", "drop"): 1})

    def test_an_unknown_kind_takes_the_whole_message_with_it(self) -> None:
        _, sender, peer = judged("whole_records")

        with pytest.raises(PermissionError):
            sender.send(record(DATA, b"fine") + record(UNKNOWN) + record(DATA, b"fine"))

        assert peer.pending == 0

    def test_a_refusal_is_for_good(self) -> None:
        """The kernel keeps the verdict until the socket leaves the map."""
        sim, sender, peer = judged("whole_records")
        with pytest.raises(PermissionError):
            sender.send(record(UNKNOWN))
        with pytest.raises(PermissionError):
            sender.send(record(DATA, b"fine"))

        watched = sim.maps["watched"]
        del watched[0]
        watched[0] = sender

        sender.send(record(DATA, b"fine"))
        assert peer.recv() == record(DATA, b"fine")

    def test_the_longest_body(self) -> None:
        _, sender, peer = judged("whole_records")

        sender.send(record(DATA, bytes(MAX_BODY)))

        assert peer.recv_all() == record(DATA, bytes(MAX_BODY))

    @pytest.mark.parametrize("length", [MAX_BODY + 1, 1 << 31, (1 << 32) - 8, (1 << 32) - 1])
    def test_a_longer_one_is_refused_by_its_header(self, length: int) -> None:
        _, sender, peer = judged("whole_records")

        with pytest.raises(PermissionError):
            sender.send(struct.pack(">II", DATA, length))

        assert peer.pending == 0

    def test_the_most_records_of_one_message(self) -> None:
        _, sender, peer = judged("whole_records")

        sender.send(record(DATA, bytes(MAX_BODY)) * MAX_RECORDS)
        assert peer.recv_all() == record(DATA, bytes(MAX_BODY)) * MAX_RECORDS

        with pytest.raises(PermissionError):
            sender.send(record(PING) * (MAX_RECORDS + 1))

    def test_corked_bytes_die_with_the_connection(self) -> None:
        _, sender, peer = judged("whole_records")

        sender.send(record(DATA, b"hello")[:-1])
        sender.shutdown()

        assert peer.recv() == b""

    def test_another_connection_s_bytes_in_between(self) -> None:
        """A corked message then lies in several pieces of memory, of which a program sees the first."""
        sim, sender, peer = judged("whole_records")
        other, other_peer = sim.tcp_pair()
        sim.maps["watched"][1] = other
        content = record(DATA, b"hello") + record(UNKNOWN)

        sender.send(content[:5])
        other.send(record(PING))
        with pytest.raises(PermissionError):
            sender.send(content[5:])

        assert peer.pending == 0
        assert other_peer.recv() == record(PING)

    def test_a_short_record_behind_one_that_was_held_back_for_longer(self) -> None:
        _, sender, peer = judged("whole_records")

        for piece in (record(DATA, b"hello")[:8], b"hello", record(PING)):
            sender.send(piece)

        assert peer.recv_all() == record(DATA, b"hello") + record(PING)

    def test_more_pieces_than_a_message_can_have(self) -> None:
        sim, sender, peer = judged("whole_records")
        other, _ = sim.tcp_pair()
        sim.maps["watched"][1] = other
        content = record(DATA, b"byte by byte, with others in between")

        for byte in content[:-1]:
            sender.send(bytes([byte]))
            other.send(record(PING))
            assert peer.pending == 0
        sender.send(content[-1:])

        assert peer.recv() == content

    @settings(max_examples=30, deadline=None, derandomize=True)
    @given(st.lists(ACCEPTED, max_size=MAX_RECORDS), CUTS)
    def test_records_cut_anywhere(self, records: list[bytes], cuts: list[int]) -> None:
        _, sender, peer = judged("whole_records")
        content = b"".join(records)

        for piece in cut(content, cuts):
            assert sender.send(piece) == len(piece)

        assert peer.recv_all() == content

    @settings(max_examples=30, deadline=None, derandomize=True)
    @given(st.lists(ACCEPTED, max_size=3), CUTS)
    def test_an_unknown_kind_cut_anywhere(self, records: list[bytes], cuts: list[int]) -> None:
        """Only what ended on a whole record before it can have passed."""
        _, sender, peer = judged("whole_records")
        content = b"".join([*records, record(UNKNOWN, b"not this")])

        with pytest.raises(PermissionError):
            for piece in cut(content, cuts):
                sender.send(piece)

        passed = peer.recv_all()
        assert passed in [b"".join(records[:count]) for count in range(len(records) + 1)]


class TestAnnouncedLength:
    """Judges each record by its header; the verdict holds for as long as the header says."""

    def test_one_verdict_for_a_record_in_several_sends(self) -> None:
        sim, sender, peer = judged("announced_size")
        content = record(DATA, b"hello world")

        for piece in cut(content, [8, 12]):
            assert sender.send(piece) == len(piece)

        assert peer.recv_all() == content
        assert sim.trace.verdicts() == Counter({("announced_size", "pass"): 1})

    def test_records_of_one_send_are_judged_one_by_one_and_counted(self) -> None:
        sim, sender, peer = judged("announced_size")
        content = record(DATA, b"a") + record(PING) + record(DATA, b"b")

        sender.send(content)

        assert peer.recv_all() == content
        assert sim.trace.verdicts() == Counter({("announced_size", "pass"): 3})
        assert dict(sim.maps["accepted"].items()) == {0: 0, DATA: 2, PING: 1}

    @pytest.mark.parametrize("kind", [0, UNKNOWN, 1 << 24, 0xFFFFFFFF])
    def test_an_unknown_kind_is_refused_and_not_counted(self, kind: int) -> None:
        sim, sender, peer = judged("announced_size")

        with pytest.raises(PermissionError):
            sender.send(record(kind, b"hello"))

        assert peer.pending == 0
        assert dict(sim.maps["accepted"].items()) == {0: 0, DATA: 0, PING: 0}

    def test_what_passed_before_an_unknown_kind_counts_as_sent(self) -> None:
        sim, sender, peer = judged("announced_size")

        assert sender.send(record(DATA, b"fine") + record(UNKNOWN, b"not this")) == 12

        sim.wait(1)  # TCP holds back the first record for the rest of the send, which does not come.
        assert peer.recv_all() == record(DATA, b"fine")
        with pytest.raises(PermissionError):
            sender.send(record(DATA, b"too late"))

    @pytest.mark.parametrize("length", range(1, 8))
    def test_a_header_in_pieces_is_refused(self, length: int) -> None:
        _, sender, peer = judged("announced_size")

        with pytest.raises(PermissionError):
            sender.send(record(DATA)[:length])

        assert peer.pending == 0

    def test_the_longest_body(self) -> None:
        _, sender, peer = judged("announced_size")
        content = record(DATA, bytes(MAX_BODY))

        for piece in cut(content, [1000, 2000, 3000]):
            sender.send(piece)

        assert peer.recv_all() == content

    @pytest.mark.parametrize("length", [MAX_BODY + 1, 1 << 31, (1 << 32) - 8, (1 << 32) - 1])
    def test_a_longer_one_is_refused(self, length: int) -> None:
        _, sender, peer = judged("announced_size")

        with pytest.raises(PermissionError):
            sender.send(struct.pack(">II", DATA, length) + record(UNKNOWN))

        assert peer.pending == 0

    @settings(max_examples=30, deadline=None, derandomize=True)
    @given(st.lists(st.tuples(ACCEPTED, CUTS), max_size=4))
    def test_bodies_cut_anywhere(self, records: list[tuple[bytes, list[int]]]) -> None:
        sim, sender, peer = judged("announced_size")

        for content, cuts in records:
            for piece in cut(content, [place + 8 for place in cuts]):
                assert sender.send(piece) == len(piece)

        assert peer.recv_all() == b"".join(content for content, _ in records)
        assert sim.trace.verdicts()["announced_size", "pass"] == len(records)
