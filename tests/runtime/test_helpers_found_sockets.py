"""Sockets that programs find: by their addresses, in socket maps, and what is kept beside them."""

from __future__ import annotations

import struct

import pytest
from skverdict.codegen.assembler import assemble
from skverdict.codegen.object import MapSpec
from skverdict.runtime.machine.errno import Errno, KernelError
from skverdict.runtime.machine.fault import Fault
from skverdict.runtime.maps.create import create_map
from skverdict.runtime.maps.socket_storage import SocketStorage
from skverdict.runtime.simulator import Simulator

from tests.runtime.machine_kit import Numbers, TestContext, environment, loaded
from tests.runtime.special_values import LOCKED, made

CLIENT_PORT, SERVER_PORT, LISTENER_PORT = 40000, 10000, 8080
LOOPBACK = "7f000001"

MAPS = """
license "GPL"
map sockets sockmap key 4 value 8 max_entries 4 flags 0
map found array key 4 value 8 max_entries 4 flags 0
"""

#: Stores r7 at index 0 of `found` and passes.
REPORT = """
    *(u64 *)(r10 - 64) = r7
    *(u32 *)(r10 - 68) = 0
    r1 = map[found] ll
    r2 = r10
    r2 += -68
    r3 = r10
    r3 += -64
    r4 = 0
    call bpf_map_update_elem
    r0 = 1
    exit
"""


def tuple_at(offset: int, source: str, sport: int, destination: str, dport: int) -> str:
    """Instructions that write a tuple of addresses in hexadecimal to the stack."""
    content = bytes.fromhex(source + destination) + struct.pack(">2H", sport, dport)
    words = struct.unpack(f"<{len(content) // 4}I", content)
    return "\n".join(
        f"    *(u32 *)(r10 - {offset - 4 * at}) = {word}" for at, word in enumerate(words)
    )


def lookup(
    helper: str, source: str, sport: int, destination: str, dport: int, size: int = 12, extra: str = "-1 0"
) -> str:
    """Looks a socket up, reads its port into r7 (99 for none) and releases it."""
    namespace, flags = extra.split()
    return f"""
    r6 = r1
{tuple_at(48, source, sport, destination, dport)}
    r2 = r10
    r2 += -48
    r3 = {size}
    r4 = {namespace}
    r5 = {flags}
    call {helper}
    r7 = 99
    if r0 == 0 goto done
    r7 = *(u32 *)(r0 + 44)
    r1 = r0
    call bpf_sk_release
done:
{REPORT}"""


class Lab:
    """A connection whose server is in the map `sockets`, with a verdict that runs on a byte sent to it."""

    def __init__(self, code: str, family: str = "v4", section: str = "sk_skb/stream_verdict") -> None:
        self.simulator = Simulator(assemble(f"{MAPS}\nprogram main {section}\n{code}"))
        self.listener = self.simulator.tcp_listener(port=LISTENER_PORT, family=family)
        self.client, self.server = self.simulator.tcp_pair(
            server_port=SERVER_PORT, client_port=CLIENT_PORT, family=family
        )
        self.simulator.attach("sockets", verdict="main")
        self.simulator.maps["sockets"][0] = self.server

    def run(self) -> int:
        """What the program reports."""
        self.client.send(b"x")
        found: int = self.simulator.maps["found"][0]
        return found


V6 = "00000000000000000000000000000001"


@pytest.mark.parametrize(
    ("helper", "sport", "dport", "expected"),
    [
        ("bpf_sk_lookup_tcp", CLIENT_PORT, SERVER_PORT, SERVER_PORT),
        ("bpf_sk_lookup_tcp", SERVER_PORT, CLIENT_PORT, CLIENT_PORT),
        ("bpf_sk_lookup_tcp", 5, LISTENER_PORT, LISTENER_PORT),
        ("bpf_sk_lookup_tcp", 5, SERVER_PORT, 99),
        ("bpf_skc_lookup_tcp", CLIENT_PORT, SERVER_PORT, SERVER_PORT),
        ("bpf_sk_lookup_udp", CLIENT_PORT, SERVER_PORT, 99),
    ],
)
def test_a_socket_is_found_by_where_a_packet_goes(
    helper: str, sport: int, dport: int, expected: int
) -> None:
    assert Lab(lookup(helper, LOOPBACK, sport, LOOPBACK, dport)).run() == expected
    assert Lab(lookup(helper, V6, sport, V6, dport, size=36), "v6").run() == expected


