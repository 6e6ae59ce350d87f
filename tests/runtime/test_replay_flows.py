"""Where the bytes of a capture go, by what the policy says."""

from __future__ import annotations

import dataclasses

import pytest
from skverdict.codegen.instruction import Instruction
from skverdict.codegen.object import Object
from skverdict.runtime.capture import Capture, parse_capture, read_capture
from skverdict.runtime.capture.plan import Plan, make_plan
from skverdict.runtime.capture.replay import replay

from tests.runtime.capture_files import ACK, RST, Frame, Talk, ethernet, ipv6, pcap, tcp
from tests.runtime.replay_kit import CAPTURES, DROP_ALL, EXAMPLES, PASS_ALL, compiled, conversation, replayed

ONE_MAP = "sockets = SockMap(max_entries=8)\n"
PARSER = "@stream_parser\ndef parser(skb: SkSkb) -> i32:\n    return skb.len\n"
TO_FIRST = "@stream_verdict\ndef verdict(skb: SkSkb) -> i32:\n    return sockets.redirect(skb, 0)\n"
TO_FIRST_INGRESS = TO_FIRST.replace("skb, 0", "skb, 0, BPF_F_INGRESS")
BY_PORT = """
by_port = SockHash(key=u32, max_entries=8)
@stream_verdict
def verdict(skb: SkSkb) -> i32:
    return by_port.redirect(skb, skb.remote_port.host())
"""
DROP_SENT = "@msg_verdict\ndef judge(msg: SkMsg) -> i32:\n    return SK_DROP\n"
CORK = "@msg_verdict\ndef judge(msg: SkMsg) -> i32:\n    msg.cork_bytes(100)\n    return SK_PASS\n"


def test_what_passes_is_delivered() -> None:
    report = replayed(ONE_MAP + PASS_ALL, conversation())
    (connection,) = report.connections
    assert (connection.to_server.sent, connection.to_server.received) == (7, 7)
    assert (connection.to_client.sent, connection.to_client.received) == (6, 6)
    assert report.programs["verdict"].verdicts["pass"] >= 2
    assert (report.problems, report.hazards, report.fault, report.upstreams) == ([], [], "", [])


def test_what_is_dropped_is_counted_and_the_other_direction_goes_on() -> None:
    (connection,) = replayed(ONE_MAP + DROP_ALL, conversation()).connections
    assert (connection.to_server.received, connection.to_server.dropped, connection.to_server.held) == (
        0,
        7,
        0,
    )
    assert (connection.to_client.received, connection.to_client.dropped) == (6, 0)


def test_a_redirect_finds_an_upstream_socket() -> None:
    report = replayed(ONE_MAP + TO_FIRST, conversation())
    flow = report.connections[0].to_server
    assert flow.redirected == {("egress", "sockets[0]"): 7}
    assert (flow.received, flow.elsewhere, flow.held, flow.dropped) == (0, 7, 0, 0)
    assert [(row.name, row.egress, row.ingress) for row in report.upstreams] == [("sockets[0]", 7, 0)]


def test_a_redirect_to_ingress_is_read_from_the_upstream_socket() -> None:
    report = replayed(ONE_MAP + TO_FIRST_INGRESS, conversation())
    assert report.connections[0].to_server.redirected == {("ingress", "sockets[0]"): 7}
    assert [(row.egress, row.ingress) for row in report.upstreams] == [(0, 7)]


def test_without_upstream_sockets_such_a_redirect_drops() -> None:
    report = replayed(ONE_MAP + TO_FIRST, conversation(), upstream=())
    assert report.connections[0].to_server.dropped == 7
    assert report.upstreams == []


def test_upstream_sockets_stand_where_they_are_asked_for() -> None:
    report = replayed(ONE_MAP + TO_FIRST, conversation(), upstream=("sockets:3", "sockets:0"))
    assert [(row.name, row.egress) for row in report.upstreams] == [("sockets[3]", 0), ("sockets[0]", 7)]


def test_every_key_of_a_hash_that_is_asked_for_gets_an_upstream_socket() -> None:
    talks = [conversation(client=("10.0.0.1", port)) for port in (1025, 1026)]
    capture = parse_capture(pcap([frame for talk in talks for frame in talk.frames]))
    report = replayed(BY_PORT, capture)
    assert [(row.name, row.egress) for row in report.upstreams] == [
        ("by_port[01040000]", 7),
        ("by_port[02040000]", 7),
    ]
    assert replayed(BY_PORT, capture, upstream=("by_port:02040000",)).connections[1].to_server.elsewhere == 7


