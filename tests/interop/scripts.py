"""What is done with each example, drawn at random: traffic that its branches are about, changes of maps."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Address
from typing import Any

from hypothesis import strategies as st
from skverdict.dsl.catalogue.programs import KERNELS

from tests.interop.stage import Step, step

Steps = st.SearchStrategy[list[Step]]


def machines(cpu: str = "v3") -> st.SearchStrategy[dict[str, Any]]:
    """How a machine is whose kernel knows the instructions of `cpu`: Linux 6.6 brought those of v4."""
    return st.fixed_dictionaries(
        {
            "kernel": st.sampled_from([kernel for kernel in KERNELS if cpu < "v4" or kernel != "6.1"]),
            "linear": st.sampled_from([0, 0, 2, 100]),
            "mss": st.sampled_from([5, 32768]),
        }
    )


SEGMENTS = st.lists(st.integers(1, 12), max_size=3)


def traffic(
    opening: list[Step],
    sockets: list[str],
    contents: st.SearchStrategy[bytes],
    *changes: st.SearchStrategy[Step],
) -> Steps:
    """`opening`, then sends of `contents` between any `sockets`, among them reads, `changes`, and ends."""
    send = st.builds(step, st.just("send"), st.sampled_from(sockets), contents, SEGMENTS)
    recv = st.builds(step, st.just("recv"), st.sampled_from(sockets), st.integers(0, 40))
    end = st.builds(step, st.sampled_from(["shutdown", "close"]), st.sampled_from(sockets))
    each = st.one_of(send, send, send, recv, *changes, end)
    return st.lists(each, min_size=1, max_size=12).map(lambda steps: [*opening, *steps])


def ends(*pairs: str) -> list[str]:
    return [f"{pair}.{end}" for pair in pairs for end in ("client", "server")]


def port_redirect() -> Steps:
    sockets = ends("watched", "other", "out")
    opening = [
        step("pair", "watched", server_port=10000),
        step("pair", "other", server_port=10001),
        step("pair", "out"),
        step("put", "sock_map_rx", 0, "out.client"),
        step("attach", "sock_map_rx", parser="parser", verdict="verdict"),
        step("put", "sock_map_rx", 1, "watched.server"),
    ]
    put = st.builds(step, st.just("put"), st.just("sock_map_rx"), st.integers(0, 2), st.sampled_from(sockets))
    delete = st.builds(step, st.just("delete"), st.just("sock_map_rx"), st.integers(0, 2))
    return traffic(opening, sockets, st.binary(max_size=40), put, delete)


def address(text: str) -> int:
    """An IPv4 address as maps' keys have it."""
    return int(IPv4Address(text))


def swapped(port: int) -> int:
    """`port` with its two bytes exchanged."""
    return port >> 8 | (port & 0xFF) << 8


def hash_redirect() -> Steps:
    addresses = {"a": ("127.0.0.2", 40000), "b": ("127.0.0.2", 40001), "c": ("127.0.0.3", 40000)}
    opening = [step("attach", "sock_hash_rx", parser="parser", verdict="verdict")]
    keys = []
    for name, (client, port) in addresses.items():
        opening.append(step("pair", name, client_address=client, client_port=port, server_port=10000))
        ports = (port, 10000)
        hosts = (address(client), address("127.0.0.1"))
        for source, target in ((0, 1), (1, 0)):
            key = {"src_ip": hosts[source], "dst_ip": hosts[target]}
            keys.append({**key, "src_port": swapped(ports[source]), "dst_port": swapped(ports[target])})
    opening += [
        step("put", "sock_hash_rx", keys[0], "b.client"),
        step("put", "sock_hash_rx", keys[3], "a.server"),
        step("put", "sock_hash_rx", keys[4], "c.server"),
    ]
    sockets = ends(*addresses)
    key = st.sampled_from(keys)
    put = st.builds(step, st.just("put"), st.just("sock_hash_rx"), key, st.sampled_from(sockets))
    delete = st.builds(step, st.just("delete"), st.just("sock_hash_rx"), key)
    return traffic(opening, sockets, st.binary(max_size=40), put, delete)


def loopback_proxy() -> Steps:
    opening = [
        step("attach", "peers", verdict="splice"),
        *(step("pair", name) for name in ("a", "b", "c")),
        step("put_for", "peers", "a.server", "b.client"),
        step("put_for", "peers", "b.client", "a.server"),
    ]
    sockets = ends("a", "b", "c")
    # Bytes would go round for ever if the other ends were spliced as well.
    spliced = st.sampled_from(("a.server", "b.client", "c.server"))
    put = st.builds(step, st.just("put_for"), st.just("peers"), spliced, spliced)
    delete = st.builds(step, st.just("delete_for"), st.just("peers"), spliced)
    return traffic(opening, sockets, st.binary(max_size=40), put, delete)


