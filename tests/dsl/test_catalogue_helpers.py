"""The helper table against what verifiers accept."""

from __future__ import annotations

import pytest
from skverdict.dsl.catalogue.helpers import HELPERS, MAP_CALLERS, Argument, Helper
from skverdict.dsl.catalogue.maps import MAPS
from skverdict.dsl.catalogue.programs import KERNELS, PROGRAMS

from tests.dsl.measured import rows

# Map kinds of the kernel that a policy for sockets has no use for, so that it cannot declare them.
UNDECLARED = {
    "cgroup_array", "cgroup_storage", "percpu_cgroup_storage", "user_ringbuf", "task_storage", "cgrp_storage",
}  # fmt: skip


@pytest.mark.parametrize("kernel", KERNELS)
def test_who_may_call_what_is_as_measured(kernel: str) -> None:
    measured = {
        (int(row["id"]), row["name"], kind) for row, kind, on in rows("helpers.csv") if on == kernel
    }
    declared = {
        (helper.number, helper.name, kind)
        for helper in HELPERS.values()
        for kind in PROGRAMS
        if helper.may_call(kind, kernel)
    }
    assert declared == measured


def test_unknown_kernel_is_an_error() -> None:
    with pytest.raises(ValueError):
        HELPERS["bpf_loop"].may_call("stream_verdict", "9.9")


def test_since_is_the_first_kernel_that_lets_anyone_call() -> None:
    first: dict[str, str] = {}
    for row, _, kernel in rows("helpers.csv"):
        name = row["name"]
        first[name] = min(first.get(name, kernel), kernel, key=KERNELS.index)
    assert {helper.name: helper.since for helper in HELPERS.values()} == first


@pytest.mark.parametrize("helper", HELPERS.values(), ids=lambda helper: helper.name)
def test_signatures_are_sound(helper: Helper) -> None:
    arguments = helper.arguments
    assert len(arguments) <= 5
    assert len({argument.name for argument in arguments}) == len(arguments)
    kinds = [argument.kind for argument in arguments]
    for before, kind in zip(["", *kinds], kinds, strict=False):
        assert (kind == "size") == (before in ("memory", "buffer")), "bytes come with their size"
    if "key" in kinds or "value" in kinds or helper.returns.startswith("map_value"):
        assert kinds.count("map") == 1
    assert ("map" in kinds) == bool(helper.maps)
    assert set(helper.maps) <= set(MAPS) | UNDECLARED
    if helper.releases:
        released = {argument.name: argument.kind for argument in arguments}[helper.releases]
        assert released in ("socket", "record", "dynptr", "object")


def test_arguments_say_width_sign_and_null() -> None:
    def arguments(name: str) -> dict[str, Argument]:
        return {argument.name: argument for argument in HELPERS[name].arguments}

    redirect = arguments("bpf_sk_redirect_map")
    assert [argument.kind for argument in redirect.values()] == ["context", "map", "scalar", "scalar"]
    assert redirect["key"] == Argument("key", "scalar", 32)
    assert redirect["flags"] == Argument("flags", "scalar", 64)
    assert arguments("bpf_skb_adjust_room")["len_diff"] == Argument("len_diff", "scalar", 32, signed=True)
    assert arguments("bpf_sk_storage_get")["value"].nullable
    assert arguments("bpf_setsockopt")["optlen"] == Argument("optlen", "size", 32, signed=True)
    assert arguments("bpf_ringbuf_output")["size"] == Argument("size", "size", 64, nullable=True)
    assert arguments("bpf_task_storage_get")["task"].target == "task_struct"
    assert arguments("bpf_strtol")["res"] == Argument("res", "number", 64, signed=True)


@pytest.mark.parametrize(
    "name",
    [
        "bpf_skb_store_bytes", "bpf_skb_change_tail", "bpf_skb_pull_data", "bpf_skb_change_head",
        "bpf_skb_adjust_room", "bpf_msg_pull_data", "bpf_msg_push_data", "bpf_msg_pop_data",
        "bpf_store_hdr_opt", "bpf_tail_call",
    ],
)  # fmt: skip
def test_helpers_that_move_the_buffer_say_so(name: str) -> None:
    assert HELPERS[name].moves_buffer


def test_no_other_helper_moves_the_buffer() -> None:
    assert sum(helper.moves_buffer for helper in HELPERS.values()) == 10


def test_gpl_only_helpers() -> None:
    assert HELPERS["bpf_trace_printk"].gpl_only
    assert HELPERS["bpf_perf_event_output"].gpl_only
    assert not HELPERS["bpf_ktime_get_ns"].gpl_only
    assert not HELPERS["bpf_sk_redirect_hash"].gpl_only


def test_what_is_acquired_can_be_released() -> None:
    for helper in HELPERS.values():
        if helper.acquires and helper.returns in ("socket", "record"):
            releasing = [
                other
                for other in HELPERS.values()
                for argument in other.arguments
                if argument.name == other.releases and argument.kind == helper.returns
            ]
            for kind in helper.programs:
                assert any(other.may_call(kind) for other in releasing)


def test_socket_maps_narrow_who_may_look_up_and_delete() -> None:
    for kind in ("sockmap", "sockhash"):
        assert "sock_ops" not in MAP_CALLERS["bpf_map_lookup_elem", kind]
        assert MAP_CALLERS["bpf_map_delete_elem", kind] == ("sock_ops",)
        assert kind not in HELPERS["bpf_map_update_elem"].maps
    for name, kind in MAP_CALLERS:
        assert kind in HELPERS[name].maps
        assert set(MAP_CALLERS[name, kind]) < set(HELPERS[name].programs)
