"""Where programs are attached."""

from __future__ import annotations

from typing import NamedTuple


class Place(NamedTuple):
    """Where a program is: the descriptor of a map or cgroup, and the kernel's number for the kind of place.

    A place of a map holds one program; of a cgroup many, so there `program` tells them apart.
    """

    target: int
    attach_type: int
    program: int | None = None
