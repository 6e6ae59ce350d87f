"""What the compiler warns of is shown once by every command that compiles, and issued by the library."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
from skverdict.codegen import build
from skverdict.dsl import PolicyError, PolicyWarning, load_policy
from skverdict.runtime import Simulator
from skverdict.runtime.cli import main
from skverdict.runtime.cli.attach import load_source
from skverdict.runtime.kernel.source import read_source

from tests.runtime.replay_kit import CAPTURES

# The front end warns of the result that nobody looks at, and the verifier's model of the loop.
POLICY = """
from skverdict.dsl import *

sockets = SockMap(max_entries=1)
limit = Const(u32, 20000)

@stream_verdict
def verdict(skb: SkSkb) -> i32:
    skb.pull_data(1)
    for i in range(min(limit.value, 20000)):
        byte = skb.data[i]
        if byte is None:
            break
        if byte == 10:
            return SK_DROP
    return SK_PASS
"""
IGNORED = "the result of `bpf_skb_pull_data` is ignored"
LOOP = "for i in range(min(limit.value, 20000)):"


@pytest.fixture
def policy(tmp_path: Path) -> str:
    path = tmp_path / "policy.py"
    path.write_text(POLICY)
    return str(path)


@pytest.mark.parametrize(
    "arguments",
    [
        ("build", "{}", "-o", "{}.o"),
        ("check", "{}"),
        ("run", "{}", "--capture", str(CAPTURES / "http1-nginx.pcap")),
        ("graph", "{}"),
    ],
)
def test_a_command_that_compiles_shows_each_warning_once(
    arguments: tuple[str, ...], policy: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([argument.format(policy) for argument in arguments]) == 0
    shown = capsys.readouterr().err
    assert (shown.count(IGNORED), shown.count(LOOP), shown.count("warning: ")) == (1, 1, 2)


def test_attach_shows_each_warning_once(policy: str, capsys: pytest.CaptureFixture[str]) -> None:
    load_source(policy)
    shown = capsys.readouterr().err
    assert (shown.count(IGNORED), shown.count(LOOP), shown.count("warning: ")) == (1, 1, 2)


@pytest.mark.parametrize("take", [build, Simulator, read_source])
def test_the_library_issues_them(take: Callable[[object], object], policy: str) -> None:
    with pytest.warns(PolicyWarning, match=IGNORED) as issued:
        loaded = load_policy(policy)
    assert [(Path(one.filename).name, one.lineno) for one in issued] == [("policy.py", 9)]
    with pytest.warns(PolicyWarning) as issued:
        take(loaded)
    assert [one.lineno for one in issued] == [10]
    assert LOOP in str(issued[0].message)


def test_a_filter_makes_errors_of_them(policy: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", PolicyWarning)
        with pytest.raises(PolicyWarning, match=IGNORED):
            load_policy(policy)


def test_run_takes_a_policy_for_the_kernel_whose_rules_hold(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "policy.py"
    path.write_text(POLICY.replace("    skb.pull_data(1)\n", "").replace("20000", "9") + NEWER)
    capture = str(CAPTURES / "http1-nginx.pcap")
    with pytest.raises(PolicyError):
        load_policy(path, "6.1")
    assert main(["run", str(path), "--capture", capture, "--kernel", "6.1"]) == 2
    assert "Linux 6.1" in capsys.readouterr().err


NEWER = """
from skverdict.dsl.helpers import bpf_get_current_pid_tgid

@skb_verdict
def other(skb: SkSkb) -> i32:
    return SK_PASS if bpf_get_current_pid_tgid() else SK_DROP
"""