def local_bypass() -> Steps:
    local, other, six = map(address, ("127.0.0.1", "127.0.0.2", "127.0.0.6"))  # ::1 reads as the last
    tuples = [
        (local, local, 40000, 80),
        (local, local, 80, 40000),
        (local, local, 40001, 80),
        (local, local, 80, 40001),
        (other, local, 40002, 80),
        (local, other, 80, 40002),
        (six, six, 40003, 80),
        (0, six, 80, 40003),
    ]
    opening = [
        step("attach", "endpoints", msg_verdict="bypass"),
        step("pair", "before", client_port=40000, server_port=80),
        step("attach_cgroup", "remember"),
        step("pair", "a", client_port=40001, server_port=80),
        step("pair", "b", client_port=40002, server_port=80, client_address="127.0.0.2"),
        step("pair", "six", client_port=40003, server_port=80, family="v6"),
        step("put", "endpoints", tuples[6], "six.client"),
        step("put", "endpoints", tuples[7], "six.server"),
    ]
    key = st.sampled_from(tuples)
    sockets = ends("before", "a", "b", "six")
    put = st.builds(step, st.just("put"), st.just("endpoints"), key, st.sampled_from(sockets))
    delete = st.builds(step, st.just("delete"), st.just("endpoints"), key)
    return traffic(opening, sockets, st.binary(max_size=40), put, delete)


WORDS = st.sampled_from([b"QUIT", b"QUI", b"Q", b"HELO", b"\0\0\0\0", b"QUIT and more", b"", b"H"])


def datagram_filter() -> Steps:
    word = st.sampled_from([int.from_bytes(word, "big") for word in (b"QUIT", b"HELO", b"\0\0\0\0")])
    opening = [
        step("pair", "a"),
        step("pair", "b"),
        step("store", "blocked", int.from_bytes(b"QUIT", "big"), 1),
        step("attach", "watched", verdict="verdict"),
        step("put", "watched", 0, "a.server"),
        step("put", "watched", 1, "b.client"),
    ]
    block = st.builds(step, st.just("store"), st.just("blocked"), word, st.integers(0, 255))
    allow = st.builds(step, st.just("delete"), st.just("blocked"), word)
    contents = st.lists(WORDS, max_size=3).map(b"".join)
    return traffic(opening, ends("a", "b"), contents, block, allow)


def record(kind: int, length: int, body: bytes) -> bytes:
    return kind.to_bytes(4, "big") + length.to_bytes(4, "big") + body


BODIES = st.binary(max_size=12)
GOOD = st.builds(lambda kind, body: record(kind, len(body), body), st.sampled_from([1, 2]), BODIES)
BAD = st.builds(
    record, st.sampled_from([0, 1, 2, 3, 1 << 24]), st.sampled_from([0, 1, 4096, 4097, 2**32 - 8]), BODIES
)
LONG = st.just(record(1, 4096, bytes(4096)))
STREAMS = st.one_of(
    st.lists(GOOD, min_size=7, max_size=9), st.lists(st.one_of(GOOD, GOOD, GOOD, LONG, BAD), max_size=9)
)


@st.composite
def message_policy(draw: st.DrawFn) -> list[Step]:
    """Two senders take turns with pieces of their records, by one of the two programs."""
    steps = [
        step("pair", "a"),
        step("pair", "b"),
        step("attach", "watched", msg_verdict=draw(st.sampled_from(["whole_records", "announced_size"]))),
        step("put", "watched", 0, "a.client"),
        step("put", "watched", 1, "b.client"),
    ]
    streams = []
    for sender in ("a.client", "b.client"):
        content = b"".join(draw(STREAMS))
        places = sorted(draw(st.lists(st.integers(0, len(content)), max_size=5)))
        cuts = zip([0, *places], [*places, len(content)], strict=True)
        streams.append([step("send", sender, content[start:end], []) for start, end in cuts])
    while any(streams):
        sender = draw(st.integers(0, 1))
        stream = streams[sender] or streams[1 - sender]
        steps.append(stream.pop(0))
        if draw(st.integers(0, 3)) == 0:
            again = ("a.client", "b.client")[sender]
            steps += [step("delete", "watched", sender), step("put", "watched", sender, again)]
        if draw(st.booleans()):
            peer = draw(st.sampled_from(["a.server", "b.server"]))
            steps.append(step("recv", peer, draw(st.integers(0, 60))))
    end = draw(st.sampled_from([[], [step("shutdown", "a.client")], [step("close", "b.client")]]))
    return [*steps, *end]


@st.composite
def tenant_routing(draw: st.DrawFn) -> list[Step]:
    """Clients of one tenant, with workers for some; connections that began before the programs ran, too."""
    opening = [
        step("load", tenant=draw(st.sampled_from([0, 5, 7, 7, 70]))),
        step("attach", "accepted", verdict="hand_on"),
        step("pair", "work"),
        step("put", "workers", 7, "work.client"),
        step("pair", "before"),
        *(step("attach_cgroup", name) for name in draw(st.permutations(["tag", "route"]))),
        step("pair", "a"),
        step("pair", "six", family="v6"),
    ]
    put = st.builds(step, st.just("put"), st.just("workers"), st.sampled_from([5, 7]), st.just("work.client"))
    delete = st.builds(step, st.just("delete"), st.just("workers"), st.just(7))
    later = st.builds(step, st.just("pair"), st.just("later"))
    senders = ends("before", "a", "six")
    return draw(traffic(opening, senders, st.binary(max_size=40), put, delete, later))


SCRIPTS: dict[str, Callable[[], Steps]] = {
    "port_redirect": port_redirect,
    "hash_redirect": hash_redirect,
    "local_bypass": local_bypass,
    "loopback_proxy": loopback_proxy,
    "datagram_filter": datagram_filter,
    "message_policy": message_policy,
    "tenant_routing": tenant_routing,
}
