"""Native code on disk: made once, and never believed when somebody else may have written it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from skverdict.runtime.native import cache

PARTS = ("text", "cpu")


class Maker:
    """Counts how often it had to make something."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> bytes:
        self.times += 1
        return b"code"


@pytest.fixture(autouse=True)
def where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "skverdict" / "native"


def _file(where: Path) -> Path:
    (found,) = where.iterdir()
    return found


def test_what_was_made_is_not_made_again(where: Path) -> None:
    make = Maker()
    assert [cache.cached(PARTS, make) for _ in range(3)] == [b"code"] * 3
    assert make.times == 1
    assert where.stat().st_mode & 0o777 == 0o700
    assert _file(where).stat().st_mode & 0o777 == 0o600


def test_every_part_and_where_it_ends_counts() -> None:
    make = Maker()
    for parts in (("ab", "c"), ("a", "bc"), ("abc",), ("abc", "")):
        cache.cached(parts, make)
    assert make.times == 4


@pytest.mark.parametrize("position", [0, 5, 25, -1])
def test_a_file_with_a_changed_byte_is_written_anew(where: Path, position: int) -> None:
    make = Maker()
    cache.cached(PARTS, make)
    content = bytearray(_file(where).read_bytes())
    content[position] ^= 1
    _file(where).write_bytes(content)
    assert cache.cached(PARTS, make) == b"code"
    assert make.times == 2
    assert cache.cached(PARTS, make) == b"code"
    assert make.times == 2


@pytest.mark.parametrize("length", [0, 10, 40, 54])
def test_a_file_that_was_cut_short_is_written_anew(where: Path, length: int) -> None:
    make = Maker()
    cache.cached(PARTS, make)
    os.truncate(_file(where), length)
    assert cache.cached(PARTS, make) == b"code"
    assert make.times == 2


@pytest.mark.parametrize("what", ["file", "folder"])
def test_what_others_can_write_to_is_not_believed(where: Path, what: str) -> None:
    make = Maker()
    cache.cached(PARTS, make)
    (where if what == "folder" else _file(where)).chmod(0o777)
    assert cache.cached(PARTS, make) == b"code"
    assert make.times == 2


def test_what_belongs_to_somebody_else_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    make = Maker()
    cache.cached(PARTS, make)
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    cache.cached(PARTS, make)
    assert make.times == 2


def test_a_link_is_not_followed(where: Path, tmp_path: Path) -> None:
    make = Maker()
    cache.cached(PARTS, make)
    elsewhere = tmp_path / "elsewhere"
    file = _file(where)
    file.rename(elsewhere)
    file.symlink_to(elsewhere)
    assert cache.cached(PARTS, make) == b"code"
    assert make.times == 2


def test_a_folder_that_cannot_be_made_does_no_harm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert cache.cached(PARTS, Maker()) == b"code"


def test_the_files_that_were_used_least_lately_go(where: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "_MOST", 2)
    monkeypatch.setattr(cache, "_KEPT", 2)
    for time, name in enumerate(("one", "two", "three"), 1000):
        before = set(where.iterdir()) if where.exists() else set()
        cache.cached((name,), Maker())
        for path in set(where.iterdir()) - before:
            os.utime(path, (time, time))
    make = Maker()
    cache.cached(("three",), make)
    cache.cached(("two",), make)
    assert make.times == 0
    cache.cached(("one",), make)
    assert make.times == 1
