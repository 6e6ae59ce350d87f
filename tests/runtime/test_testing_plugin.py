"""The pytest plugin as the tests of a policy see it, in a pytest of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

# Projects of others do not turn them off, as this one does.
pytestmark = pytest.mark.filterwarnings("default::skverdict.dsl.PolicyWarning")

POLICY = """
from skverdict.dsl import SK_DROP, SK_PASS, SkSkb, SockMap, i32, stream_parser, stream_verdict

sockets = SockMap(max_entries=4)


@stream_parser
def parser(skb: SkSkb) -> i32:
    return skb.len


@stream_verdict
def verdict(skb: SkSkb) -> i32:
    if skb.local_port == 80:
        return sockets.redirect(skb, 0)
    if skb.len > 4:
        return SK_DROP
    return SK_PASS
"""

TEST = """
import pytest

def watch(simulator, server):
    upstream, backend = simulator.tcp_pair()
    simulator.maps["sockets"][0] = upstream
    simulator.attach("sockets", parser="parser", verdict="verdict")
    simulator.maps["sockets"][1] = server
    return upstream, backend
"""


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    """A folder with a policy."""
    Path("redirect.py").write_text(POLICY)
    return pytester


def run_tests(project: pytest.Pytester, text: str, *options: str) -> pytest.RunResult:
    Path("test_redirect.py").write_text(TEST + text)
    return project.runpytest_inprocess("-p", "no:cacheprovider", "--strict-markers", *options)


# Fixtures


def test_fixtures_find_the_policy_of_the_module(project: pytest.Pytester) -> None:
    text = """
@pytest.mark.tcp_pair(server_port=80)
@pytest.mark.simulator(kernel="6.1", mss=5)
def test_it(policy, simulator, tcp_pair):
    assert policy.path.endswith("redirect.py")
    client, server = tcp_pair
    assert server.local_port == 80
    assert simulator.kernel.settings.kernel == "6.1"
    upstream, backend = watch(simulator, server)
    client.send(b"0123456789")
    assert backend.recv_all() == b"0123456789"
    assert simulator.trace.verdicts()["verdict", "redirect"] == 2
