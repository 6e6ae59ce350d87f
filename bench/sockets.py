"""How many sockets the simulator holds, what each costs, and how fast bytes and messages are redirected.

    python -m bench.sockets [--sockets 100000] [--json]

Times are processor time. The memory of a socket is what Python has allocated for it while it is idle: half of a
connection, an entry in a sockhash, and the programs that it inherited.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import tracemalloc
from typing import NamedTuple

from skverdict.codegen.assembler import assemble
from skverdict.dsl.catalogue.contexts import CONTEXTS
from skverdict.runtime import Simulator
from skverdict.runtime.sockets.socket import Socket

from bench.measure import BenchError

#: Redirects what comes to a socket to the entry of its own two ports.
POLICY = """
license "GPL"
map peers sockhash key 8 value 8 max_entries {entries} flags 0
program verdict sk_skb/stream_verdict
    r2 = *(u32 *)(r1 + {remote_port})
    *(u32 *)(r10 - 4) = r2
    r2 = *(u32 *)(r1 + {local_port})
    *(u32 *)(r10 - 8) = r2
    r2 = map[peers] ll
    r3 = r10
    r3 += -8
    r4 = {flags}
    call bpf_sk_redirect_hash
    exit
"""
EGRESS, INGRESS = 0, 1


class Costs(NamedTuple):
    """Bytes of memory for each idle socket, and microseconds to make it and for a message to it."""

    sockets: int
    bytes_each: float
    microseconds_to_make: float
    microseconds_per_message: float


class Throughput(NamedTuple):
    """Redirection between two connections."""

    megabytes_a_second: float
    messages_a_second: float


def _simulator(entries: int, flags: int) -> Simulator:
    fields = CONTEXTS["__sk_buff"].fields
    ports = {name: fields[name].offset for name in ("remote_port", "local_port")}
    simulator = Simulator(assemble(POLICY.format(entries=entries, flags=flags, **ports)))
    simulator.attach("peers", verdict="verdict")
    return simulator


def key(socket: Socket) -> bytes:
    """The socket's entry, as the program looks it up: its own port, and the other's in network order."""
    return socket.local_port.to_bytes(4, "little") + b"\0\0" + socket.remote_port.to_bytes(2, "big")


def many(sockets: int, memory: bool = True) -> Costs:
    """Put `sockets` into one sockhash and send each a message, which its verdict redirects to its own reader.
    Without `memory`, what is allocated is not followed, which takes time."""
    simulator = _simulator(sockets, INGRESS)
    peers = simulator.maps["peers"]
    if memory:
        tracemalloc.start()
    start = time.process_time()
    pairs = []
    for _ in range(sockets // 2):
        pair = simulator.tcp_pair()
        for socket in pair:
            peers.update(key(socket), socket)
        pairs.append(pair)
        simulator.trace.clear()
    made = time.process_time() - start
    allocated = tracemalloc.get_traced_memory()[0] if memory else 0
    tracemalloc.stop()
    start = time.process_time()
    for client, server in pairs:
        for sender, receiver in ((client, server), (server, client)):
            sender.send(b"hello")
            if receiver.recv() != b"hello":
                raise BenchError(f"the message to {receiver.name} did not come")
        simulator.trace.clear()
    taken = time.process_time() - start
    return Costs(sockets, allocated / sockets, made / sockets * 1e6, taken / sockets * 1e6)


def throughput(total: int, size: int) -> Throughput:
    """Redirect `total` bytes in messages of `size` out of another connection."""
    simulator = _simulator(16, EGRESS)
    client, server = simulator.tcp_pair()
    target, reader = simulator.tcp_pair()
    peers = simulator.maps["peers"]
    peers.update(key(client), server)  # so that the map's program watches it
    peers.update(key(server), target)
    message, count, received = bytes(size), total // size, 0
    start = time.process_time()
    for _ in range(count):
        client.send(message)
        received += len(reader.recv(2 * size))
    taken = time.process_time() - start
    if received != count * size:
        raise BenchError(f"{received} bytes came of {count * size}")
    return Throughput(total / taken / 1e6, count / taken)


def main() -> int:
    summary = __doc__.split("\n", 1)[0]
    parser = argparse.ArgumentParser(prog="python -m bench.sockets", description=summary)
    parser.add_argument("--sockets", type=int, default=100_000, help="how many in one map (default 100000)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")
    options = parser.parse_args()
    costs, bulk, small = many(options.sockets), throughput(64 << 20, 1 << 16), throughput(1_280_000, 64)
    if options.json:
        print(json.dumps({"sockets": costs._asdict(), "bulk": bulk._asdict(), "small": small._asdict()}))
        return 0
    print(f"{costs.sockets} sockets in one sockhash: {costs.bytes_each:.0f} bytes each while idle,")
    print(f"  {costs.microseconds_to_make:.1f} us to make one, {costs.microseconds_per_message:.1f} us a message")
    print(f"redirected in messages of 64 KiB: {bulk.megabytes_a_second:.0f} MB/s")
    print(f"redirected in messages of 64 bytes: {small.messages_a_second:.0f} messages/s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
