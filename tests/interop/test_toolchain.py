"""Where outside tools are looked for, and what is said of a missing one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.interop.conftest import missing
from tests.interop.debian import DebianError, archive_address
from tests.interop.toolchain import Tool, fetched_tree

ONE_LINE = "# deb http://old.test/debian sid main\ndeb [arch=all] http://archive.example/debian/ sid main\n"
DEB822 = "Types: deb\n# URIs: http://old.test/debian\nURIs: https://archive.example/debian\nSuites: sid\n"
OTHERS = "deb http://security.example/debian-security sid main\ndeb http://packages.example/apt tool main\n"


@pytest.mark.parametrize(
    ("name", "content", "address"),
    [
        ("sources.list", ONE_LINE, "http://archive.example/debian"),
        ("sources.list.d/debian.list", OTHERS + ONE_LINE, "http://archive.example/debian"),
        ("sources.list.d/debian.sources", DEB822, "https://archive.example/debian"),
    ],
)
def test_the_archive_is_the_machine_s_own(name: str, content: str, address: str, tmp_path: Path) -> None:
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / name).write_text(content, encoding="utf-8")

    assert archive_address(tmp_path) == address


def test_a_machine_without_debian_s_archive_is_told_so(tmp_path: Path) -> None:
    (tmp_path / "sources.list").write_text(OTHERS, encoding="utf-8")

    with pytest.raises(DebianError, match="no Debian archive"):
        archive_address(tmp_path)


def test_a_tool_is_found_in_its_variable_then_on_path_then_in_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = Tool("some-tool-7", "install it")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    assert tool.find() is None

    for folder in (tmp_path / "skverdict" / "toolchain" / "bin", tmp_path / "path"):
        folder.mkdir(parents=True)
        (folder / tool.name).touch(mode=0o755)
        assert tool.find() == str(folder / tool.name)

    monkeypatch.setenv("SKVERDICT_SOMETOOL7", "/elsewhere/tool")
    assert tool.find() == "/elsewhere/tool"


def test_a_half_fetched_tree_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    (tmp_path / "skverdict" / "toolchain" / "root").mkdir(parents=True)

    assert fetched_tree() is None


@pytest.mark.parametrize(("ci", "outcome"), [("true", pytest.fail.Exception), ("", pytest.skip.Exception)])
def test_a_missing_tool_fails_in_ci_only(
    ci: str, outcome: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", ci)

    with pytest.raises(outcome, match="install it with"):
        missing("some-tool is not there; install it with: apt-get install some-tool")
