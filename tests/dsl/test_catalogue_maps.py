"""The rules of map kinds."""

from __future__ import annotations

import pytest
from skverdict.dsl.catalogue.constants import CONSTANTS
from skverdict.dsl.catalogue.maps import MAPS, MapKind

# `enum bpf_map_type` of the kernel.
NUMBERS = {
    "hash": 1, "array": 2, "prog_array": 3, "perf_event_array": 4, "percpu_hash": 5, "percpu_array": 6,
    "lru_hash": 9, "lru_percpu_hash": 10, "lpm_trie": 11, "array_of_maps": 12, "hash_of_maps": 13,
    "sockmap": 15, "sockhash": 18, "queue": 22, "stack": 23, "sk_storage": 24, "ringbuf": 27,
    "bloom_filter": 30,
}  # fmt: skip


def test_kinds_have_the_kernels_numbers() -> None:
    assert {kind.kind: kind.map_type for kind in MAPS.values()} == NUMBERS


def test_class_names_are_unique() -> None:
    assert len({kind.class_name for kind in MAPS.values()}) == len(MAPS)


@pytest.mark.parametrize("kind", MAPS.values(), ids=lambda kind: kind.kind)
def test_required_flags_are_allowed(kind: MapKind) -> None:
    assert kind.required & ~kind.flags == 0


@pytest.mark.parametrize("kind", ["sockmap", "sockhash"])
def test_socket_maps_take_values_of_4_or_8_bytes_only(kind: str) -> None:
    assert [size for size in range(64) if size in MAPS[kind].value_sizes] == [4, 8]
    assert not MAPS[kind].flags & CONSTANTS["BPF_F_NO_PREALLOC"]


def test_socket_map_keys() -> None:
    assert [size for size in range(64) if size in MAPS["sockmap"].key_sizes] == [4]
    sizes = MAPS["sockhash"].key_sizes
    assert (0 in sizes, 1 in sizes, 512 in sizes, 513 in sizes) == (False, True, True, False)


def test_maps_without_keys_or_values() -> None:
    assert {kind.kind for kind in MAPS.values() if not kind.has_key} == {
        "queue", "stack", "bloom_filter", "ringbuf"
    }  # fmt: skip
    assert {kind.kind for kind in MAPS.values() if not kind.has_value} == {"ringbuf"}


def test_lpm_keys_are_a_prefix_length_and_up_to_256_bytes() -> None:
    sizes = MAPS["lpm_trie"].key_sizes
    assert (4 in sizes, 5 in sizes, 260 in sizes, 261 in sizes) == (False, True, True, False)


def test_constants_agree_with_python_and_each_other() -> None:
    import socket

    for name in ("AF_INET", "AF_INET6", "AF_UNIX", "IPPROTO_TCP", "SOL_SOCKET", "SO_RCVBUF", "TCP_NODELAY"):
        assert CONSTANTS[name] == getattr(socket, name)
    assert (CONSTANTS["SK_DROP"], CONSTANTS["SK_PASS"], CONSTANTS["BPF_F_INGRESS"]) == (0, 1, 1)
    assert CONSTANTS["BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB"] == 4
    assert CONSTANTS["BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB"] == 5
    assert CONSTANTS["BPF_TCP_ESTABLISHED"] == 1
    assert CONSTANTS["BPF_TCP_LISTEN"] == 10
    flags = [value for name, value in CONSTANTS.items() if name.endswith("_CB_FLAG")]
    assert sum(flags) == CONSTANTS["BPF_SOCK_OPS_ALL_CB_FLAGS"]
