"""Records of what is attached: made, seen and removed, whatever became of their process. On a stand-in."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
from skverdict.runtime.kernel.errors import KernelUnavailable, KernelUseError
from skverdict.runtime.kernel.installation import installed
from skverdict.runtime.kernel.inventory import remove, states
from skverdict.runtime.kernel.mounts import mounted
from skverdict.runtime.kernel.records import Record, RecordHeld, RecordTaken, create, records_folder
from skverdict.runtime.kernel.source import read_source

from tests.runtime.kernel_kit import LAB, StandIn

PLAN = {"watched": ["parser", "verdict"]}


def install(bpf: StandIn, folder: Path, name: str = "lab", pin: bool = False) -> object:
    return installed(
        bpf, read_source(LAB), PLAN, {}, folder=folder, name=name, policy="policies/lab.o", pin=pin
    )


def test_a_running_policy_is_seen_with_its_process(tmp_path: Path) -> None:
    bpf = StandIn()
    with install(bpf, tmp_path):
        (state,) = states(bpf, tmp_path)
        assert (state.name, state.state, state.process) == ("lab", "running", os.getpid())
        assert state.policy == os.path.abspath("policies/lab.o")
        assert {each.name for each in state.programs} == {"parser", "verdict", "skb_verdict", "msg_verdict"}
        assert ("watched", "sockmap") in {(each.name, each.kind) for each in state.maps}
    assert states(bpf, tmp_path) == []
    assert not bpf.open_handles


@pytest.mark.parametrize("links", [True, False])
def test_a_pinned_policy_stays_until_it_is_removed(tmp_path: Path, links: bool) -> None:
    bpf = StandIn(links)
    with install(bpf, tmp_path, pin=True):
        pass
    (state,) = states(bpf, tmp_path)
    assert (state.state, state.process) == ("pinned", None)
    assert state.attached == ["watched-parser-4", "watched-verdict-5"]
    assert len(bpf.attached_programs) == (0 if links else 2)
    remove(bpf, tmp_path, "lab")
    assert os.listdir(tmp_path) == []
    assert not bpf.attached_programs


@pytest.mark.parametrize("pin", [True, False])
def test_a_policy_that_cannot_be_attached_whole_leaves_nothing(tmp_path: Path, pin: bool) -> None:
    bpf = StandIn(links=False)
    bpf.refusals["attach"] = errno.EINVAL
    with pytest.raises(OSError, match="parser on map watched"), install(bpf, tmp_path, pin=pin):
        pass
    assert os.listdir(tmp_path) == []
    assert not bpf.attached_programs
    assert not bpf.open_handles


def test_a_pin_that_cannot_be_made_leaves_nothing(tmp_path: Path) -> None:
    bpf = StandIn()
    bpf.refusals["pin verdict"] = errno.ENOSPC
    with pytest.raises(OSError), install(bpf, tmp_path, pin=True):
        pass
    assert os.listdir(tmp_path) == []
    assert not bpf.open_handles


def test_a_name_is_taken_once(tmp_path: Path) -> None:
    with (
        install(StandIn(), tmp_path),
        pytest.raises(RecordTaken, match="'lab' is taken"),
        install(StandIn(), tmp_path),
    ):
        pass
    with install(StandIn(), tmp_path), install(StandIn(), tmp_path, "other"):
        assert sorted(os.listdir(tmp_path)) == ["lab", "other"]


@pytest.mark.parametrize("name", ["", "a.b", "a/b", "..", "x" * 65])
def test_names_that_no_record_has(tmp_path: Path, name: str) -> None:
    with pytest.raises(KernelUseError, match="is no name"):
        create(tmp_path, name, {})
    assert os.listdir(tmp_path) == []


def test_what_a_killed_process_left_is_seen_and_removed(tmp_path: Path) -> None:
    script = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from skverdict.runtime.kernel.records import create\n"
        "create(Path(sys.argv[1]), 'lab', {'process': str(os.getpid())})\n"
        "os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=False)
    bpf = StandIn()
    assert [(each.name, each.state) for each in states(bpf, tmp_path)] == [("lab", "left over")]
    remove(bpf, tmp_path, "lab")
    assert os.listdir(tmp_path) == []


def test_something_else_under_a_name_is_seen_and_removed(tmp_path: Path) -> None:
    (tmp_path / "lab").touch()
    bpf = StandIn()
    assert [(each.name, each.state) for each in states(bpf, tmp_path)] == [("lab", "left over")]
    remove(bpf, tmp_path, "lab")
    assert os.listdir(tmp_path) == []


def test_a_record_has_one_holder(tmp_path: Path) -> None:
    record = create(tmp_path, "lab", {"process": "12"})
    with pytest.raises(RecordHeld, match="lab is held by process 12"):
        Record(record.path)
    record.release()
    Record(record.path).release()


def test_a_record_whose_process_is_not_its_holder_is_not_removed(tmp_path: Path) -> None:
    # Process 1 does not have the record open: its number was used again, or is of another container.
    record = create(tmp_path, "lab", {"process": "1"})
    with pytest.raises(RecordHeld):
        remove(StandIn(), tmp_path, "lab")
    assert record.path.exists()


def test_removing_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        remove(StandIn(), tmp_path, "lab")


def test_the_folder_is_on_the_bpf_file_system(tmp_path: Path) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text("proc /proc proc rw 0 0\nbpf /sys/fs/b\\040pf bpf rw 0 0\n", encoding="utf-8")
    assert records_folder(mounts) == Path("/sys/fs/b pf/skverdict")
    mounts.write_text("proc /proc proc rw 0 0\n", encoding="utf-8")
    with pytest.raises(KernelUnavailable, match="mount -t bpf bpf /sys/fs/bpf"):
        records_folder(mounts)


def test_mounts_with_names_of_any_kind(tmp_path: Path) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_bytes("none /größe\\134x tracefs rw 0 0\n".encode())
    assert list(mounted("tracefs", mounts)) == [Path("/größe\\x")]
