"""TCP payloads out of a capture file, segment by segment as a receiving Linux kernel would take them.

    file -> records (`pcap`, `pcapng`) -> IP packet (`link`) -> TCP segment (`network`) -> stream (`stream`)
         -> connections (`connections`) -> `Capture`, which `replay` sends through a policy

The file formats and headers are read here with `struct`, after looking at the libraries for it: dpkt 1.9.8
hands out the last packet of a cut file short without a word, leaves TCP behind IPv6 extension headers and
behind VLAN tags in Linux cooked captures undecoded, and had its last release in 2022; scapy takes a third
of a second to import and half a millisecond a packet; pypcapkit half a second to import; python-pcapng
reads no pcap and no headers of packets. None names the byte offset of what is wrong, and where streams are
put together, the borders of segments are lost, which are what programs see.
"""

from __future__ import annotations

from skverdict.runtime.capture.connections import Capture, Connection, Endpoint, Event, Note
from skverdict.runtime.capture.errors import CaptureError
from skverdict.runtime.capture.reader import parse_capture, read_capture

__all__ = [
    "Capture",
    "CaptureError",
    "Connection",
    "Endpoint",
    "Event",
    "Note",
    "parse_capture",
    "read_capture",
]