@pytest.mark.parametrize(("size", "extra"), [(13, "-1 0"), (12, "0 0"), (12, "7 0"), (12, "-1 1")])
def test_other_sizes_namespaces_and_flags_find_nothing(size: int, extra: str) -> None:
    code = lookup("bpf_sk_lookup_tcp", LOOPBACK, CLIENT_PORT, LOOPBACK, SERVER_PORT, size, extra)
    code = code.replace("r6 = r1", "r6 = r1\n    *(u32 *)(r10 - 36) = 0")
    assert Lab(code).run() == 99


def test_a_socket_on_all_addresses_takes_packets_to_any() -> None:
    lab = Lab(lookup("bpf_sk_lookup_tcp", LOOPBACK, 5, "7f000009", 7000))
    listener = lab.simulator.tcp_listener(port=7000, address="0.0.0.0")
    assert lab.run() == 7000
    listener.close()
    assert lab.run() == 99


FIND_IN_MAP = """
    *(u32 *)(r10 - 4) = 0
    r1 = map[sockets] ll
    r2 = r10
    r2 += -4
    call bpf_map_lookup_elem
    r7 = 99
    if r0 == 0 goto done
    r7 = *(u32 *)(r0 + 48)
    r1 = r0
    {release}
done:
"""


def test_a_socket_map_gives_references() -> None:
    code = FIND_IN_MAP.format(release="call bpf_sk_release") + REPORT
    assert Lab(code).run() == int.from_bytes(CLIENT_PORT.to_bytes(2, "big"), "little")
    empty = Lab(code.replace("*(u32 *)(r10 - 4) = 0", "*(u32 *)(r10 - 4) = 3"))
    assert empty.run() == 99


@pytest.mark.parametrize(
    ("release", "says"),
    [
        ("r1 = 0", "without releasing what bpf_map_lookup_elem gave at instruction 6"),
        (
            "call bpf_sk_release\n r7 = *(u32 *)(r8 + 48)",
            "bpf_sock is no longer there: bpf_sk_release at instruction",
        ),
        ("call bpf_sk_release\n r1 = r8\n call bpf_sk_release", "argument sock: bpf_sock is no longer there"),
        ("r1 += 4\n call bpf_sk_release", "bpf_sk_release, argument sock: is not a socket"),
        ("r1 = *(u64 *)(r6 + 168)\n call bpf_sk_release", "releases what the program did not acquire"),
    ],
)
def test_references_are_released_once(release: str, says: str) -> None:
    code = "    r6 = r1\n" + FIND_IN_MAP.format(release=f"r8 = r1\n    {release}") + REPORT
    with pytest.raises(Fault, match=says):
        Lab(code).run()


def test_each_lookup_is_a_reference_of_its_own() -> None:
    twice = """
    *(u32 *)(r10 - 4) = 0
    r1 = map[sockets] ll
    r2 = r10
    r2 += -4
    call bpf_map_lookup_elem
    r8 = r0
    r1 = map[sockets] ll
    r2 = r10
    r2 += -4
    call bpf_map_lookup_elem
    r9 = r0
    r1 = r8
    call bpf_sk_release
    r7 = *(u32 *)(r9 + 72)
    r1 = r9
    call bpf_sk_release
    """
    assert Lab(twice + REPORT).run() == 1


def test_numbers_of_the_connection_are_for_sock_ops() -> None:
    code = """
    r6 = r1
    r2 = *(u32 *)(r1 + 0)
    if r2 != 4 goto out
    r1 = *(u64 *)(r1 + 184)
    call bpf_tcp_sock
    if r0 == 0 goto out
    r7 = *(u32 *)(r0 + 0)
""" + REPORT.replace("    exit", "out:\n    r0 = 1\n    exit")
    simulator = Simulator(assemble(f"{MAPS}\nprogram main sockops\n{code}"))
    simulator.attach_cgroup("main")
    simulator.tcp_pair()
    assert simulator.maps["found"][0] == 10


