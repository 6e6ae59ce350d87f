"""The simulator as its users meet it: loading, attaching, maps, errors, the trace."""

from __future__ import annotations

import errno
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from skverdict.codegen import ObjectError, read_object
from skverdict.codegen.instruction import Instruction
from skverdict.codegen.object import MapSpec, Object, Program
from skverdict.dsl import load_policy
from skverdict.runtime import Fault, MapError, SimulationError, Simulator, ValueMismatch

LAB = Path(__file__).parents[1] / "corpus" / "lab" / "lab.o"


def lab(**settings: Any) -> Simulator:
    return Simulator(LAB, **settings)


def refusal(act) -> int:
    with pytest.raises(OSError) as caught:
        act()
    return caught.value.errno


def small_object(kind: str, *instructions: Instruction, maps: tuple[MapSpec, ...] = ()) -> Object:
    """An object with one program, `program`."""
    program = Program("program", kind, kind, dict(enumerate(instructions)))
    return Object("little", "GPL", {"program": program}, {spec.name: spec for spec in maps})


PASS = (Instruction(0xB7, 0, 0, 0, 1), Instruction(0x95, 0, 0, 0, 0))


def test_it_takes_a_path_bytes_or_an_object() -> None:
    content = LAB.read_bytes()
    for source in (LAB, str(LAB), content, bytearray(content), read_object(content)):
        simulator = Simulator(source)
        assert set(simulator.programs) == {"parser", "verdict", "skb_verdict", "msg_verdict"}
        assert set(simulator.maps) == {"watched", "targets", "config", "runs"}


def test_bad_sources() -> None:
    with pytest.raises(ObjectError):
        Simulator(b"not an object")
    with pytest.raises(FileNotFoundError):
        Simulator("no/such/file.o")
    with pytest.raises(SimulationError, match="load_policy"):
        Simulator("policy.py")
    with pytest.raises(MapError, match="key"):
        Simulator(small_object("stream_verdict", *PASS, maps=(MapSpec("m", 15, 8, 8, 1),)))


@pytest.mark.parametrize(
    "settings", [{"kernel": "5.10"}, {"hazards": "no"}, {"linear": -1}, {"mss": 0}, {"receive_buffer": 0}]
)
def test_bad_settings(settings: dict[str, Any]) -> None:
    with pytest.raises(SimulationError):
        lab(**settings)


def test_unknown_names_are_told_with_the_known() -> None:
    simulator = lab()
    for act in (
        lambda: simulator.attach("nowhere", parser="parser"),
        lambda: simulator.attach("watched", parser="nobody"),
        lambda: simulator.maps["nowhere"],
        lambda: simulator.attach("watched"),
        lambda: simulator.attach("watched", verdict="verdict", stream_verdict="verdict"),
        lambda: simulator.tcp_pair(family="unix"),
        lambda: simulator.tcp_pair(server_port=70000),
        lambda: simulator.tcp_pair(server_address="localhost"),
        lambda: simulator.wait(-1),
    ):
        with pytest.raises(SimulationError):
            act()
    with pytest.raises(SimulationError, match="watched"):
        simulator.maps["nowhere"]


def test_attaching() -> None:
    simulator = lab()
    assert refusal(lambda: simulator.attach("config", verdict="verdict")) == errno.EOPNOTSUPP
    assert refusal(lambda: simulator.attach("watched", msg_verdict="verdict")) == errno.EINVAL
    assert refusal(lambda: simulator.attach("watched", parser="msg_verdict")) == errno.EINVAL
    assert refusal(lambda: simulator.attach_cgroup("verdict")) == errno.EINVAL
    simulator.attach("watched", verdict="verdict")
    simulator.attach("watched", verdict="verdict")
    assert refusal(lambda: simulator.attach("watched", verdict="skb_verdict")) == errno.EBUSY
    assert refusal(lambda: simulator.detach("watched", verdict="skb_verdict")) == errno.EBUSY
    assert refusal(lambda: simulator.detach("watched", stream_verdict="parser")) == errno.ENOENT
    simulator.detach("watched", verdict="verdict")
    assert refusal(lambda: simulator.detach("watched", verdict="verdict")) == errno.ENOENT
    simulator.attach("watched", verdict="skb_verdict")
    assert refusal(lambda: simulator.attach("watched", verdict="verdict")) == errno.EBUSY


def test_the_wrong_type_is_told_before_the_wrong_map_and_the_other_verdict() -> None:
    simulator = lab()
    assert refusal(lambda: simulator.attach("config", stream_verdict="msg_verdict")) == errno.EINVAL
    assert refusal(lambda: simulator.detach("config", stream_verdict="msg_verdict")) == errno.EINVAL
    simulator.attach("watched", verdict="skb_verdict")
    assert refusal(lambda: simulator.attach("watched", stream_verdict="msg_verdict")) == errno.EINVAL


