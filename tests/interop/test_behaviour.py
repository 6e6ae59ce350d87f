"""Each example and its C twin behave alike: the simulator runs both objects on the same steps.

Compared are what every step gave (counts, bytes, errors), what every program run saw and returned, what is
left to read at every socket, and what the maps hold.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample
from skverdict.codegen import read_object

from tests.interop.conftest import Build
from tests.interop.scripts import SCRIPTS, machines
from tests.interop.stage import Step, play
from tests.interop.twins import CPUS, SOURCES, TWINS, Twin, compile_c

QUICK = settings(max_examples=20, deadline=None, derandomize=True, database=None)
SEARCH = settings(QUICK, max_examples=300, phases=[Phase.generate])


def test_every_twin_has_steps() -> None:
    assert SCRIPTS.keys() == {twin.name for twin in TWINS}


@pytest.mark.parametrize("target", [*((cpu, "little") for cpu in CPUS), ("v3", "big")], ids="-".join)
@pytest.mark.parametrize("twin", TWINS, ids=str)
def test_twins_behave_alike(
    twin: Twin, target: tuple[str, str], clang: str, built: Build, compiled: Build
) -> None:
    ours = read_object(built(twin, *target).read_bytes(), "skverdict")
    theirs = read_object(compiled(clang, twin, *target).read_bytes(), "clang")

    @QUICK
    @given(machines(target[0]), SCRIPTS[twin.name]())
    def alike(how: dict[str, Any], steps: list[Step]) -> None:
        assert play(ours, how, steps) == play(theirs, how, steps)

    alike()


# A twin, what its C source says, and a mistake to put in its place.
MISTAKES = [
    ("port_redirect", "lport == 10000", "lport == 10001"),
    ("port_redirect", "lport == 10000", "skb->remote_port == 10000"),
    ("port_redirect", "idx = 0", "idx = 1"),
    ("port_redirect", "return skb->len", "return skb->len - 1"),
    ("port_redirect", "return SK_DROP", "return SK_PASS"),
    ("hash_redirect", "skb->remote_port >> 16", "skb->remote_port"),
    ("hash_redirect", "bpf_htonl(skb->local_port) >> 16", "skb->local_port"),
    ("hash_redirect", "src_ip = skb->remote_ip4", "src_ip = skb->local_ip4"),
    ("hash_redirect", "&key, 0)", "&key, BPF_F_INGRESS)"),
    ("loopback_proxy", "skb->len == 0", "skb->len == 1"),
    ("loopback_proxy", "cookie, 0)", "cookie, BPF_F_INGRESS)"),
    ("loopback_proxy", "bpf_get_socket_cookie(skb)", "1"),
    ("local_bypass", "skops->op == BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB", "0"),
    ("local_bypass", "skops->family == AF_INET", "1"),
    ("local_bypass", "msg->family != AF_INET", "0"),
    ("local_bypass", "BPF_F_INGRESS", "0"),
    ("local_bypass", "bpf_ntohl(msg->remote_port)", "msg->remote_port"),
    ("local_bypass", "return 1", "return 0"),
    ("datagram_filter", "skb->len == 0", "skb->len == 1"),
    ("datagram_filter", "*count += 1", "*count += 2"),
    ("datagram_filter", "data + 4 <= data_end", "data + 5 <= data_end"),
    ("datagram_filter", "skb->len < 4 ? skb->len : 4", "1"),
    ("message_policy", "MAX_RECORDS 8", "MAX_RECORDS 7"),
    ("message_policy", "MAX_BODY 4096", "MAX_BODY 4095"),
    ("message_policy", "msg->size + 1", "msg->size"),
    ("message_policy", "bpf_msg_pull_data(msg, 0, msg->size, 0)", "0"),
    ("message_policy", "bpf_msg_apply_bytes(msg, 0)", "(void)0"),
    ("message_policy", "bpf_msg_apply_bytes(msg, 8 + length)", "bpf_msg_apply_bytes(msg, 9 + length)"),
    ("message_policy", "count(kind)", "count(kind ^ 3)"),
    ("message_policy", "offset == msg->size", "offset >= msg->size"),
]


@pytest.mark.parametrize(("name", "right", "wrong"), MISTAKES)
def test_the_steps_tell_a_mistake(
    name: str, right: str, wrong: str, clang_19: str, built: Build, tmp_path: Path
) -> None:
    twin = Twin(name)
    source = twin.source.read_text(encoding="utf-8")
    assert right in source
    mistaken = tmp_path / twin.source.name
    mistaken.write_text(source.replace(right, wrong), encoding="utf-8")
    shutil.copy(SOURCES / "skverdict_test.h", tmp_path)
    ours = read_object(built(twin).read_bytes())
    theirs = read_object(compile_c(clang_19, mistaken, tmp_path / "mistaken.o").read_bytes())

    def differs(case: tuple[dict[str, Any], list[Step]]) -> bool:
        return play(ours, *case) != play(theirs, *case)

    try:
        find(st.tuples(machines(), SCRIPTS[name]()), differs, settings=SEARCH)
    except NoSuchExample:
        pytest.fail(f"no steps tell {wrong!r} from {right!r}")
