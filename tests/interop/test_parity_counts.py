"""Over the whole corpus skverdict's programs are shorter than clang's, and none is longer."""

from __future__ import annotations

import re

import pytest
from skverdict.dsl import load_policy
from skverdict.dsl.catalogue.maps import MAPS
from skverdict.dsl.catalogue.programs import PROGRAMS
from skverdict.dsl.ir.module import Module

from bench.code_size import LIMIT, Count, counts_of, failures, total
from tests.interop.conftest import path_of
from tests.interop.toolchain import CLANG_19, CLANG_22
from tests.interop.twins import CORPUS, CPUS, REPOSITORY, TWINS


@pytest.fixture(scope="module")
def counts(tmp_path_factory: pytest.TempPathFactory) -> list[Count]:
    clangs = [path_of(CLANG_19), path_of(CLANG_22)]
    folder = tmp_path_factory.mktemp("clang")
    return [count for twin in (*TWINS, *CORPUS) for count in counts_of(twin, clangs, folder)]


# What the helpers are for that programs of these kinds may call, with the names that stand for it.
FAMILIES = {
    "maps": ("bpf_map_lookup_elem", "bpf_map_update_elem", "bpf_map_delete_elem"),
    "queues": ("bpf_map_push_elem", "bpf_map_pop_elem", "bpf_map_peek_elem"),
    "walks": ("bpf_for_each_map_elem",),
    "redirects": ("bpf_sk_redirect_map", "bpf_sk_redirect_hash", "bpf_msg_redirect_map", "bpf_msg_redirect_hash"),
    "socket updates": ("bpf_sock_map_update", "bpf_sock_hash_update"),
    "packets": ("bpf_skb_load_bytes", "bpf_skb_store_bytes", "bpf_skb_pull_data"),
    "packet sizes": ("bpf_skb_change_tail", "bpf_skb_adjust_room"),
    "messages": ("bpf_msg_apply_bytes", "bpf_msg_cork_bytes", "bpf_msg_pull_data"),
    "message sizes": ("bpf_msg_push_data", "bpf_msg_pop_data"),
    "sockets": ("bpf_sk_lookup_tcp", "bpf_sk_release", "bpf_get_socket_cookie", "bpf_get_netns_cookie"),
    "storage": ("bpf_sk_storage_get", "bpf_sk_storage_delete"),
    "callbacks": ("bpf_sock_ops_cb_flags_set", "bpf_setsockopt"),
    "TCP options": ("bpf_load_hdr_opt", "bpf_store_hdr_opt", "bpf_reserve_hdr_opt"),
    "ring buffers": ("bpf_ringbuf_reserve", "bpf_ringbuf_submit", "bpf_ringbuf_discard"),
    "perf events": ("bpf_perf_event_output",),
    "tail calls": ("bpf_tail_call",),
    "locks": ("bpf_spin_lock", "bpf_spin_unlock"),
    "timers": ("bpf_timer_init", "bpf_timer_set_callback", "bpf_timer_start"),
    "strings": ("bpf_strncmp",),
    "time": ("bpf_ktime_get_ns",),
    "random numbers": ("bpf_get_prandom_u32",),
    "tasks": ("bpf_get_current_uid_gid", "bpf_get_current_pid_tgid"),
    "printing": ("bpf_trace_printk",),
}


@pytest.fixture(scope="module")
def modules() -> list[Module]:
    return [load_policy(twin.policy).module for twin in CORPUS]


def test_the_corpus_is_large_enough() -> None:
    assert len(CORPUS) >= 40
    assert all(twin.source.is_file() for twin in CORPUS)


def test_the_corpus_has_every_kind_of_program_and_map(modules: list[Module]) -> None:
    functions = {function.kind for module in modules for function in module.functions}
    maps = {map_.kind for module in modules for map_ in module.maps}
    assert functions >= PROGRAMS.keys()
    assert maps == MAPS.keys()


@pytest.mark.parametrize("family", FAMILIES)
def test_the_corpus_calls_every_family_of_helpers(family: str, modules: list[Module]) -> None:
    blocks = (block for module in modules for function in module.functions for block in function.blocks)
    called = {each.attributes.get("helper") for block in blocks for each in block.operations}
    assert called.issuperset(FAMILIES[family])


def test_what_the_kernel_s_selftests_exercise_is_there() -> None:
    """The policies that docs/porting-from-c.md names beside each of them."""
    page = (REPOSITORY / "docs" / "porting-from-c.md").read_text(encoding="utf-8")
    rows = [line for line in page.partition("## What the kernel's own tests do")[2].splitlines() if "`" in line]
    named = {name for line in rows if line.startswith("|") for name in re.findall(r"`(\w+/\w+)`", line)}
    folder = REPOSITORY / "tests" / "corpus"
    assert len(named) > 20
    assert [name for name in sorted(named) if not list(folder.glob(f"{name}.*"))] == []


@pytest.mark.parametrize("cpu", CPUS)
def test_no_program_is_longer_than_the_better_clang_s(cpu: str, counts: list[Count]) -> None:
    longer = [count for count in counts if count.cpu == cpu and count.ours > count.best]
    assert longer == []


@pytest.mark.parametrize("cpu", CPUS)
def test_the_total_is_shorter(cpu: str, counts: list[Count]) -> None:
    assert total(counts, cpu).ratio <= LIMIT


def test_what_is_too_long_is_told() -> None:
    good, bad = Count("a", "p", "v1", 9, (10, 11)), Count("a", "q", "v1", 12, (11, 13))
    others = [Count("a", "p", cpu, 9, (10, 11)) for cpu in CPUS[1:]]
    assert failures([good, *others]) == []
    told = failures([good, bad, *others])
    assert told == ["a q at v1: 12 slots, clang 11", "total at v1: 1.000 of the better clang's, at most 0.95"]