"""
    run_tests(project, text).assert_outcomes(passed=1, warnings=1)


@pytest.mark.parametrize("folder", [".", "..", "../policies"])
def test_a_policy_may_lie_elsewhere(folder: str, project: pytest.Pytester) -> None:
    tests = Path("tests")
    tests.mkdir()
    target = tests / folder
    target.mkdir(exist_ok=True)
    Path("redirect.py").rename(target / "redirect.py")
    (tests / "test_redirect.py").write_text("def test_it(policy): assert policy.module.functions\n")
    project.runpytest_inprocess("tests").assert_outcomes(passed=1, warnings=1)


def test_a_policy_can_be_named(project: pytest.Pytester) -> None:
    Path("test_other.py").write_text(
        'import pytest\npytestmark = pytest.mark.policy("redirect.py")\n'
        "def test_it(policy): assert policy.module.maps\n"
    )
    project.runpytest_inprocess().assert_outcomes(passed=1, warnings=1)


def test_a_missing_policy_is_told_with_where_it_would_be(project: pytest.Pytester) -> None:
    Path("test_other.py").write_text("def test_it(policy): pass\n")
    result = project.runpytest_inprocess()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([
        "no policy for test_other.py; looked for other.py, ../other.py, ../policies/other.py, from its folder. *"
        "pytest.mark.policy*"
    ])  # fmt: skip
    result.stdout.no_fnmatch_line("*plugin.py*")
    result.stdout.no_fnmatch_line("*another exception*")


def test_an_error_of_the_policy_is_all_that_is_shown(project: pytest.Pytester) -> None:
    Path("redirect.py").write_text(POLICY.replace("skb.len > 4", "skb.length > 4"))
    result = run_tests(project, "\ndef test_it(simulator): pass\n")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([
        "*redirect.py:16:8: error: `SkSkb` has no `length`",
        " 16 |     if skb.length > 4:",
    ])  # fmt: skip
    result.stdout.no_fnmatch_line("*plugin.py*")
    result.stdout.no_fnmatch_line("*another exception*")


@pytest.mark.parametrize(
    ("marker", "fixture"), [("simulator(kernl=1)", "simulator"), ("tcp_pair(sever_port=1)", "tcp_pair")]
)
def test_a_marker_with_what_nobody_takes_is_told(marker: str, fixture: str, project: pytest.Pytester) -> None:
    result = run_tests(project, f"\n@pytest.mark.{marker}\ndef test_it({fixture}): pass\n")
    result.assert_outcomes(errors=1)
    name, _, rest = marker.partition("(")
    result.stdout.fnmatch_lines([f"@pytest.mark.{name}: got an unexpected keyword argument '{rest[:-3]}'"])
    result.stdout.no_fnmatch_line("*plugin.py*")
    result.stdout.no_fnmatch_line("*another exception*")


def test_warnings_of_the_compiler_are_shown(project: pytest.Pytester) -> None:
    result = run_tests(project, "def test_it(policy): pass\n")
    result.stdout.fnmatch_lines(["*PolicyWarning: *redirect.py:*warning: `verdict` may pass messages*"])


def test_warnings_of_what_the_verifier_may_not_follow_are_shown(project: pytest.Pytester) -> None:
    loop = "    for i in range(min(limit.value, 20000)):\n        byte = skb.data[i]\n        if byte is None:\n"
    loop += "            break\n        if byte == 10:\n            return SK_DROP\n"
    declared = POLICY.replace("\n\n\n@stream_verdict", "\n\n\nlimit = Const(u32, 9000)\n\n\n@stream_verdict")
    text = declared.replace("    if skb.len > 4:", f"{loop}    if skb.len > 4:")
    Path("redirect.py").write_text(f"from skverdict.dsl import Const, u32\n{text}")
    result = run_tests(project, "def test_it(policy): pass\n")
    result.stdout.fnmatch_lines(["*PolicyWarning: *redirect.py:*warning: kernels may refuse this loop*"])


@pytest.mark.parametrize(
    ("marker", "outcome", "shown"),
    [
        ('policy("redirect.py", kernel="6.12")', {"passed": 1}, "*1 passed*"),
        ('policy(kernel="6.1")', {"errors": 1}, "*redirect.py:*: error: Linux 6.1 does not let a * call*"),
        ('policy(kernel="5.4")', {"errors": 1}, "*5.4*"),
        ("policy(kernal=6)", {"errors": 1}, "@pytest.mark.policy: got an unexpected keyword argument 'kernal'"),
    ],
)
def test_the_policy_is_for_the_kernel_that_its_marker_names(
    marker: str, outcome: dict[str, int], shown: str, project: pytest.Pytester
) -> None:
    text = POLICY.replace("    if skb.len > 4:", "    if bpf_get_current_pid_tgid() == 0 or skb.len > 4:")
    Path("redirect.py").write_text(f"from skverdict.dsl.helpers import bpf_get_current_pid_tgid\n{text}")
    result = run_tests(project, f"\npytestmark = pytest.mark.{marker}\ndef test_it(policy): pass\n", "-W", "ignore")
    result.assert_outcomes(**outcome)
    result.stdout.fnmatch_lines([shown])
    result.stdout.no_fnmatch_line("*plugin.py*")


# Failures


def test_a_failure_shows_what_happened(project: pytest.Pytester) -> None:
    text = """
def test_it(simulator, tcp_pair):
    client, server = tcp_pair
    watch(simulator, server)
    client.send(b"too long")
    assert server.recv_all() == b"too long"
"""
    result = run_tests(project, text)
    result.assert_outcomes(failed=1, warnings=1)
    result.stdout.fnmatch_lines(
        ["*what happened in the simulator*", "*sent client1: 8 bytes*", "*verdict on server1*: drop*"]
    )


def test_an_assertion_tells_what_happened_up_to_there(project: pytest.Pytester) -> None:
    text = """
