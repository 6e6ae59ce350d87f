"""The commands, called in this process: what they print and write, and how they fail."""

from __future__ import annotations

import json
import os
import stat
from importlib.metadata import version
from pathlib import Path

import pytest
from skverdict.codegen import read_object
from skverdict.dsl import load_policy
from skverdict.dsl.ir.text import parse_module
from skverdict.runtime.capture.replay import Replayer
from skverdict.runtime.cli import build as build_command
from skverdict.runtime.cli import main
from skverdict.runtime.cli.commands import COMMANDS
from skverdict.runtime.machine.fault import Fault, Place

from tests.runtime.capture_files import pcap
from tests.runtime.replay_kit import CAPTURES, DROP_ALL, EXAMPLES, HEAD, PASS_ALL, compiled, conversation

PORT_REDIRECT = str(EXAMPLES / "port_redirect.py")
HTTP = str(CAPTURES / "http1-nginx.pcap")
Output = pytest.CaptureFixture[str]


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    """A policy that drops everything."""
    path = tmp_path / "policy.py"
    path.write_text(f"{HEAD}sockets = SockMap(max_entries=8)\n{DROP_ALL}")
    return path


def failing(output: Output, *arguments: str) -> tuple[int, str]:
    """The exit code of a command that prints nothing but an error, and the error."""
    code = main(arguments)
    printed = output.readouterr()
    assert printed.out == ""
    assert "Traceback" not in printed.err
    return code, printed.err


# build


def test_build_writes_an_object(policy: Path, tmp_path: Path, capsys: Output) -> None:
    target = tmp_path / "policy.o"
    assert main(["build", str(policy), "-o", str(target)]) == 0
    assert list(read_object(target.read_bytes()).programs) == ["verdict"]
    assert capsys.readouterr() == ("", "")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["policy.o", "policy.py"]


def test_build_takes_cpu_and_byte_order(policy: Path, tmp_path: Path) -> None:
    target = tmp_path / "policy.o"
    assert main(["build", str(policy), "--output", str(target), "--cpu", "v1", "--endian", "big"]) == 0
    assert read_object(target.read_bytes()).endian == "big"


def test_build_keeps_mode_and_symbolic_link_of_an_existing_file(policy: Path, tmp_path: Path) -> None:
    target, link = tmp_path / "policy.o", tmp_path / "link.o"
    target.write_bytes(b"old")
    target.chmod(0o640)
    link.symlink_to(target)
    assert main(["build", str(policy), "-o", str(link)]) == 0
    assert link.is_symlink()
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    assert target.read_bytes().startswith(b"\x7fELF")


def test_build_writes_to_a_device(policy: Path) -> None:
    assert main(["build", str(policy), "-o", os.devnull]) == 0
    assert stat.S_ISCHR(os.stat(os.devnull).st_mode)


def test_build_of_a_bad_policy_leaves_the_output_alone(policy: Path, tmp_path: Path, capsys: Output) -> None:
    target = tmp_path / "policy.o"
    target.write_bytes(b"old")
    policy.write_text(f"{HEAD}@stream_verdict\ndef verdict(skb: SkSkb) -> i32:\n    return nothing\n")
    code, error = failing(capsys, "build", str(policy), "-o", str(target))
    assert code == 2
    line = policy.read_text().splitlines().index("    return nothing") + 1
    assert error.startswith(f"{policy}:{line}:12: error: ")
    assert f" {line} |     return nothing" in error
    assert target.read_bytes() == b"old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["policy.o", "policy.py"]


def test_build_of_a_missing_policy(tmp_path: Path, capsys: Output) -> None:
    code, error = failing(capsys, "build", str(tmp_path / "absent.py"), "-o", str(tmp_path / "x.o"))
    assert (code, error.count("\n")) == (2, 1)
    assert "absent.py" in error and "No such file" in error


def test_build_into_a_missing_folder(policy: Path, tmp_path: Path, capsys: Output) -> None:
    target = tmp_path / "absent" / "policy.o"
    code, error = failing(capsys, "build", str(policy), "-o", str(target))
    assert (code, error) == (1, f"skverdict: {target}: No such file or directory\n")


def test_build_onto_a_folder(policy: Path, tmp_path: Path, capsys: Output) -> None:
    code, error = failing(capsys, "build", str(policy), "-o", str(tmp_path))
    assert (code, error) == (1, f"skverdict: {tmp_path}: Is a directory\n")