# Values beside sockets


def storage(flags: int = 1) -> SocketStorage:
    made = create_map(MapSpec("m", 24, 4, 8, 0, flags))
    assert isinstance(made, SocketStorage)
    return made


def answer(storage: SocketStorage, socket: Numbers, code: str) -> int:
    """r0 after `code`, in which r1 is the map, r2 the message's socket, and r3 points to an 8-byte 7."""
    text = f"""
map m sk_storage key 4 value 8 max_entries 0 flags 1
program main sk_msg
    r2 = *(u64 *)(r1 + 72)
    *(u64 *)(r10 - 8) = 7
    r3 = r10
    r3 += -8
    r1 = map[m] ll
{code}
    exit
"""
    from skverdict.runtime.machine.run import run

    surroundings = environment()
    program = loaded(assemble(text), {"m": storage}, surroundings)
    return run(program, TestContext("msg_verdict", socket=socket), surroundings).value


GET = """
    call bpf_sk_storage_get
    if r0 == 0 goto +1
    r0 = *(u64 *)(r0 + 0)
"""


def test_a_value_beside_a_socket_is_made_when_asked_for() -> None:
    values, socket, other = storage(), Numbers("bpf_sock", {}), Numbers("bpf_sock", {})
    assert answer(values, socket, f"r4 = 0\n{GET}") == 0
    assert answer(values, socket, f"r4 = 2\n{GET}") == 0
    assert values.value_of(socket) is None
    assert answer(values, socket, f"r4 = 1\n{GET}") == 7
    assert answer(values, socket, f"r3 = 0\n r4 = 0\n{GET}") == 7
    assert answer(values, other, f"r3 = 0\n r4 = 1\n{GET}") == 0
    assert values.value_of(other) == bytes(8)
    assert answer(values, socket, "call bpf_sk_storage_delete") == 0
    assert answer(values, socket, "call bpf_sk_storage_delete") == -Errno.ENOENT % (1 << 64)


def test_a_request_has_no_values() -> None:
    values, socket = storage(), Numbers("bpf_sock", {})
    socket.full = False
    assert answer(values, socket, f"r4 = 1\n{GET}") == 0
    assert answer(values, socket, "call bpf_sk_storage_delete") == -Errno.EINVAL % (1 << 64)


def test_user_space_has_the_kernels_flags() -> None:
    values, socket = storage(), Numbers("bpf_sock", {})

    def refused(flags: int) -> Errno | None:
        try:
            values.put(socket, b"contents", flags)
        except KernelError as error:
            return error.number
        return None

    assert [refused(flags) for flags in (2, 3, 4, 1, 1, 2)] == [
        Errno.ENOENT,
        Errno.EINVAL,
        Errno.EINVAL,
        None,
        Errno.EEXIST,
        None,
    ]
    values.drop(socket)
    with pytest.raises(KernelError, match="has no value for this socket"):
        values.drop(socket)
    with pytest.raises(KernelError, match="keys of map m are sockets, not numbers"):
        values.read(bytes(4))
    with pytest.raises(KernelError, match="have no keys to walk"):
        values.next_key(None)


def test_an_update_under_lock_keeps_the_memory() -> None:
    values = create_map(MapSpec("m", 24, 4, 16, 0, 1))
    assert isinstance(values, SocketStorage)
    values.special = made("array", LOCKED).special
    socket = Numbers("bpf_sock", {})
    values.put(socket, bytes(16))
    memory = values.value_of(socket)
    values.put(socket, b"\1" * 16, 4)
    assert memory == b"\1" * 4 + bytes(4) + b"\1" * 8
    values.put(socket, bytes(16))
    assert values.value_of(socket) is not memory


def test_a_value_goes_with_its_socket() -> None:
    values, socket = storage(), Numbers("bpf_sock", {})
    values.put(socket, bytes(8))
    assert len(values) == 1
    del socket
    assert len(values) == 0
