"""Loaders to begin with: each compiles where its language and library are, and names what the object has."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from skverdict.codegen import read_object
from skverdict.codegen.assembler import assemble
from skverdict.runtime.cli import main
from skverdict.runtime.skeleton import LANGUAGES
from skverdict.runtime.skeleton.parts import SkeletonError, parts_of

from tests.interop.fetch_aya import aya_folder, crates
from tests.runtime.replay_kit import EXAMPLES

Output = pytest.CaptureFixture[str]
POLICIES = ("port_redirect", "hash_redirect", "local_bypass", "message_policy", "datagram_filter")
GO_LIBRARY = Path("/usr/share/gocode")
ENDINGS = {"c": ".c", "go": ".go", "rust": ".rs"}
FETCH_AYA = "aya is not there; fetch it with: python -m tests.interop.fetch_aya"


def need(program: str, *files: str) -> str:
    """The path of a program, if it and the files are there; in CI they have to be."""
    found = shutil.which(program)
    missing = [each for each in files if not Path(each).exists()]
    if found is None or missing:
        reason = f"{program} {' '.join(missing)} is not installed"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return found


def written(policy: str, language: str, folder: Path) -> Path:
    target = folder / f"{policy}.o"
    assert main(["build", str(EXAMPLES / f"{policy}.py"), "-o", str(target), "--skeleton", language]) == 0
    return target.with_suffix(ENDINGS[language])


@pytest.mark.parametrize("policy", POLICIES)
def test_c_compiles_without_a_warning(policy: str, tmp_path: Path) -> None:
    compiler = need("cc", "/usr/include/bpf/libbpf.h")
    source = written(policy, "c", tmp_path)
    command = [compiler, "-Wall", "-Wextra", "-Werror", "-o", "loader", source.name, "-lbpf"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("policy", POLICIES)
def test_go_compiles(policy: str, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    compiler = need("go", str(GO_LIBRARY / "src/github.com/cilium/ebpf"))
    written(policy, "go", tmp_path)
    cache = tmp_path_factory.getbasetemp() / "go"
    environment = {**os.environ, "GO111MODULE": "off", "GOPATH": str(GO_LIBRARY), "GOCACHE": str(cache)}
    for command in ([compiler, "vet", "."], ["gofmt", "-l", "."]):
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (0, ""), done.stderr


RUST_POLICIES = [name for name in POLICIES if name != "datagram_filter"]
MANIFEST = """[package]
name = "loaders"
version = "0.1.0"
edition = "2021"

[dependencies]
aya = "0.13"

[lints.rust]
warnings = "deny"
"""
SOURCES = """[source.crates-io]
replace-with = "debian"

[source.debian]
directory = "{}"
"""


def test_rust_compiles_without_a_warning(tmp_path: Path) -> None:
    """One package with a program for each policy, so that aya is compiled once."""
    compiler = need("cargo")
    source = crates()
    if source is None:
        if os.environ.get("CI") == "true":
            pytest.fail(FETCH_AYA)
        pytest.skip(FETCH_AYA)
    programs = tmp_path / "src" / "bin"
    programs.mkdir(parents=True)
    for policy in RUST_POLICIES:
        written(policy, "rust", programs)
    (tmp_path / "Cargo.toml").write_text(MANIFEST)
    (tmp_path / ".cargo").mkdir()
    (tmp_path / ".cargo" / "config.toml").write_text(SOURCES.format(source))
    # aya stays compiled for the next run; cargo itself keeps two runs apart.
    environment = {**os.environ, "CARGO_TARGET_DIR": str(aya_folder() / "target")}
    command = [compiler, "build", "--offline", "--quiet", "--bins"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("policy", RUST_POLICIES)
def test_rust_is_formatted(policy: str, tmp_path: Path) -> None:
    formatter = shutil.which("rustfmt")
    if formatter is None:
        pytest.skip("rustfmt is not installed")
    source = written(policy, "rust", tmp_path)
    command = [formatter, "--edition", "2021", "--check", source]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("language", LANGUAGES)
def test_programs_and_maps_go_by_their_names(language: str, tmp_path: Path) -> None:
    text = written("local_bypass", language, tmp_path).read_text()
    for name in ("remember", "bypass", "endpoints", "local_bypass.o"):
        assert f'"{name}"' in text


def test_what_aya_lacks_is_refused_and_nothing_is_written(tmp_path: Path, capsys: Output) -> None:
    policy, target = str(EXAMPLES / "datagram_filter.py"), str(tmp_path / "x.o")
    assert main(["build", policy, "-o", target, "--skeleton", "rust"]) == 2
    assert capsys.readouterr().err == "skverdict: aya has no skb_verdict programs, such as verdict\n"
    assert list(tmp_path.iterdir()) == []


def test_a_loader_that_is_there_is_not_touched(tmp_path: Path, capsys: Output) -> None:
    source = tmp_path / "x.c"
    source.write_text("mine")
    policy = str(EXAMPLES / "hash_redirect.py")
    assert main(["build", policy, "-o", str(tmp_path / "x.o"), "--skeleton", "c"]) == 2
    assert capsys.readouterr().err == f"skverdict: {source} is there already, and may hold changes\n"
    assert source.read_text() == "mine"
    assert not (tmp_path / "x.o").exists()


def test_a_loader_needs_a_file_beside_it(capsys: Output) -> None:
    assert main(["build", str(EXAMPLES / "hash_redirect.py"), "-o", "-", "--skeleton", "c"]) == 2
    assert "beside the object" in capsys.readouterr().err


def test_a_program_without_a_socket_map_is_told() -> None:
    text = 'endian little\nlicense "GPL"\n\nprogram verdict sk_msg\nverdict:\n    w0 = 1\n    exit\n'
    with pytest.raises(SkeletonError, match="verdict has no socket map to be attached to"):
        parts_of(assemble(text), "x.o")


def test_programs_go_to_the_first_socket_map(tmp_path: Path) -> None:
    written("message_policy", "c", tmp_path)
    parts = parts_of(read_object((tmp_path / "message_policy.o").read_bytes()), "x.o")
    assert {each.map for each in parts.attachments} == {"watched"}
