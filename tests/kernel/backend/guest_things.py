"""Maps of a real kernel that hold programs and maps."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from skverdict.runtime.kernel.kernel import Kernel
from skverdict.runtime.maps.typed import ValueMismatch

from tests.kernel.backend.kit import ROOT, nothing_left

HOLDING = ROOT / "tests/kernel/backend/holding.o"


@contextmanager
def holding() -> Iterator[tuple[Kernel, Any, Any]]:
    with Kernel(HOLDING) as kernel:
        client, server = kernel.tcp_pair()
        kernel.attach("watched", verdict="choosing")
        kernel.maps["watched"][0] = server
        yield kernel, client, server


def test_a_program_is_put_in_by_its_name() -> None:
    with nothing_left(), holding() as (kernel, client, server):
        client.send(b"passes")
        assert server.recv_all() == b"passes"
        kernel.maps["steps"][0] = "dropping"
        assert kernel.maps["steps"][0] == kernel.programs["dropping"].info.id
        client.send(b"is dropped")
        assert server.recv_all() == b""
        kernel.maps["steps"][0] = kernel.programs["dropping"]
        del kernel.maps["steps"][0]
        client.send(b"passes again")
        assert server.recv_all() == b"passes again"
        with pytest.raises(ValueMismatch, match="is no program; there are"):
            kernel.maps["steps"][0] = "nothing"


def test_maps_are_exchanged_in_a_map_of_maps() -> None:
    with nothing_left(), holding() as (kernel, client, _):
        client.send(b"one")
        assert kernel.maps["first_counts"][0] == 1
        assert kernel.maps["tables"].map(0)[0] == 1
        assert kernel.maps["tables"].map(1) is None
        other = kernel.maps["tables"].create()
        kernel.maps["tables"][0] = other
        client.send(b"two")
        client.send(b"three")
        assert (kernel.maps["first_counts"][0], other[0]) == (1, 2)
        kernel.maps["tables"][1] = kernel.maps["first_counts"]
        assert kernel.maps["tables"].map(1)[0] == 1
        with pytest.raises(ValueMismatch, match="is no map"):
            kernel.maps["tables"][1] = 3
        with pytest.raises(OSError, match="EINVAL"):
            kernel.maps["tables"][1] = kernel.maps["tables"]