def test_a_link_holds_its_place_until_it_is_closed() -> None:
    simulator = lab()
    with simulator.link("watched", verdict="verdict") as link:
        assert refusal(lambda: simulator.attach("watched", verdict="verdict")) == errno.EBUSY
        assert refusal(lambda: simulator.link("watched", stream_verdict="parser")) == errno.EBUSY
        assert refusal(lambda: link.update("verdict", old="parser")) == errno.EPERM
        assert refusal(lambda: link.update("parser")) == errno.EINVAL
    assert refusal(link.detach) == errno.EBADF
    simulator.attach("watched", verdict="verdict")


def test_a_link_is_for_one_program() -> None:
    with pytest.raises(SimulationError, match="a link holds one program"):
        lab().link("watched", parser="parser", verdict="verdict")
    with pytest.raises(SimulationError, match="no program 'nobody'"):
        lab().link("watched", verdict="verdict").update("nobody")


def test_a_parser_may_be_attached_as_verdict() -> None:
    simulator = lab()
    simulator.attach("watched", stream_verdict="parser")
    simulator.maps["config"][0] = 101
    client, server = simulator.tcp_pair()
    simulator.maps["watched"][0] = server
    client.send(b"x")
    assert server.recv(10) == b"x"


@pytest.mark.parametrize(("kernel", "accepted"), [("6.1", True), ("6.12", True), ("7.2", False)])
def test_a_parser_that_may_change_the_packet(kernel: str, accepted: bool) -> None:
    pull = Instruction(0x85, 0, 0, 0, 39)
    length = Instruction(0xB7, 2, 0, 0, 0)
    source = small_object("stream_parser", length, pull, *PASS, maps=(MapSpec("m", 15, 4, 8, 1),))
    simulator = Simulator(source, kernel=kernel)
    if accepted:
        simulator.attach("m", parser="program")
    else:
        assert refusal(lambda: simulator.attach("m", parser="program")) == errno.EINVAL


def test_socket_maps_are_dictionaries_of_sockets() -> None:
    simulator = lab()
    client, server = simulator.tcp_pair()
    targets = simulator.maps["targets"]
    targets[0] = client
    targets.update(2, server, 1)
    assert targets[0] == client.cookie
    assert targets.lookup(2) == server.cookie
    assert targets.socket(2) == server
    assert targets.get(1) is None
    assert (0 in targets, 1 in targets, len(targets)) == (True, False, 2)
    assert list(targets) == list(range(8))
    assert list(targets.items()) == [(0, client.cookie), (2, server.cookie)]
    del targets[0]
    assert refusal(lambda: targets[0]) == errno.ENOENT
    assert refusal(lambda: targets.delete(0)) == errno.EINVAL
    for value in (client.cookie, None, b"12345678"):
        with pytest.raises(ValueMismatch):
            targets[0] = value
    with pytest.raises(ValueMismatch):
        targets["zero"] = client


def test_plain_maps_hold_numbers() -> None:
    config = lab().maps["config"]
    config[3] = 7
    assert (config[3], config[4], len(config)) == (7, 0, 16)
    assert refusal(lambda: config.update(16, 1)) == errno.E2BIG
    assert 16 not in config


def test_addresses_ports_and_names() -> None:
    simulator = lab()
    client, server = simulator.tcp_pair(server_port=10000, client_port=40000, client_address="127.0.0.2")
    assert (client.local, client.remote) == ("127.0.0.2:40000", "127.0.0.1:10000")
    assert (client.name, server.name) == ("client1", "server1")
    second = simulator.tcp_pair(family="v6", names=("left", "right"))
    assert [socket.name for socket in second] == ["left", "right"]
    assert second[0].remote == f"[::1]:{second[1].local_port}"
    ports = {socket.local_port for pair in (second, simulator.tcp_pair()) for socket in pair}
    assert len(ports) == 4
    assert client.peer == server


def test_lone_sockets() -> None:
    simulator = lab()
    listener, unconnected = simulator.tcp_listener(), simulator.tcp_socket()
    targets = simulator.maps["targets"]
    assert refusal(lambda: targets.update(1, unconnected)) == errno.EOPNOTSUPP
    for socket in (listener, unconnected):
        assert refusal(lambda socket=socket: socket.recv(1)) == errno.ENOTCONN
        assert refusal(lambda socket=socket: socket.send(b"x")) == errno.EPIPE
        assert refusal(lambda socket=socket: socket.peer) == errno.ENOTCONN
    targets[0] = listener
    listener.close()
    unconnected.close()
    assert 0 not in targets