@pytest.mark.parametrize("name", ["", "policy.py/policy.o"])
def test_build_names_an_impossible_output_as_it_was_given(
    name: str, policy: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(policy.parent)
    code, error = failing(capsys, "build", str(policy), "-o", name)
    assert code == 1
    assert error.startswith(f"skverdict: {name or repr(name)}: ")


def test_build_names_a_full_device(policy: Path, capsys: Output) -> None:
    assert failing(capsys, "build", str(policy), "-o", "/dev/full") == (
        1, "skverdict: /dev/full: No space left on device\n"
    )  # fmt: skip


@pytest.mark.parametrize("way", ["policy.py", "./policy.py", "link.o"])
def test_build_does_not_replace_the_policy(
    way: str, policy: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(policy.parent)
    Path("link.o").symlink_to("policy.py")
    text = policy.read_text()
    code, error = failing(capsys, "build", "policy.py", "-o", way)
    assert (code, error) == (2, f"skverdict: {way} is the policy itself, which the object would replace\n")
    assert policy.read_text() == text


def test_build_that_cannot_write_all_leaves_nothing(
    policy: Path, tmp_path: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "policy.o"
    target.write_bytes(b"old")

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", refuse)
    code, error = failing(capsys, "build", str(policy), "-o", str(target))
    assert (code, error) == (1, f"skverdict: {target}: No space left on device\n")
    assert target.read_bytes() == b"old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["policy.o", "policy.py"]


def test_build_shows_warnings_and_goes_on(policy: Path, tmp_path: Path, capsys: Output) -> None:
    ignored = "@stream_verdict\ndef ignoring(skb: SkSkb) -> i32:\n    skb.pull_data(1)\n    return SK_DROP\n"
    policy.write_text(policy.read_text() + ignored)
    target = tmp_path / "policy.o"
    assert main(["build", str(policy), "-o", str(target)]) == 0
    assert "warning: " in capsys.readouterr().err
    assert target.exists()


# disasm


def test_disasm_prints_source_lines(policy: Path, tmp_path: Path, capsys: Output) -> None:
    target = tmp_path / "policy.o"
    main(["build", str(policy), "-o", str(target)])
    assert main(["disasm", str(target)]) == 0
    text = capsys.readouterr().out
    assert "program verdict sk_skb/stream_verdict" in text
    assert "return SK_DROP" in text
    assert "exit" in text


@pytest.mark.parametrize("content", [b"", b"hello", b"\x7fELF", b"\x7fELF" + b"\0" * 60])
def test_disasm_of_what_is_no_object(content: bytes, tmp_path: Path, capsys: Output) -> None:
    path = tmp_path / "bad.o"
    path.write_bytes(content)
    code, error = failing(capsys, "disasm", str(path))
    assert code == 1
    assert error.startswith("skverdict: ") and "bad.o" in error


def test_disasm_of_every_cut_is_one_error(policy: Path, tmp_path: Path, capsys: Output) -> None:
    whole, cut = tmp_path / "policy.o", tmp_path / "cut.o"
    main(["build", str(policy), "-o", str(whole)])
    content = whole.read_bytes()
    for length in range(0, len(content), 97):
        cut.write_bytes(content[:length])
        assert failing(capsys, "disasm", str(cut))[0] == 1


def test_disasm_of_a_missing_file(tmp_path: Path, capsys: Output) -> None:
    path = tmp_path / "absent.o"
    code, error = failing(capsys, "disasm", str(path))
    assert (code, error) == (1, f"skverdict: {path}: No such file or directory\n")


# asm


def test_asm_makes_the_object_again(policy: Path, tmp_path: Path, capsys: Output) -> None:
    target, text, again = (tmp_path / name for name in ("policy.o", "policy.s", "again.o"))
    main(["build", str(policy), "-o", str(target)])
    main(["disasm", str(target)])
    text.write_text(capsys.readouterr().out, encoding="utf-8")
    assert main(["asm", str(text), "-o", str(again)]) == 0
    assert capsys.readouterr() == ("", "")
    read, made = (read_object(path.read_bytes()) for path in (target, again))
    assert made.programs["verdict"].instructions == read.programs["verdict"].instructions
    assert main(["disasm", str(again)]) == 0
    assert capsys.readouterr().out == text.read_text(encoding="utf-8")


def test_asm_of_wrong_text_shows_the_place_and_writes_nothing(tmp_path: Path, capsys: Output) -> None:
    text, target = tmp_path / "wrong.s", tmp_path / "wrong.o"
    text.write_text("program test sk_msg\nr11 = 0\nexit\n", encoding="utf-8")
    code, error = failing(capsys, "asm", str(text), "-o", str(target))
    assert code == 2
    assert error == f"{text}:2:1: there is no register r11, the last one is r10\nr11 = 0\n^\n"
    assert not target.exists()


def test_asm_of_what_is_no_text(tmp_path: Path, capsys: Output) -> None:
    text = tmp_path / "object.o"
    text.write_bytes(b"\x7fELF\xff")
    code, error = failing(capsys, "asm", str(text), "-o", str(tmp_path / "x.o"))
    assert (code, error) == (2, f"skverdict: {text}: byte 4 is not UTF-8\n")
    assert failing(capsys, "asm", str(text), "-o", str(text))[0] == 2


# check and ir


def test_check_lists_maps_and_programs(policy: Path, capsys: Output) -> None:
    assert main(["check", str(policy)]) == 0
    assert capsys.readouterr().out == (
        f"{policy}: ok\n  map     sockets (sockmap)\n  program verdict (stream_verdict)\n"
    )


def test_check_as_json(policy: Path, capsys: Output) -> None:
    assert main(["check", str(policy), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "maps": [{"name": "sockets", "kind": "sockmap"}],
        "programs": [{"name": "verdict", "kind": "stream_verdict"}],
    }


def test_check_of_a_policy_with_a_syntax_error(policy: Path, capsys: Output) -> None:
    policy.write_text("def verdict(:\n")
    code, error = failing(capsys, "check", str(policy))
    assert code == 2
    assert error.startswith(f"{policy}:1:")


def test_ir_prints_a_module_that_parses(policy: Path, capsys: Output) -> None:
    assert main(["ir", str(policy)]) == 0
    assert parse_module(capsys.readouterr().out) == load_policy(policy).module


# run


def test_run_prints_tables(capsys: Output) -> None:
    assert main(["run", PORT_REDIRECT, "--capture", HTTP]) == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "packets 65, connections 4, bytes of payload 310,093" in lines
    assert "verdict stream_verdict 10 redirect 10" in lines
    assert "client 1 127.0.0.1:56876 258 0 258 egress of sock_map_rx[0] -" in lines
    assert "server 1 127.0.0.1:10000 307,940 307,940 - -" in lines
    assert "sock_map_rx[0] 726 0" in lines


def test_run_doubts_a_first_map_that_is_redirected_to(capsys: Output) -> None:
    router = str(EXAMPLES / "frame_router.py")
    assert main(["run", router, "--capture", HTTP, "--json"]) == 0
    printed = capsys.readouterr()
    assert printed.err.startswith("skverdict: note: the programs are attached to workers, the first socket map")
    assert json.loads(printed.out)["policy"] == router
    assert main(["run", router, "--capture", HTTP, "--attach", "clients"]) == 0
    assert capsys.readouterr().err == ""


def test_a_loader_doubts_a_first_map_that_is_redirected_to(tmp_path: Path, capsys: Output) -> None:
    def built(name: str) -> int:
        return main(["build", str(EXAMPLES / f"{name}.py"), "-o", str(tmp_path / f"{name}.o"), "--skeleton", "c"])

    assert built("frame_router") == 0
    assert "the loader attaches the programs to workers, the first socket map" in capsys.readouterr().err
    assert built("port_redirect") == 0
    assert "the loader" not in capsys.readouterr().err


def test_run_as_json(policy: Path, capsys: Output) -> None:
    assert main(["run", str(policy), "--capture", HTTP, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["policy"] == str(policy)
    assert report["capture"] == {"file": HTTP, "packets": 65, "notes": []}
    assert report["programs"] == [
        {"name": "verdict", "kind": "stream_verdict", "runs": 14, "verdicts": {"drop": 14}}
    ]
    first = report["connections"][0]
    assert (first["number"], first["client"], first["server"]) == (1, "127.0.0.1:56876", "127.0.0.1:10000")
    assert first["to_server"] == {
        "sent": 258, "received": 0, "returned": 0, "dropped": 258, "lost": 0, "unsent": 0, "held": 0,
        "left_out": 0, "redirected": [], "errors": {},
    }  # fmt: skip
    assert (report["problems"], report["hazards"], report["upstreams"], report["fault"]) == ([], [], [], "")


def test_run_as_json_is_written_as_json_writes_it(policy: Path, tmp_path: Path, capsys: Output) -> None:
    # None of the connections can have port 0, so that there is none in the report.
    path = tmp_path / "none.pcap"
    path.write_bytes(pcap(conversation(client=("10.0.0.1", 0)).frames))
    for capture in (HTTP, str(path)):
        assert main(["run", str(policy), "--capture", capture, "--json"]) == 0
        printed = capsys.readouterr().out
        assert printed == json.dumps(json.loads(printed), indent=2) + "\n"


def test_run_of_an_object(policy: Path, tmp_path: Path, capsys: Output) -> None:
    target = tmp_path / "policy.o"
    main(["build", str(policy), "-o", str(target)])
    assert main(["run", str(target), "--capture", HTTP]) == 0
    assert "258 dropped" in capsys.readouterr().out


def test_run_with_a_trace(policy: Path, capsys: Output) -> None:
    assert main(["run", str(policy), "--capture", HTTP, "--trace"]) == 0
    assert "dropped server 1: 86 bytes b'GET /p1.html HTT'..." in capsys.readouterr().out.splitlines()


def test_run_takes_options(policy: Path, capsys: Output) -> None:
    arguments = [
        "--attach",
        "sockets:verdict",
        "--side",
        "client",
        "--upstream",
        "sockets:1",
        "--kernel",
        "6.1",
    ]
    assert main(["run", str(policy), "--capture", HTTP, *arguments, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["connections"][0]["to_client"]["dropped"] == 307940
    assert report["upstreams"] == [{"socket": "sockets[1]", "egress": 0, "ingress": 0}]


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["--attach", "nothing"], "skverdict: the policy has no socket map 'nothing'; it has sockets\n"),
        (["--upstream", "sockets:9"], "skverdict: '9' is not an index of sockets, which has 0 to 7\n"),
    ],
)
def test_run_with_options_that_do_not_fit(
    arguments: list[str], error: str, policy: Path, capsys: Output
) -> None:
    assert failing(capsys, "run", str(policy), "--capture", HTTP, *arguments) == (2, error)


def test_run_of_a_capture_that_ends_in_a_packet(policy: Path, tmp_path: Path, capsys: Output) -> None:
    path = tmp_path / "cut.pcap"
    path.write_bytes(Path(HTTP).read_bytes()[:1000])
    code, error = failing(capsys, "run", str(policy), "--capture", str(path))
    assert code == 1
    assert (
        error == f"skverdict: {path}: byte 964: the file ends inside packet 8: 152 bytes claimed, 36 there\n"
    )


def test_run_of_a_capture_without_payload(policy: Path, tmp_path: Path, capsys: Output) -> None:
    path = tmp_path / "empty.pcap"
    path.write_bytes(pcap([b"\2" * 60], link=189))
    code, error = failing(capsys, "run", str(policy), "--capture", str(path))
    assert code == 1
    assert error == (
        f"skverdict: {path}: no TCP payload in 1 packets\n"
        "  packet 1 has link type 189, which is not known here\n"
    )


def test_run_tells_of_a_fault_after_the_report(
    policy: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = compiled(f"sockets = SockMap(max_entries=8)\n{DROP_ALL}").programs["verdict"]

    def fault(*_: object) -> None:
        raise Fault("read of nothing", Place(program, 0))

    monkeypatch.setattr(Replayer, "_send", fault)
    assert main(["run", str(policy), "--capture", HTTP]) == 1
    printed = capsys.readouterr()
    assert "Verdicts" in printed.out
    assert printed.err.startswith(
        "skverdict: packet 4, connection 1: read of nothing\nin verdict at instruction 0"
    )


# the whole


def test_help_names_every_command_and_each_has_an_example(capsys: Output) -> None:
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    for name in COMMANDS:
        assert f"\n  {name} " in text
        assert main([name, "--help"]) == 0
        assert f"skverdict {name} " in capsys.readouterr().out.partition("example")[2]


def test_no_arguments_print_the_help(capsys: Output) -> None:
    assert main([]) == 0
    assert capsys.readouterr().out.startswith("usage: skverdict ")


def test_version(capsys: Output) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"skverdict {version('skverdict')}\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["fly"],
        ["build"],
        ["build", "x.py"],
        ["build", "x.py", "-o", "x.o", "--cpu", "v9"],
        ["build", "x.py", "-o", "x.o", "--cpu", "probe"],
        ["run", "x.py"],
        ["run", "x.py", "--capture", "x", "--upstream", "m:0", "--no-upstream"],
        ["run", "-", "--capture", "-"],
        ["disasm", "x.o", "--unknown"],
    ],
)
def test_wrong_usage(arguments: list[str], capsys: Output) -> None:
    code, error = failing(capsys, *arguments)
    assert code == 2
    assert "error: " in error or error.startswith("skverdict: ")


def test_an_interrupt_is_no_traceback(policy: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(build_command, "write_output", interrupt)
    assert failing(capsys, "build", str(policy), "-o", "x.o") == (130, "")


def test_an_unexpected_exception_is_told_in_two_lines(
    policy: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr(build_command, "write_output", fail)
    monkeypatch.delenv("SKVERDICT_TRACEBACK", raising=False)
    code, error = failing(capsys, "build", str(policy), "-o", "x.o")
    assert (code, error.count("\n")) == (1, 2)
    assert error.startswith("skverdict: internal error: ZeroDivisionError: division by zero\n")
    monkeypatch.setenv("SKVERDICT_TRACEBACK", "1")
    with pytest.raises(ZeroDivisionError):
        main(["build", str(policy), "-o", "x.o"])


def test_a_policy_without_a_socket_map_cannot_run(tmp_path: Path, capsys: Output) -> None:
    path = tmp_path / "policy.py"
    path.write_text(HEAD + PASS_ALL)
    code, error = failing(capsys, "run", str(path), "--capture", HTTP)
    assert (code, error) == (
        2,
        "skverdict: the policy has no socket map that its programs could be attached to\n",
    )
