"""`attach`, `status` and `detach` on a real kernel: nothing is left behind that they do not see and remove."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
from skverdict.runtime.kernel.bpf import Bpf
from skverdict.runtime.kernel.installation import installed
from skverdict.runtime.kernel.inventory import remove, states
from skverdict.runtime.kernel.kernel import Kernel
from skverdict.runtime.kernel.libbpf import load_library
from skverdict.runtime.kernel.records import RecordTaken, names, records_folder
from skverdict.runtime.kernel.source import read_source

from tests.kernel.backend.kit import (
    BPF,
    BYPASS,
    ROOT,
    added,
    cgroup,
    command,
    inventory,
    nothing_left,
    wait_for,
)

SOURCE = read_source(BYPASS)
ATTACHED = {"endpoints": ["bypass"]}
ENDS = ("before", "after")


@pytest.fixture(autouse=True)
def no_records() -> Iterator[None]:
    """What a test that failed left is nothing to the next one."""
    yield
    for name in names(records_folder()):
        remove(BPF, records_folder(), name)


class Older(Bpf):
    """A kernel that has no links."""

    def link(self, program: int, target: int, attach_type: int) -> int:
        raise OSError(errno.EINVAL, "link: Invalid argument")


class Dying(Bpf):
    """Kills its process before or behind the `fatal`-th change."""

    fatal = 0
    when = "before"

    def _changing(self, what: str, *arguments: object) -> object:
        self.fatal -= 1
        if self.fatal == 0 and self.when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        try:
            return getattr(super(), what)(*arguments)
        finally:
            if self.fatal == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    def pin(self, *arguments: object) -> None:
        self._changing("pin", *arguments)

    def attach(self, *arguments: object) -> None:
        self._changing("attach", *arguments)

    def detach(self, *arguments: object) -> None:
        self._changing("detach", *arguments)

    def link(self, *arguments: object) -> int:
        return self._changing("link", *arguments)  # type: ignore[return-value]


class DyingOlder(Dying, Older):
    """The same without links."""


def install(
    bpf: Bpf,
    cgroups: Mapping[str, str],
    *,
    name: str = "bypass",
    pin: bool = False,
    source: object = SOURCE,
) -> object:
    return installed(
        bpf, source, ATTACHED, cgroups, folder=records_folder(), name=name, policy="bypass.py", pin=pin
    )  # type: ignore[arg-type]


def in_child(action: object) -> int:
    """Carry out `action` in a process of its own; its exit status, or the negative signal that killed it."""
    child = os.fork()
    if child == 0:
        try:
            action()  # type: ignore[operator]
        except BaseException:
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def known() -> list[str]:
    return [state.name for state in states(BPF, records_folder())]


@contextmanager
def attaching(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """`skverdict attach` in a process of its own, when it has attached."""
    line = [sys.executable, "-m", "skverdict.runtime.cli", "attach", str(BYPASS), *arguments]
    with subprocess.Popen(
        line, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        assert "is attached" in first, process.communicate()
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def member(path: Path) -> Iterator[None]:
    """This process is in that cgroup meanwhile."""
    (path / "cgroup.procs").write_text(str(os.getpid()), encoding="ascii")
    try:
        yield
    finally:
        (path.parent / "cgroup.procs").write_text(str(os.getpid()), encoding="ascii")


@contextmanager
def traffic() -> Iterator[tuple[object, object]]:
    """A connection that sends both ways."""
    with Kernel(BYPASS) as kernel:
        client, server = kernel.tcp_pair()
        client.send(b"question")
        assert wait_for(server.recv_all) == b"question"
        server.send(b"answer")
        assert wait_for(client.recv_all) == b"answer"
        yield client, server


def test_connections_of_the_cgroup_go_into_the_map_and_through_the_program() -> None:
    with nothing_left(), cgroup("tests") as path, install(BPF, {"remember": str(path)}) as kernel:
        with member(path), kernel.statistics(), traffic():
            assert len(kernel.maps["endpoints"]) == 2
            assert kernel.programs["bypass"].info.runs == 2
        (state,) = states(BPF, records_folder())
        assert (state.name, state.state, state.process) == ("bypass", "running", os.getpid())
        assert [each.name for each in state.programs] == ["bypass", "remember"]
    assert known() == []


def test_an_error_leaves_nothing() -> None:
    with nothing_left(), cgroup("tests") as path:
        with pytest.raises(RuntimeError), install(BPF, {"remember": str(path)}):
            raise RuntimeError
        assert known() == []
        with pytest.raises(OSError, match="none"), install(BPF, {"remember": f"{path}/none"}, pin=True):
            pass
        assert known() == []


@pytest.mark.parametrize("older", [False, True], ids=["links", "older attach"])
def test_what_is_pinned_stays_and_works_until_it_is_removed(older: bool) -> None:
    bpf = (Older if older else Bpf)(load_library())
    with nothing_left(), cgroup("tests") as path:
        with install(bpf, {"remember": str(path)}, pin=True):
            pass
        with member(path), traffic():
            (state,) = states(BPF, records_folder())
            assert (state.state, state.process, state.cgroup) == ("pinned", None, str(path))
            assert [(each.kind, each.entries) for each in state.maps] == [("sockhash", 2)]
        remove(BPF, records_folder(), "bypass")
        assert known() == []
        with member(path), traffic():
            pass


@pytest.mark.parametrize("pin", [False, True], ids=["unpinned", "pinned"])
@pytest.mark.parametrize("dying", [Dying, DyingOlder], ids=["links", "older attach"])
def test_killed_at_any_step_of_attaching(dying: type[Dying], pin: bool) -> None:
    with nothing_left(), cgroup("tests") as path:

        def attach(fatal: int, when: str) -> None:
            bpf = dying(load_library())
            bpf.fatal, bpf.when = fatal, when
            with install(bpf, {"remember": str(path)}, pin=pin):
                pass

        for when in ENDS:
            fatal = 1
            while (code := in_child(partial(attach, fatal, when))) == -signal.SIGKILL:
                before = inventory()
                assert known() == ["bypass"]
                remove(BPF, records_folder(), "bypass")
                assert known() == []
                assert not added(before)
                fatal += 1
            # The last one is not killed; before it, each of its steps was the last.
            assert (code, fatal > 2) == (0, True)
            if pin:
                assert [state.state for state in states(BPF, records_folder())] == ["pinned"]
                remove(BPF, records_folder(), "bypass")
        with member(path), traffic():
            pass


def test_killed_while_it_runs() -> None:
    with nothing_left(), cgroup("tests") as path, attaching("--cgroup", str(path)) as process:
        process.kill()
        process.wait()
        (state,) = wait_for(lambda: states(BPF, records_folder()))
        assert state.state == "left over"
        wait_for(lambda: not any(each.there for each in states(BPF, records_folder())[0].programs))
        assert command("detach", state.name).stdout == f"{state.name}: detached\n"
    assert known() == []


def test_killed_at_any_step_of_detaching() -> None:
    with nothing_left(), cgroup("tests") as path:
        for fatal in range(1, 4):
            with install(Older(load_library()), {"remember": str(path)}, pin=True):
                pass

            def detach(fatal: int = fatal) -> None:
                bpf = Dying(load_library())
                bpf.fatal = fatal
                remove(bpf, records_folder(), "bypass")

            killed = in_child(detach)
            assert killed == (-signal.SIGKILL if fatal <= 2 else 0)
            if killed:
                assert known() == ["bypass"]
                remove(BPF, records_folder(), "bypass")
            assert known() == []


def test_a_half_removed_record_is_removed() -> None:
    with nothing_left(), cgroup("tests") as path:
        with install(BPF, {"remember": str(path)}, pin=True):
            pass
        folder = records_folder() / "bypass"
        for entry in ("attached", "maps"):
            for pin in (folder / entry).iterdir():
                pin.unlink()
        (folder / "cgroup").unlink()
        assert known() == ["bypass"]
        remove(BPF, records_folder(), "bypass")
    assert known() == []


def test_a_map_that_is_full_lets_connections_pass() -> None:
    with nothing_left(), cgroup("tests") as path, Kernel(BYPASS) as outside:
        source = read_source(ROOT / "tests/kernel/backend/small_bypass.o")
        with install(BPF, {"remember": str(path)}, source=source) as kernel, member(path):
            kept = []
            for number in range(3):
                client, server = outside.tcp_pair()
                client.send(b"bytes %d" % number)
                assert wait_for(server.recv_all) == b"bytes %d" % number
                kept.append((client, server))
            (state,) = states(BPF, records_folder())
            assert [(each.entries, each.max_entries) for each in state.maps] == [(2, 2)]
            assert len(kernel.maps["endpoints"]) == 2
            kept[0][0].close()
            kept[0][1].close()
            wait_for(lambda: len(kernel.maps["endpoints"]) < 2)
    assert known() == []


def test_connections_that_end_as_soon_as_they_begin() -> None:
    with nothing_left(), cgroup("tests") as path:
        with install(BPF, {"remember": str(path)}) as kernel, member(path), Kernel(BYPASS) as outside:
            for _ in range(50):
                client, server = outside.tcp_pair()
                client.python.close()
                server.python.close()
            wait_for(lambda: len(kernel.maps["endpoints"]) == 0)
        assert known() == []


def test_a_name_that_is_taken() -> None:
    with nothing_left(), cgroup("tests") as path:
        with install(BPF, {"remember": str(path)}, pin=True):
            pass
        with pytest.raises(RecordTaken, match="'bypass' is taken"), install(BPF, {"remember": str(path)}):
            pass
        done = command("attach", str(BYPASS), "--cgroup", str(path), "--name", "bypass", "--seconds", "0")
        assert done.returncode == 1
        assert "choose a --name, or: skverdict detach bypass" in done.stderr
        remove(BPF, records_folder(), "bypass")


def test_a_pin_path_that_something_else_has() -> None:
    with nothing_left(), cgroup("tests") as path:
        with Kernel(BYPASS) as kernel:
            records_folder().mkdir(exist_ok=True)
            BPF.pin(kernel.programs["bypass"].descriptor, str(records_folder() / "bypass"))
        with pytest.raises(RecordTaken), install(BPF, {"remember": str(path)}, pin=True):
            pass
        assert [(state.name, state.state) for state in states(BPF, records_folder())] == [
            ("bypass", "left over")
        ]
        remove(BPF, records_folder(), "bypass")
        assert names(records_folder()) == []


def test_a_name_that_no_record_can_have() -> None:
    done = command("attach", str(BYPASS), "--cgroup", "/sys/fs/cgroup", "--name", "a/b")
    assert done.returncode == 2
    assert "'a/b' is no name" in done.stderr


def test_a_cgroup_that_is_not_there() -> None:
    with nothing_left():
        done = command("attach", str(BYPASS), "--cgroup", "/sys/fs/cgroup/none")
        assert done.returncode == 1
        assert "/sys/fs/cgroup/none" in done.stderr
        done = command("attach", str(BYPASS), "--cgroup", "/tmp")
        assert "is no cgroup2 folder" in done.stderr
        assert known() == []


@pytest.mark.parametrize("older", [False, True], ids=["links", "older attach"])
def test_a_cgroup_that_goes_away(older: bool) -> None:
    bpf = (Older if older else Bpf)(load_library())
    with nothing_left():
        with cgroup("tests") as path, install(bpf, {"remember": str(path)}, pin=True):
            pass
        (state,) = states(BPF, records_folder())
        assert state.cgroup == f"{path} (gone)"
        remove(BPF, records_folder(), "bypass")
        assert known() == []
        with cgroup("tests") as path, install(bpf, {"remember": str(path)}):
            path.rmdir()
        assert known() == []


def test_two_processes_that_attach_at_once() -> None:
    with nothing_left(), cgroup("tests") as path:

        def attach() -> None:
            with install(Bpf(load_library()), {"remember": str(path)}, pin=True):
                pass

        children = []
        for _ in range(6):
            child = os.fork()
            if child == 0:
                try:
                    attach()
                except RecordTaken:
                    os._exit(3)
                except BaseException:
                    os._exit(1)
                os._exit(0)
            children.append(child)
        codes = sorted(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children)
        assert codes == [0, 3, 3, 3, 3, 3]
        assert [state.state for state in states(BPF, records_folder())] == ["pinned"]
        remove(BPF, records_folder(), "bypass")


def test_two_policies_on_one_cgroup_are_removed_one_by_one() -> None:
    with nothing_left(), cgroup("tests") as path:
        for name in ("first", "second"):
            with install(BPF, {"remember": str(path)}, name=name, pin=True):
                pass
        with member(path), traffic():
            # The socket goes where the first program puts it.
            counts = {state.name: state.maps[0].entries for state in states(BPF, records_folder())}
            assert counts == {"first": 2, "second": 0}
        remove(BPF, records_folder(), "first")
        assert known() == ["second"]
        with member(path), traffic():
            assert states(BPF, records_folder())[0].maps[0].entries == 2
        remove(BPF, records_folder(), "second")


def test_the_commands_from_attach_to_detach() -> None:
    with nothing_left(), cgroup("tests") as path:
        assert command("status").stdout == "nothing is attached\n"
        assert command("detach", "--all").stdout == "nothing is attached\n"
        with attaching("--cgroup", str(path), "--name", "mine") as process:
            with member(path), traffic():
                (shown,) = json.loads(command("status", "--json").stdout)
                assert (shown["name"], shown["state"]) == ("mine", "running")
                assert shown["maps"][0]["entries"] == 2
                assert {each["name"]: each["runs"] for each in shown["programs"]}["bypass"] == 2
                table = command("status").stdout
                assert f"running (process {process.pid})" in table
            process.send_signal(signal.SIGINT)
            output, errors = process.communicate(timeout=60)
            assert (process.returncode, errors) == (0, "")
            assert "pass 2" in output
        assert command("status").stdout == "nothing is attached\n"


def test_detach_ends_a_running_attach() -> None:
    with nothing_left(), cgroup("tests") as path, attaching("--cgroup", str(path)) as process:
        done = command("detach", "--all")
        assert (done.returncode, done.stderr) == (0, "")
        assert process.wait(timeout=60) == 0


def test_detach_of_what_is_not_there() -> None:
    done = command("detach", "nothing")
    assert (done.returncode, done.stderr) == (1, "skverdict: nothing is attached as nothing\n")
    assert command("status", "nothing").returncode == 1


def test_attach_pins_and_ends_at_once() -> None:
    with nothing_left(), cgroup("tests") as path:
        began = time.monotonic()
        done = command("attach", str(BYPASS), "--cgroup", str(path), "--pin", "--seconds", "0", "--json")
        assert (done.returncode, time.monotonic() - began < 60) == (0, True)
        assert [each["name"] for each in json.loads(done.stdout)["programs"]] == ["remember", "bypass"]
        assert "pinned" in command("status").stdout
        assert command("detach", "local_bypass").returncode == 0
        assert known() == []
