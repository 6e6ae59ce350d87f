"""TCP payloads out of a capture file, segment by segment as a receiving Linux kernel would take them.

    file -> records (`pcap`, `pcapng`) -> IP packet (`link`) -> TCP segment (`network`) -> stream (`stream`)
         -> connections (`connections`) -> `Capture`, which `replay` sends through a policy

The file formats and headers are read here with `struct`: docs/captures.md says which libraries were looked at,
what they do with odd files, and how fast they are. None tells of a file that is cut short, and where they put
streams together, the borders of segments are lost, which are what programs see.
"""

from __future__ import annotations

from skverdict.runtime.capture.connections import Capture, Connection, Endpoint, Event, Note
from skverdict.runtime.capture.errors import CaptureError
from skverdict.runtime.capture.mapped import CaptureFile
from skverdict.runtime.capture.reader import parse_capture, read_capture

__all__ = [
    "Capture",
    "CaptureError",
    "CaptureFile",
    "Connection",
    "Endpoint",
    "Event",
    "Note",
    "parse_capture",
    "read_capture",
]