from skverdict.runtime.testing import assert_redirected

def test_it(simulator, tcp_pair):
    client, server = tcp_pair
    upstream, backend = watch(simulator, server)
    client.send(b"too long")
    assert_redirected(simulator, server, to=upstream)
"""
    result = run_tests(project, text)
    result.assert_outcomes(failed=1, warnings=1)
    result.stdout.fnmatch_lines([
        "E*no bytes of server1 were redirected to egress or ingress of *; of its bytes, 8 dropped",
        "E*what happened:",
        "E*sent client1: 8 bytes*",
        "E*dropped server1: 8 bytes*",
    ])  # fmt: skip
    shown = result.stdout.str()
    assert "what happened in the simulator" not in shown
    assert "assertions.py" not in shown


# Coverage

COVERED = """
@pytest.mark.tcp_pair(server_port=80)
def test_it(simulator, tcp_pair):
    client, server = tcp_pair
    watch(simulator, server)
    client.send(b"0123456789")
"""


def coverage_of(project: pytest.Pytester, *arguments: str) -> dict[str, object]:
    """coverage.py's figures for redirect.py."""
    Path("test_redirect.py").write_text(TEST + COVERED)
    command = [sys.executable, "-m", "pytest", "-q", "--cov=.", "--cov-report=json:cover.json", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    figures: dict[str, object] = json.loads(Path("cover.json").read_text())["files"]["redirect.py"]
    return figures


def lines_of(*texts: str) -> list[int]:
    return [POLICY.splitlines().index(text) + 1 for text in texts]


MISSED = ("    if skb.len > 4:", "        return SK_DROP", "    return SK_PASS")


def test_lines_of_the_policy_that_ran_as_bpf(project: pytest.Pytester) -> None:
    assert coverage_of(project)["missing_lines"] == lines_of(*MISSED)


def test_branches_of_the_policy_that_ran_as_bpf(project: pytest.Pytester) -> None:
    figures = coverage_of(project, "--cov-branch")
    test, redirect, after = lines_of(
        "    if skb.local_port == 80:", "        return sockets.redirect(skb, 0)", MISSED[0]
    )
    drop, end = lines_of(*MISSED[1:])
    assert figures["executed_branches"] == [[test, redirect]]
    assert figures["missing_branches"] == [[test, after], [after, drop], [after, end]]


def test_coverage_of_policies_can_be_left_out(project: pytest.Pytester) -> None:
    missing = coverage_of(project, "--no-policy-coverage")["missing_lines"]
    assert missing == lines_of(
        "    return skb.len", "    if skb.local_port == 80:", "        return sockets.redirect(skb, 0)", *MISSED
    )


# On a kernel

MARKED = """
@pytest.mark.kernel
def test_it(simulator, tcp_pair):
    client, server = tcp_pair
    watch(simulator, server)
    client.send(b"two")
    assert server.recv(9) == b"two"

def test_other(simulator):
    pass
"""


def test_a_test_for_the_kernel_is_two(project: pytest.Pytester) -> None:
    result = run_tests(project, MARKED, "-rs")
    result.assert_outcomes(passed=2, skipped=1, warnings=1)
    result.stdout.fnmatch_lines(["SKIPPED*no kernel is given: --kernel-image=PATH"])


def test_the_machine_runs_all_that_is_marked_in_one_go(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A `vng` that runs nothing, but answers as a machine would."""
    answers = Path("answers.py")
    answers.write_text(
        f"""#!{sys.executable}
import json, pathlib, shlex, sys
words = shlex.split(sys.argv[-1])
assert "ip link set lo up; " in sys.argv[-1]
names = [word for word in words if "::" in word]
assert names == [str(pathlib.Path("test_redirect.py").resolve()) + "::test_it[kernel]"], names
assert f"skverdict.guest={{words[words.index('--skverdict-guest') + 1]}}" in sys.argv
reports = pathlib.Path(words[words.index("--skverdict-reports") + 1])
with reports.open("a") as file:
    for when, outcome, text in (("setup", "passed", None), ("call", "failed", "it was otherwise")):
        file.write(json.dumps({{
            "$report_type": "TestReport", "nodeid": "test_redirect.py::test_it[kernel]",
            "location": ["test_redirect.py", 1, "test_it"],
            "keywords": {{}}, "outcome": outcome, "when": when, "longrepr": text, "sections": [],
            "duration": 0.1, "start": 0, "stop": 1, "user_properties": [],
        }}) + "\\n")
    file.write('{{"$report_ty')
"""
    )
    answers.chmod(0o755)
    answers.rename("vng")
    monkeypatch.setenv("PATH", str(Path.cwd()), prepend=":")
    Path("image").write_bytes(b"")
    result = run_tests(project, MARKED, "--kernel-image=image")
    result.assert_outcomes(passed=2, failed=1, warnings=1)
    result.stdout.fnmatch_lines(["*it was otherwise*"])


def test_a_machine_that_dies_fails_the_test(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("vng").write_text("#!/bin/sh\necho no such device; exit 1\n")
    Path("vng").chmod(0o755)
    monkeypatch.setenv("PATH", str(Path.cwd()), prepend=":")
    Path("image").write_bytes(b"")
    result = run_tests(project, MARKED, "--kernel-image=image")
    result.assert_outcomes(passed=2, failed=1, warnings=1)
    result.stdout.fnmatch_lines(["*did not report on this test; its console:*", "*no such device*"])


def test_the_machine_s_part_refuses_to_run_anywhere_else(project: pytest.Pytester) -> None:
    result = run_tests(project, MARKED, "--skverdict-guest", "0" * 32, "--skverdict-reports", "reports")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--skverdict-guest is for the virtual machine*"])


# Cost


def test_the_plugin_loads_nothing_for_other_projects(pytester: pytest.Pytester) -> None:
    Path("test_it.py").write_text(
        "import sys\n"
        "def test_it():\n"
        "    loaded = {name for name in sys.modules if name.startswith('skverdict')}\n"
        "    print(*sorted(loaded))\n"
        "    assert loaded == {'skverdict', 'skverdict.runtime', 'skverdict.runtime.testing',\n"
        "        'skverdict.runtime.testing.assertions', 'skverdict.runtime.testing.plugin'}\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_a_kernel_that_cannot_be_started_is_told_first(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = run_tests(project, MARKED, "--kernel-image=absent")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--kernel-image=absent: no such file"])
    Path("image").write_bytes(b"")
    monkeypatch.setenv("PATH", str(Path.cwd()))
    result = run_tests(project, MARKED, "--kernel-image=image")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*needs vng, which is not on PATH: pip install*"])


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        (("",), "it is in no map, so no program runs for it"),
        (
            ('simulator.maps["sockets"][1] = server', 'simulator.attach("sockets", verdict="verdict")'),
            "it was put into a map before any program was attached there, so none runs for it",
        ),
        (
            ('simulator.attach("sockets", verdict="verdict")', 'simulator.maps["sockets"][1] = server'),
            "no program or socket saw any of its bytes",
        ),
    ],
    ids=["in no map", "too early", "watched"],
)
def test_an_assertion_says_why_no_program_ran(
    lines: tuple[str, ...], why: str, project: pytest.Pytester
) -> None:
    body = "".join(f"    {line}\n" for line in lines)
    text = f"""
from skverdict.runtime.testing import assert_dropped

def test_it(simulator, tcp_pair):
    client, server = tcp_pair
{body}
    assert_dropped(simulator, server)
"""
    result = run_tests(project, text)
    result.assert_outcomes(failed=1, warnings=1)
    result.stdout.fnmatch_lines([f"*AssertionError: no bytes of server1 were dropped; {why}"])
