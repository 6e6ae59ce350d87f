"""Commands with guests: which images, and how they end where no guest can run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.interop.toolchain import Tree
from tests.kernel import command
from tests.kernel.guest import GuestError


def test_without_what_guests_need_a_command_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "fetched_tree", lambda: None)
    assert command.with_guests("compare", lambda tree: 0) == 2
    assert capsys.readouterr().err.startswith("compare: no libbpf for the guest in the cache; fetch it with: python -m")


def test_a_guest_that_fails_ends_a_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(tree: Tree) -> int:
        raise GuestError("it stopped")

    monkeypatch.setattr(command, "fetched_tree", lambda: "a tree")
    assert command.with_guests("walked", fail) == 2
    assert capsys.readouterr().err == "walked: it stopped\n"
    assert command.with_guests("walked", lambda tree: 1) == 1


def test_images_are_those_given_and_else_the_releases_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "kernel_image", lambda name: Path("fetched") / name)
    assert dict(command.images(["6.1=some/image"])) == {"6.1": Path("some/image")}
    every = dict(command.images(["6.1=some/image"], command.KERNELS))
    assert every == {"6.1": Path("some/image"), "6.12": Path("fetched/6.12"), "7.2": Path("fetched/7.2")}
    assert list(dict(command.images([]))) == ["6.1", "6.12", "7.2"]