def test_in_a_map_of_one_entry_a_server_gets_its_own_bytes_sent_back() -> None:
    report = replayed(ONE_MAP.replace("8", "1") + TO_FIRST, conversation())
    flow = report.connections[0].to_server
    assert flow.redirected == {("egress", "server 1"): 7}
    assert (flow.returned, flow.received, flow.held) == (7, 0, 0)


def test_a_parser_sees_the_captured_segments() -> None:
    report = replayed(ONE_MAP + PARSER + PASS_ALL, conversation())
    assert report.programs["parser"].verdicts == {"message": 2}
    assert report.programs["verdict"].verdicts == {"pass": 2}


def test_a_message_that_never_completes_is_held() -> None:
    parser = PARSER.replace("return skb.len", "return 100")
    flow = replayed(ONE_MAP + parser + PASS_ALL, conversation()).connections[0].to_server
    assert (flow.sent, flow.received, flow.held + flow.lost) == (7, 0, 7)


def test_a_parser_error_is_told_as_such() -> None:
    report = replayed(ONE_MAP + PARSER.replace("return skb.len", "return -1") + PASS_ALL, conversation())
    assert report.programs["parser"].verdicts["error"] >= 1


@pytest.mark.parametrize(
    ("side", "to_server", "to_client"),
    [
        ("client", (7, 0), (0, 6)),
        ("server", (0, 7), (6, 0)),
        ("both", (7, 0), (6, 0)),
        ("none", (0, 7), (0, 6)),
    ],
)
def test_a_verdict_on_what_is_sent_by_the_chosen_side(
    side: str, to_server: tuple[int, int], to_client: tuple[int, int]
) -> None:
    (connection,) = replayed(ONE_MAP + DROP_SENT, conversation(), side=side).connections
    assert (connection.to_server.dropped, connection.to_server.received) == to_server
    assert (connection.to_client.dropped, connection.to_client.received) == to_client
    assert connection.to_client.errors == ({"EACCES": 1} if to_client[0] else {})
    assert connection.to_server.unsent == connection.to_client.unsent == 0


def test_corked_bytes_are_lost_when_the_sender_closes() -> None:
    flow = replayed(ONE_MAP + CORK, conversation(), side="client").connections[0].to_server
    assert (flow.sent, flow.received, flow.lost) == (7, 0, 7)


def test_a_sock_ops_program_fills_the_map_itself() -> None:
    report = replay(*_example("local_bypass.py", "tls-sni.pcap"))
    assert report.programs["bypass"].verdicts.keys() == {"redirect"}
    for row in report.connections:
        assert row.to_server.redirected == {
            ("ingress", f"server {row.connection.number}"): row.to_server.sent
        }
        assert row.to_server.received == row.to_server.sent


def _example(policy: str, capture: str) -> tuple[Capture, Object, Plan]:
    source = (EXAMPLES / policy).read_text()
    content = compiled(source)
    return read_capture(CAPTURES / capture), content, make_plan(content)


def test_each_byte_of_a_real_capture_is_accounted_for() -> None:
    report = replay(*_example("port_redirect.py", "http1-nginx.pcap"))
    assert len(report.connections) == 4
    for row in report.connections:
        assert row.to_server.redirected == {("egress", "sock_map_rx[0]"): row.to_server.sent}
        assert row.to_client.received == row.to_client.sent
        assert row.to_server.held == row.to_client.held == 0
    assert report.upstreams[0].egress == sum(row.to_server.sent for row in report.connections)


def test_connections_take_turns_in_a_small_map() -> None:
    talks = [conversation(client=("10.0.0.1", port)) for port in (1025, 1026, 1027)]
    capture = parse_capture(pcap([frame for talk in talks for frame in talk.frames]))
    report = replayed(ONE_MAP.replace("8", "2") + DROP_ALL, capture)
    assert report.problems == []
    assert [row.to_server.dropped for row in report.connections] == [7, 7, 7]


