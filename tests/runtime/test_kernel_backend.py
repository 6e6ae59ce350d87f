"""The kernel backend on a stand-in for the kernel: what it asks for, and what it leaves behind."""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path

import pytest
from skverdict.codegen import read_object
from skverdict.dsl import load_policy
from skverdict.runtime.kernel.errors import KernelUnavailable, KernelUseError
from skverdict.runtime.kernel.kernel import Kernel
from skverdict.runtime.kernel.libbpf import REFUSAL_VARIABLE, load_library
from skverdict.runtime.kernel.verifier import VerifierError
from skverdict.runtime.maps.typed import ValueMismatch

from tests.runtime.kernel_kit import LAB, StandIn, lab

EXAMPLE = Path(__file__).parents[2] / "examples" / "port_redirect.py"

# Descriptors of the stand-in.
RUNS, TARGETS, WATCHED = 111, 112, 113
PARSER, SKB_VERDICT, VERDICT = 151, 152, 153
STREAM_PARSER, STREAM_VERDICT, BPF_SK_SKB_VERDICT = 4, 5, 38


def is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def test_this_suite_may_not_ask_the_kernel() -> None:
    assert os.environ[REFUSAL_VARIABLE]
    with pytest.raises(KernelUnavailable, match=REFUSAL_VARIABLE):
        load_library()
    with pytest.raises(KernelUnavailable, match=REFUSAL_VARIABLE):
        Kernel(LAB)


def test_a_missing_libbpf_is_told_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(REFUSAL_VARIABLE)
    with pytest.raises(KernelUnavailable, match="apt-get install libbpf1"):
        load_library("no-such-library.so")