def test_a_redirect_to_a_listener_drops() -> None:
    simulator = lab()
    simulator.attach("watched", verdict="verdict")
    simulator.maps["config"][1] = 2
    client, server = simulator.tcp_pair()
    simulator.maps["targets"][0] = simulator.tcp_listener()
    simulator.maps["watched"][0] = server
    client.send(b"x")
    assert simulator.trace.verdicts() == Counter({("verdict", "drop"): 1})


def test_the_trace_tells_where_bytes_went() -> None:
    simulator = lab()
    simulator.attach("watched", verdict="verdict")
    simulator.maps["config"][1] = 2
    client, server = simulator.tcp_pair()
    near, far = simulator.tcp_pair(names=("near", "far"))
    simulator.maps["targets"][0] = near
    simulator.maps["watched"][0] = server
    client.send(b"hello")
    simulator.maps["config"][1] = 1
    client.send(b"dropped")
    far.recv(100)
    trace = simulator.trace
    assert trace.verdicts() == Counter({("verdict", "redirect"): 1, ("verdict", "drop"): 1})
    assert trace.destinations() == Counter(
        {("server1", "egress", "near"): 5, ("near", "arrived", "far"): 5, ("server1", "dropped", ""): 7}
    )
    lines = str(trace).splitlines()
    assert len(lines) == len(trace)
    assert (
        "stream_verdict verdict on server1: len 5 (0 readable) b'hello' returned 1: redirect -> egress of near" in lines
    )
    assert "verdict: bpf_sk_redirect_map(__sk_buff, targets, 0, 0) = 1" in lines
    assert "received far: 5 bytes b'hello'" in lines
    assert [run.length for run in trace.runs("verdict")] == [5, 7]


def test_a_fault_ends_the_call_and_names_the_program() -> None:
    beyond = Instruction(0x61, 0, 1, 4000, 0)
    simulator = Simulator(
        small_object("stream_verdict", beyond, *PASS, maps=(MapSpec("m", 15, 4, 8, 1),))
    )
    simulator.attach("m", verdict="program")
    client, server = simulator.tcp_pair()
    simulator.maps["m"][0] = server
    with pytest.raises(Fault, match="program"):
        client.send(b"x")
    assert "FAULT program on server1" in str(simulator.trace)
    simulator.maps["m"].delete(0)
    client.send(b"y")
    assert server.recv(10) == b"y"


@pytest.mark.parametrize(
    ("offset", "expected"), [(4, 2), (44, 10000), (48, 0x409C), (24, 0x0100007F), (72, 1)]
)
def test_the_socket_pointer_leads_to_the_socket(offset: int, expected: int) -> None:
    """Its family, ports, address and state, as a little-endian kernel shows them; 1 passes."""
    code = [
        Instruction(0x79, 1, 1, 168, 0),
        Instruction(0x61, 1, 1, offset, 0),
        Instruction(0xB7, 0, 0, 0, 1),
        Instruction(0x15, 1, 0, 1, expected),
        Instruction(0xB7, 0, 0, 0, 0),
        Instruction(0x95, 0, 0, 0, 0),
    ]
    simulator = Simulator(small_object("stream_verdict", *code, maps=(MapSpec("m", 15, 4, 8, 1),)))
    simulator.attach("m", verdict="program")
    client, server = simulator.tcp_pair(server_port=10000, client_port=40000)
    simulator.maps["m"][0] = server
    client.send(b"x")
    assert server.recv(9) == b"x"


def test_waiting_moves_the_clock() -> None:
    simulator = lab()
    before = simulator.environment.clock_ns
    simulator.wait(1.5)
    assert simulator.environment.clock_ns - before == 1_500_000_000


@pytest.mark.parametrize("content", [3, "text", None])
def test_what_is_no_bytes_is_not_sent(content: Any) -> None:
    client, server = Simulator(LAB).tcp_pair()
    for send in (client.send, client.sendfile, lambda each: client.sendmsg([each])):
        with pytest.raises(TypeError, match="bytes-like"):
            send(content)
    with pytest.raises(BlockingIOError):
        server.recv()


TRAFFIC_CLASS = """
from skverdict.dsl import *

watched = SockMap(max_entries=1)

@skb_verdict
def program(skb: SkSkb) -> i32:
    skb.tc_index = 0x12345
    return SK_PASS if skb.tc_index == 0x2345 else SK_DROP
"""


def test_the_kernel_keeps_16_bits_of_a_traffic_class(tmp_path: Path) -> None:
    path = tmp_path / "policy.py"
    path.write_text(TRAFFIC_CLASS)
    simulator = Simulator(load_policy(path))
    client, server = simulator.tcp_pair()
    simulator.attach("watched", verdict="program")
    simulator.maps["watched"][0] = server
    client.send(b"abc")
    assert server.recv(10) == b"abc"