def test_a_connection_for_which_a_map_has_no_room_is_told_and_passes() -> None:
    one, two = conversation(), conversation(client=("10.0.0.1", 1025))
    frames = one.frames[:4] + two.frames + one.frames[4:]
    report = replayed(ONE_MAP.replace("8", "2") + DROP_ALL, parse_capture(pcap(frames)))
    assert report.problems == ["server 2 is not in sockets: no entry is free"]
    assert [row.to_server.dropped for row in report.connections] == [7, 0]


def test_ipv6_connections_keep_their_addresses() -> None:
    policy = (
        ONE_MAP + "@stream_verdict\ndef verdict(skb: SkSkb) -> i32:\n"
        "    return SK_PASS if skb.family == AF_INET6 and skb.local_port == 80 else SK_DROP\n"
    )
    frame = ethernet(ipv6("fd00::1", "fd00::2", tcp(40000, 80, 1, 1, ACK, b"hello")))
    report = replayed(policy, parse_capture(pcap([frame])))
    assert report.connections[0].to_server.received == 5


def test_a_port_that_no_socket_can_have_is_told() -> None:
    report = replayed(ONE_MAP + PASS_ALL, conversation(client=("10.0.0.1", 0)))
    assert report.connections == []
    assert report.problems == ["connection 1 cannot be simulated: port 0 is not within 1..65535"]


def test_a_reset_closes_both_ends() -> None:
    talk = Talk().opened().say("client", 0, b"abc").say("client", 3, flags=RST)
    report = replayed(ONE_MAP + PASS_ALL, talk)
    assert report.connections[0].to_server.received == 3


def holed() -> Capture:
    """A stream of 5 bytes, 3 that were not captured, and 4 more."""
    talk = Talk().opened().say("client", 0, b"hello___").say("client", 8, b"rest")
    frames: list[bytes | Frame] = [*talk.frames]
    frames[3] = Frame(talk.frames[3], len(talk.frames[3]) - 3)
    return parse_capture(pcap(frames))


@pytest.mark.parametrize(
    ("holes", "sent", "left_out", "problem"),
    [
        ("stop", 5, 4, "what follows is left out"),
        ("skip", 9, 0, "what follows comes at once"),
        ("zero", 12, 0, "zeros stand for them"),
    ],
)
def test_bytes_that_the_capture_lacks(holes: str, sent: int, left_out: int, problem: str) -> None:
    report = replayed(ONE_MAP + PASS_ALL, holed(), holes=holes)
    flow = report.connections[0].to_server
    assert (flow.sent, flow.received, flow.left_out) == (sent, sent, left_out)
    assert report.problems == [f"packet 4: 3 bytes of client 1 are not captured; {problem}"]


def test_a_fault_ends_the_replay_and_names_the_packet() -> None:
    content = compiled(ONE_MAP + PASS_ALL)
    program = content.programs["verdict"]
    read_null = {
        0: Instruction(0xB7, 1, 0, 0, 0),
        1: Instruction(0x61, 0, 1, 0, 0),
        2: Instruction(0x95, 0, 0, 0, 0),
    }
    broken = dataclasses.replace(program, instructions=read_null, lines={})
    content = dataclasses.replace(content, programs={"verdict": broken})
    report = replay(parse_capture(pcap(conversation().frames)), content, make_plan(content))
    assert report.fault.startswith("packet 4, connection 1: ")
    assert "in verdict at instruction 1" in report.fault
    assert report.connections[0].to_client.sent == 0


def test_the_trace_is_kept_on_request() -> None:
    assert replayed(ONE_MAP + PASS_ALL, conversation()).trace == []
    trace = replayed(ONE_MAP + PASS_ALL, conversation(), trace=True).trace
    told = "stream_verdict verdict on server 1: len 4 (0 readable) b'requ' returned 1: pass"
    assert any(told in str(event) for event in trace)


def test_the_clock_follows_the_capture() -> None:
    policy = """
sockets = SockMap(max_entries=8)
times = ArrayMap(value=u64, max_entries=1)
@stream_verdict
def verdict(skb: SkSkb) -> i32:
    last = times.lookup(0)
    if last is None:
        return SK_DROP
    now = helpers.bpf_ktime_get_ns()
    late = now - last.value > 1500000000
    last.value = now
    return SK_DROP if late else SK_PASS
"""
    talk = (
        Talk().opened().say("client", 0, b"a").say("client", 1, b"b").say("server", 0).say("client", 2, b"c")
    )
    flow = replayed(policy, talk).connections[0].to_server
    assert (flow.received, flow.dropped) == (1, 2)