def test_a_library_that_is_no_libbpf(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(REFUSAL_VARIABLE)
    with pytest.raises(KernelUnavailable, match="no whole libbpf"):
        load_library("libc.so.6")


def test_kinds_are_set_whatever_libbpf_makes_of_the_sections() -> None:
    bpf = StandIn()
    with lab(bpf):
        assert bpf.kinds == {
            "parser": (14, 4),
            "verdict": (14, 5),
            "skb_verdict": (14, 38),
            "msg_verdict": (16, 7),
        }


def test_a_policy_is_built_and_loaded() -> None:
    bpf = StandIn()
    with Kernel(load_policy(EXAMPLE), bpf=bpf) as kernel:
        assert set(kernel.programs) == {"parser", "verdict"}
    assert not bpf.open_handles


@pytest.mark.parametrize("source", [read_object(LAB.read_bytes()), EXAMPLE])
def test_what_cannot_be_loaded_is_told(source: object) -> None:
    with pytest.raises(KernelUseError, match="give"):
        Kernel(source, bpf=StandIn())  # type: ignore[arg-type]


def test_values_are_typed() -> None:
    with lab(StandIn()) as kernel:
        kernel.maps["config"][3] = 7

        assert kernel.maps["config"][3] == 7
        assert dict(kernel.maps["config"].items()) == {3: 7}
        assert kernel.maps["config"].get(4) is None
        with pytest.raises(ValueMismatch):
            kernel.maps["config"][3] = -1


def test_a_queue_has_no_keys() -> None:
    bpf = StandIn()
    with lab(bpf) as kernel:
        run = {"program": 1, "length": 2, "linear": 0, "result": -1, "head": b"ab", "helper": 0}
        kernel.maps["runs"].push(run)

        assert bpf.entries[RUNS].keys() == {None}
        assert kernel.maps["runs"].pop() == {**run, "head": b"ab".ljust(12, b"\0")}
        assert kernel.maps["runs"].pop() is None


def test_sockets_go_in_by_their_descriptor() -> None:
    bpf = StandIn()
    ours, theirs = socket.socketpair()
    with lab(bpf) as kernel, ours, theirs:
        kernel.maps["watched"][2] = ours

        assert bpf.entries[WATCHED] == {b"\2\0\0\0": ours.fileno().to_bytes(8, "little")}
        with pytest.raises(ValueMismatch, match="no socket"):
            kernel.maps["watched"][2] = "socket"
        ours.close()
        with pytest.raises(OSError, match="closed") as caught:
            kernel.maps["watched"][2] = ours
        assert caught.value.errno == errno.EBADF


def test_the_kernels_refusal_keeps_its_number() -> None:
    bpf = StandIn()
    bpf.refusals["update"] = errno.EOPNOTSUPP
    with lab(bpf) as kernel, socket.socket() as never_connected:
        with pytest.raises(OSError, match=r"map watched: .*\(EOPNOTSUPP\)") as caught:
            kernel.maps["watched"][0] = never_connected
        assert caught.value.errno == errno.EOPNOTSUPP


def test_names_that_are_not_there() -> None:
    with lab(StandIn()) as kernel:
        with pytest.raises(KernelUseError, match="no map 'other'; there are config, runs, "):
            kernel.maps["other"]
        with pytest.raises(KernelUseError, match="no program 'other'; "):
            kernel.attach("watched", verdict="other")
        with pytest.raises(KernelUseError, match="no program is named"):
            kernel.attach("watched")
    with pytest.raises(KernelUseError, match="no map 'other'"):
        lab(StandIn(), max_entries={"other": 3})


def test_each_program_goes_to_its_place() -> None:
    bpf = StandIn()
    with lab(bpf) as kernel:
        kernel.attach("watched", verdict="verdict", parser="parser")
        kernel.attach("targets", verdict="skb_verdict")

        assert bpf.attached_programs == {
            (WATCHED, STREAM_PARSER): PARSER,
            (WATCHED, STREAM_VERDICT): VERDICT,
            (TARGETS, BPF_SK_SKB_VERDICT): SKB_VERDICT,
        }


def test_a_kernel_without_the_stream_parser_says_so() -> None:
    bpf = StandIn()
    bpf.refusals["attach"] = errno.EOPNOTSUPP
    with lab(bpf) as kernel, pytest.raises(OSError, match="built without CONFIG_BPF_STREAM_PARSER") as caught:
        kernel.attach("watched", parser="parser", verdict="verdict")
    assert caught.value.errno == errno.EOPNOTSUPP


def test_leaving_detaches_and_closes() -> None:
    bpf = StandIn()
    with lab(bpf) as kernel:
        kernel.attach("watched", parser="parser", verdict="verdict")
        client, server = kernel.tcp_pair()
    assert not bpf.attached_programs
    assert not bpf.open_handles
    assert client.fileno() == server.fileno() == -1
    kernel.close()


def test_an_error_inside_leaves_nothing_behind() -> None:
    bpf = StandIn()
    with pytest.raises(RuntimeError), lab(bpf) as kernel:
        kernel.attach("watched", verdict="verdict")
        raise RuntimeError
    assert not bpf.attached_programs
    assert not bpf.open_handles


def test_a_program_that_another_process_replaced_is_left_alone() -> None:
    bpf = StandIn()
    with lab(bpf) as kernel:
        kernel.attach("watched", verdict="verdict")
        bpf.attached_programs[WATCHED, STREAM_VERDICT] = 999
    assert bpf.attached_programs == {(WATCHED, STREAM_VERDICT): 999}
    assert not bpf.open_handles


def test_the_object_is_closed_even_if_detaching_fails() -> None:
    bpf = StandIn()
    kernel = lab(bpf)
    kernel.attach("watched", verdict="verdict")
    bpf.refusals["detach"] = errno.EPERM
    with pytest.raises(PermissionError):
        kernel.close()
    assert not bpf.open_handles


def test_a_shared_map_gets_links_that_end_with_the_process() -> None:
    bpf = StandIn()
    with lab(bpf, pins={"watched": "/sys/fs/bpf/watched"}) as kernel:
        kernel.attach("watched", verdict="verdict")
        kernel.attach("watched", stream_verdict="skb_verdict")
        ((link, linked),) = bpf.linked.items()

        assert linked == (SKB_VERDICT, WATCHED)
        assert not bpf.attached_programs
        with pytest.raises(OSError, match="ENOENT"):
            kernel.detach("watched", verdict="verdict")
    assert not is_open(link)
    assert "pin /sys/fs/bpf/watched" in bpf.calls


def test_without_links_for_maps_the_older_attach_does() -> None:
    bpf = StandIn(links=False)
    with lab(bpf, pins={"watched": "/sys/fs/bpf/watched"}) as kernel:
        kernel.attach("watched", verdict="verdict")
        assert bpf.attached_programs == {(WATCHED, STREAM_VERDICT): VERDICT}
    assert not bpf.attached_programs


def test_a_link_goes_from_program_to_program() -> None:
    bpf = StandIn()
    with lab(bpf) as kernel:
        with kernel.link("watched", verdict="verdict") as link:
            assert list(bpf.linked.values()) == [(VERDICT, WATCHED)]
            with pytest.raises(OSError, match=r"parser by the link at map watched: .*EPERM"):
                link.update("parser", old="parser")
            link.update("parser", old="verdict")
            link.update("verdict")
            link.detach()
            descriptor = link.descriptor
            assert bpf.linked[descriptor] == (VERDICT, WATCHED)
            assert is_open(descriptor)
        assert not is_open(descriptor)
        with pytest.raises(OSError, match="EBADF"):
            link.update("verdict")
        with pytest.raises(OSError, match="EBADF"):
            link.detach()
    assert not bpf.open_handles


def test_leaving_closes_links() -> None:
    with lab(StandIn()) as kernel:
        descriptor = kernel.link("watched", verdict="verdict").descriptor
        assert is_open(descriptor)
    assert not is_open(descriptor)


def test_what_is_no_link() -> None:
    with lab(StandIn(links=False)) as kernel:
        with pytest.raises(OSError, match=r"a link of verdict on map watched: .*EINVAL"):
            kernel.link("watched", verdict="verdict")
        with pytest.raises(KernelUseError, match="a link holds one program"):
            kernel.link("watched", parser="parser", verdict="verdict")


def test_a_program_that_somebody_linked_is_left_alone() -> None:
    bpf = StandIn()
    with lab(bpf) as kernel:
        kernel.attach("watched", verdict="verdict")
        bpf.refusals["detach"] = errno.EBUSY
    assert bpf.attached_programs == {(WATCHED, STREAM_VERDICT): VERDICT}
    assert not bpf.open_handles


def test_programs_that_are_kept_stay() -> None:
    bpf = StandIn()
    with lab(bpf, pins={"watched": "/sys/fs/bpf/watched"}, keep=True) as kernel:
        kernel.attach("watched", verdict="verdict")
    assert bpf.attached_programs == {(WATCHED, STREAM_VERDICT): VERDICT}
    assert not bpf.open_handles


def test_missing_privilege_says_what_is_needed() -> None:
    bpf = StandIn()
    bpf.refusals["load"] = errno.EPERM
    bpf.said = ["libbpf: Error in bpf_object__probe_loading():Operation not permitted(1)."]
    with pytest.raises(KernelUnavailable, match=r"CAP_BPF and CAP_NET_ADMIN.*skverdict doctor"):
        lab(bpf)
    assert not bpf.open_handles


def test_the_verifiers_refusal_is_no_lack_of_privilege() -> None:
    bpf = StandIn()
    bpf.refusals["load"] = errno.EACCES
    bpf.said = ["libbpf: prog 'verdict': BPF program load failed: Permission denied\n"]
    bpf.log = b"0: (95) exit\nR0 !read_ok\n"
    with pytest.raises(VerifierError, match="R0 !read_ok") as caught:
        lab(bpf)
    assert caught.value.program == "verdict"
    assert not bpf.open_handles


def test_other_refusals_carry_what_libbpf_said() -> None:
    bpf = StandIn()
    bpf.refusals["load"] = errno.EINVAL
    bpf.said = ["libbpf: map 'watched': failed to create: Invalid argument(-22)\n"]
    with pytest.raises(OSError, match="map 'watched': failed to create") as caught:
        lab(bpf)
    assert caught.value.errno == errno.EINVAL


def test_what_the_kernel_tells_of_a_program() -> None:
    with lab(StandIn()) as kernel:
        info = kernel.programs["verdict"].info
        assert (info.runs, info.run_time, info.verified) == (3, 1500, 9)
