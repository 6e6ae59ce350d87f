"""Reads a capture with one library: python read_capture.py LIBRARY FILE

Prints how many bytes of TCP payload it found, or after "error" what it said. Runs in the environment of
`bench.capture_libraries`, where skverdict is not.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator

Segments = Iterator[bytes]
"""Payloads of TCP segments."""


def dpkt(path: str) -> Segments:
    import dpkt

    with open(path, "rb") as file:
        reader = dpkt.pcap.UniversalReader(file)
        link = {1: dpkt.ethernet.Ethernet, 113: dpkt.sll.SLL}[reader.datalink()]
        for _, content in reader:
            segment = link(content).data.data
            if isinstance(segment, dpkt.tcp.TCP):
                yield segment.data


def scapy(path: str) -> Segments:
    logging.getLogger("scapy").setLevel(logging.CRITICAL)
    from scapy.layers import inet6, l2  # noqa: F401
    from scapy.layers.inet import TCP
    from scapy.utils import PcapReader

    with PcapReader(path) as packets:
        for packet in packets:
            if TCP in packet:
                yield bytes(packet[TCP].payload)


def pypcapkit(path: str) -> Segments:
    import pcapkit

    found = pcapkit.extract(fin=path, nofile=True, store=True, verbose=False, extension=False)
    for frame in found.frame:
        if pcapkit.TCP in frame:
            yield bytes(frame[pcapkit.TCP].payload)


READERS: dict[str, Callable[[str], Segments]] = {"dpkt": dpkt, "scapy": scapy, "pypcapkit": pypcapkit}

if __name__ == "__main__":
    _, library, file_name = sys.argv
    try:
        print(sum(map(len, READERS[library](file_name))))
    except Exception as error:  # whatever a library raises is its answer
        print(f"error {type(error).__name__}: {error}")
