"""`inspect`, `diff` and `completion`, and every command's JSON."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from skverdict.codegen import build, read_object
from skverdict.codegen.assembler import assemble
from skverdict.codegen.object_writer import object_bytes
from skverdict.codegen.target import Target
from skverdict.dsl import load_policy
from skverdict.runtime.cli import main
from skverdict.runtime.cli.commands import COMMANDS, parser_of
from skverdict.runtime.inspection import Difference, differences, summary
from skverdict.runtime.kernel.abilities import Ability
from skverdict.runtime.kernel.inventory import MapState, ProgramState, State

from tests.codegen.sample_objects import FOLDER, SAMPLES
from tests.runtime.replay_kit import EXAMPLES

Output = pytest.CaptureFixture[str]


@pytest.fixture
def object_file(tmp_path: Path) -> Path:
    path = tmp_path / "hash_redirect.o"
    path.write_bytes(build(load_policy(EXAMPLES / "hash_redirect.py")))
    return path


def program(*instructions: str, kind: str = "sk_skb/stream_verdict") -> str:
    body = "\n".join(f"    {text}" for text in instructions)
    return f'endian little\nlicense "GPL"\n\nprogram verdict {kind}\nverdict:\n{body}\n'


# inspect


def test_inspect_as_json(object_file: Path, capsys: Output) -> None:
    assert main(["inspect", str(object_file), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["file"], told["bytes"]) == (str(object_file), object_file.stat().st_size)
    assert (told["endian"], told["license"], told["oldest_kernel"], told["needs"]) == ("little", "GPL", "6.1", [])
    parser, verdict = told["programs"]
    assert (parser["name"], parser["section"], parser["helpers"]) == ("parser", "sk_skb/stream_parser", [])
    assert verdict["helpers"] == ["bpf_sk_redirect_hash"]
    assert verdict["maps"] == ["sock_hash_rx"]
    assert told["maps"] == [{
        "name": "sock_hash_rx", "kind": "sockhash", "key": "struct SocketKey", "key_size": 16, "value": "__u64",
        "value_size": 8, "max_entries": 1024, "flags": 0,
    }]  # fmt: skip
    assert {"name": "SocketKey", "size": 16} in told["structs"]


def test_inspect_prints_tables(object_file: Path, capsys: Output) -> None:
    assert main(["inspect", str(object_file)]) == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == f"{object_file}: little-endian, license GPL, kernels: Linux 6.1 to 7.2"
    assert "sock_hash_rx sockhash struct SocketKey (16) __u64 (8) 1024 0x0" in lines


@pytest.mark.parametrize("name", SAMPLES)
def test_inspect_reads_what_clang_made(name: str, capsys: Output) -> None:
    assert main(["inspect", str(FOLDER / name)]) == 0
    assert "license " in capsys.readouterr().out


@pytest.mark.parametrize("cpu", ["v1", "v2", "v3", "v4"])
def test_the_cpu_is_the_least_that_will_do(cpu: str) -> None:
    policy = load_policy(EXAMPLES / "local_bypass.py")
    found = summary(read_object(build(policy, Target(cpu))))
    assert max(each.cpu for each in found.programs) <= int(cpu[1])
    assert cpu != "v4" or found.oldest_kernel == "6.12"


def test_a_constant_is_stored_at_every_level() -> None:
    (found,) = summary(assemble(program("*(u32 *)(r10 - 4) = 0", "w0 = 1", "exit"))).programs
    assert found.cpu == 3  # w0, and not the 4 at which LLVM begins to store constants


def test_inspect_says_why_not_every_kernel_will_do(tmp_path: Path, capsys: Output) -> None:
    path = tmp_path / "narrow.o"
    text = program("call bpf_skb_pull_data#39", "r1 = bswap32 r1", "exit", kind="sk_skb/stream_parser")
    path.write_bytes(object_bytes(assemble(text)))
    assert main(["inspect", str(path)]) == 0
    assert capsys.readouterr().out.splitlines()[:4] == [
        f"{path}: little-endian, license GPL, kernels: Linux 6.12 to 6.12",
        "  instruction bswap32 needs Linux 6.12",
        "  bpf_skb_pull_data in a stream_parser program is refused after Linux 6.12",
        "",
    ]


@pytest.mark.parametrize("arguments", [["inspect"], ["disasm"], ["diff", "gate.o"]], ids=lambda each: each[0])
def test_a_policy_in_place_of_an_object_is_told_how(
    arguments: list[str], object_file: Path, tmp_path: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    object_file.rename("gate.o")
    Path("gate.py").write_text((EXAMPLES / "hash_redirect.py").read_text())
    assert main([*arguments, "gate.py"]) == 2
    told = "gate.py is a policy, and this takes an object: skverdict build gate.py -o FILE.o"
    assert capsys.readouterr().err == f"skverdict: {told}\n"


def test_an_object_in_place_of_a_policy_is_told(object_file: Path, capsys: Output) -> None:
    assert main(["check", str(object_file)]) == 2
    assert "error: this is an object file, not a policy" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("word", "advice"), [("buidl", "did you mean 'build'?"), ("frobnicate", "see skverdict --help")]
)
def test_an_unknown_command_is_told_what_it_may_be(word: str, advice: str, capsys: Output) -> None:
    assert main([word]) == 2
    assert f"there is no command {word!r}; {advice}\n" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["build", "gate.py", "--kernl", "6.1"], "there is no option '--kernl'; did you mean '--kernel'?"),
        (["build", "gate.py", "--outptu=gate.o"], "there is no option '--outptu'; did you mean '--output'?"),
        (["check", "--frobnicate", "gate.py"], "there is no option '--frobnicate'"),
        (["--versoin"], "there is no option '--versoin'; did you mean '--version'?"),
    ],
)
def test_an_unknown_option_is_told_what_it_may_be(arguments: list[str], told: str, capsys: Output) -> None:
    assert main(arguments) == 2
    assert f"error: {told}\n" in capsys.readouterr().err


def test_a_page_has_standard_output_for_itself(capsys: Output) -> None:
    arguments = ["run", POLICY, "--capture", CAPTURE, "--report", "-"]
    assert main([*arguments, "--json"]) == 2
    assert "standard output can be the page or the JSON, not both" in capsys.readouterr().err


# diff


def test_diff_of_an_object_with_itself(object_file: Path, capsys: Output) -> None:
    assert main(["diff", str(object_file), str(object_file)]) == 0
    assert capsys.readouterr().out == ""


def test_diff_tells_what_differs(tmp_path: Path, capsys: Output) -> None:
    policy = load_policy(EXAMPLES / "local_bypass.py")
    for cpu in ("v3", "v4"):
        (tmp_path / f"{cpu}.o").write_bytes(build(policy, Target(cpu)))
    names = [str(tmp_path / f"{cpu}.o") for cpu in ("v3", "v4")]
    assert main(["diff", *names]) == 3
    text = capsys.readouterr().out
    assert f"--- {names[0]}:bypass\n+++ {names[1]}:bypass\n" in text
    assert "+r5 = bswap32 r5" in text
    assert main(["diff", *names, "--json"]) == 3
    told = json.loads(capsys.readouterr().out)
    assert told["files"] == names
    assert {"what": "program bypass: cpu", "first": "3", "second": "4"} in told["differences"]
    assert "+r5 = bswap32 r5" in told["instructions"]


def test_what_one_has_and_the_other_not() -> None:
    one = summary(assemble(program("w0 = 1", "exit")))
    renamed = program("w0 = 1", "exit").replace("verdict:", "other:").replace("program verdict", "program other")
    other = summary(assemble(renamed))
    assert differences(one, other) == [
        Difference("program verdict", "present", ""), Difference("program other", "", "present")
    ]  # fmt: skip


def test_diff_of_standard_input_with_itself(capsys: Output) -> None:
    assert main(["diff", "-", "-"]) == 2
    assert "not both" in capsys.readouterr().err


def test_diff_takes_standard_input(object_file: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(object_file.read_bytes())))
    assert main(["diff", "-", str(object_file)]) == 0
    assert capsys.readouterr().out == ""


# JSON


def test_build_as_json(tmp_path: Path, capsys: Output) -> None:
    target = tmp_path / "x.o"
    assert main(["build", str(EXAMPLES / "hash_redirect.py"), "-o", str(target), "--json"]) == 0
    built = capsys.readouterr().out
    assert main(["inspect", str(target), "--json"]) == 0
    assert built == capsys.readouterr().out


def test_build_does_not_mix_object_and_json(capsys: Output) -> None:
    assert main(["build", str(EXAMPLES / "hash_redirect.py"), "-o", "-", "--json"]) == 2
    assert capsys.readouterr().out == ""


def test_disasm_as_json(object_file: Path, capsys: Output) -> None:
    assert main(["disasm", str(object_file), "--json"]) == 0
    parser = json.loads(capsys.readouterr().out)["programs"][0]
    source = (EXAMPLES / "hash_redirect.py").read_text().splitlines()
    assert parser["section"] == "sk_skb/stream_parser"
    assert [each["text"] for each in parser["instructions"]] == ["r0 = *(u32 *)(r1 + 0)", "exit"]
    assert source[parser["instructions"][0]["line"] - 1] == "    return skb.len"


def test_disasm_tells_what_depends_on_the_kernel(tmp_path: Path, capsys: Output) -> None:
    policy = Path(__file__).parents[1] / "corpus" / "kernel_types" / "reading.py"
    object_file = tmp_path / "reading.o"
    assert main(["build", str(policy), "-o", str(object_file)]) == 0
    assert main(["disasm", str(object_file)]) == 0
    assert ' core["byte_off struct task_struct::tgid (0:2)"]\n' in capsys.readouterr().out
    assert main(["disasm", str(object_file), "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)["programs"][0]["instructions"]
    told = {each["kernel"]: each["text"] for each in listed if each["kernel"]}
    assert told["field_exists struct task_struct::never_in_any_kernel (0:3)"].endswith(" = 1")


def test_ir_as_json(capsys: Output) -> None:
    assert main(["ir", str(EXAMPLES / "port_redirect.py"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    parser = told["functions"][0]
    assert (parser["name"], parser["kind"], parser["result"]) == ("parser", "stream_parser", "i32")
    load = parser["blocks"][0]["operations"][0]
    assert (load["name"], load["operands"], load["attributes"]) == ("context.load", ["%0"], {"field": "len"})
    assert (load["result"], load["type"]) == ("%1", "u32")


def test_every_command_but_completion_has_json() -> None:
    without = [name for name in COMMANDS if "--json" not in parser_of(name).format_help()]
    assert without == ["completion"]


# completion


def completed(words: list[str], tmp_path: Path, capsys: Output) -> list[str]:
    """What bash offers for the last of `words`."""
    assert main(["completion", "bash"]) == 0
    script = tmp_path / "script"
    script.write_text(capsys.readouterr().out)
    text = " ".join(f"'{word}'" for word in words)
    command = f"source {script}; COMP_WORDS=({text}); COMP_CWORD={len(words) - 1}; _skverdict; echo ${{COMPREPLY[@]}}"
    return subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True).stdout.split()


def test_bash_completes(tmp_path: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    assert set(COMMANDS) <= set(completed(["skverdict", ""], tmp_path, capsys))
    assert completed(["skverdict", "ins"], tmp_path, capsys) == ["inspect"]
    assert completed(["skverdict", "build", "--cpu", "v"], tmp_path, capsys) == ["v1", "v2", "v3", "v4"]
    assert "--capture" in completed(["skverdict", "run", "--"], tmp_path, capsys)
    (tmp_path / "policy.py").touch()
    monkeypatch.chdir(tmp_path)
    assert completed(["skverdict", "build", "pol"], tmp_path, capsys) == ["policy.py"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_scripts_are_shell(shell: str, capsys: Output) -> None:
    assert main(["completion", shell]) == 0
    text = capsys.readouterr().out
    assert all(name in text for name in COMMANDS)
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    subprocess.run([shell, "-n"], input=text, text=True, check=True)


@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_help_fits_the_terminal(name: str, capsys: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main([*filter(None, [name]), "--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if len(line) > 78 and not line.startswith("  ")] == []
    assert any(line.startswith("  skverdict ") or "gives an example" in line for line in lines)


def keys_of(value: object) -> set[str]:
    """The keys of all objects in a JSON value, but for those whose keys are data."""
    if isinstance(value, list):
        return {key for each in value for key in keys_of(each)}
    if not isinstance(value, dict):
        return set()
    inner = {key for name, each in value.items() if name not in DATA for key in keys_of(each)}
    return set(value) | inner


DATA = ("verdicts", "errors", "attributes")
POLICY, CAPTURE = str(EXAMPLES / "port_redirect.py"), str(EXAMPLES / "captures" / "http1-nginx.pcap")


@pytest.mark.parametrize(
    "arguments",
    [
        ["check", POLICY],
        ["build", POLICY, "-o", "made.o"],
        ["diff", "{object}", str(FOLDER / SAMPLES[-1])],
        ["disasm", "{object}"],
        ["graph", "{object}"],
        ["inspect", "{object}"],
        ["inspect", str(FOLDER / SAMPLES[-1])],
        ["ir", POLICY],
        ["run", POLICY, "--capture", CAPTURE],
        ["new", "gate"],
        ["asm", "{text}", "-o", "made.o"],
        ["conformance", "cases"],
        ["test", "test_one.py"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_keys_are_documented(
    arguments: list[str], object_file: Path, tmp_path: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = (EXAMPLES.parent / "docs" / "command-line.md").read_text()
    monkeypatch.chdir(tmp_path)
    main(["disasm", str(object_file)])
    Path("text.s").write_text(capsys.readouterr().out)
    Path("cases").mkdir()
    Path("cases/one.data").write_text("-- asm\nmov r0, 1\nexit\n-- result\n0x1\n")
    Path("test_one.py").write_text("def test_one():\n    assert 1\n")
    places = {"{object}": str(object_file), "{text}": "text.s"}
    main([places.get(each, each) for each in arguments] + ["--json"])
    keys = keys_of(json.loads(capsys.readouterr().out))
    assert len(keys) >= 2
    assert {key for key in keys if f"`{key}`" not in document} == set()


@pytest.mark.parametrize("row", [Ability, MapState, ProgramState, State], ids=lambda row: row.__name__)
def test_keys_of_a_live_kernel_are_documented(row: type[Ability | MapState | ProgramState | State]) -> None:
    document = (EXAMPLES.parent / "docs" / "command-line.md").read_text()
    assert {key for key in row._fields if f"`{key}`" not in document} == set()
