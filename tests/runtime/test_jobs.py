"""Items over workers: order, and what becomes of items whose workers die."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from skverdict.runtime.jobs import ATTEMPTS, Gone, Here, Lost, spread
from skverdict.runtime.jobs.processes import Processes

from tests.runtime.jobs_kit import die, die_once, double, fail, gone, tell_process, wait_for_names

NUMBERS = list(range(6))
DOUBLES = [0, 2, 4, 6, 8, 10]


class Death(Exception):
    """A worker of `Mortal` died."""


class Mortal:
    """Workers that die of an item as often as `deadly` says; `given` has the items in the order of their turns."""

    size = 2
    gone = ""
    deaths = (Death,)

    def __init__(self, deadly: dict[str, int]) -> None:
        self._deadly = dict(deadly)
        self.given: list[str] = []

    def submit(self, function: Callable[..., Any], /, *arguments: Any) -> Future[Any]:
        (item,) = arguments
        self.given.append(item)
        future: Future[Any] = Future()
        if self._deadly.get(item, 0):
            self._deadly[item] -= 1
            future.set_exception(Death())
        else:
            future.set_result(function(item))
        return future


def test_items_of_dead_workers_go_to_others_when_all_else_is_done() -> None:
    workers = Mortal({"a": 2, "b": 1})
    assert spread(str.upper, ["a", "b", "c", "d"], workers) == ["A", "B", "C", "D"]
    assert workers.given == ["a", "b", "c", "d", "a", "b", "a"]


def test_an_item_is_not_blamed_for_what_another_one_does() -> None:
    class Crowded(Mortal):
        """Workers that share their fate: an item dies, too, that is given to them right behind one that kills."""

        def submit(self, function: Callable[..., Any], /, *arguments: Any) -> Future[Any]:
            if self.given[-1:] == ["killer"] and self.given.count("killer") == 1:
                self._deadly[arguments[0]] = 1
            return super().submit(function, *arguments)

    results = spread(str.upper, ["a", "killer", "b", "c"], Crowded({"killer": ATTEMPTS}))
    assert results[::2] == ["A", "B"]
    assert isinstance(results[1], Lost)


def test_an_item_that_kills_every_worker_is_given_up() -> None:
    workers = Mortal({"b": ATTEMPTS})
    done: list[int] = []
    first, lost, last = spread(str.upper, ["a", "b", "c"], workers, done.append)
    assert (first, last) == ("A", "C")
    assert isinstance(lost, Lost)
    assert str(lost) == "the worker died at each of 3 attempts"
    assert workers.given.count("b") == ATTEMPTS
    assert done == [1, 2, 3]


def test_an_item_may_cost_all_workers_but_one() -> None:
    assert spread(str.upper, ["a"], Mortal({"a": ATTEMPTS - 1})) == ["A"]


def test_what_is_raised_stands_in_the_place_of_the_result() -> None:
    results = spread(fail, [0, 1, 2], Here())
    assert results[::2] == [0, 2]
    assert isinstance(results[1], ValueError)


class Fading(Mortal):
    """Workers of which nothing is heard any more once they were given `last`."""

    def submit(self, function: Callable[..., Any], /, *arguments: Any) -> Future[Any]:
        if arguments != ("last",):
            return super().submit(function, *arguments)
        self.gone = "the connection was lost"
        return Future()


def test_once_workers_are_gone_what_was_done_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("skverdict.runtime.jobs.spreading.PATIENCE", 0.01)
    first, *others = spread(str.upper, ["a", "last", "b", "c"], Fading({}))
    assert first == "A"
    assert [(type(other), str(other)) for other in others[::2]] == [(Gone, "the connection was lost")] * 2


def test_nothing_to_do() -> None:
    assert spread(double, [], Here()) == []


def test_an_interrupt_is_not_a_result() -> None:
    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        spread(interrupt, [1], Here())


@pytest.mark.parametrize("size", [1, 2, 4])
def test_results_are_in_order_whatever_the_number_of_processes(size: int) -> None:
    with Processes(size) as workers:
        assert spread(double, NUMBERS, workers) == DOUBLES


def test_a_process_that_is_killed_costs_nothing(tmp_path: Path) -> None:
    items = ["a", str(tmp_path / "1.note"), "b", str(tmp_path / "2.note"), "c"]
    with Processes(2) as workers:
        assert spread(die_once, items, workers) == ["a", "survived", "b", "survived", "c"]


def test_an_item_that_kills_every_process_costs_only_itself() -> None:
    with Processes(2) as workers:
        results = spread(die, ["a", "killer", "b", "c"], workers)
    assert [result for result in results if isinstance(result, str)] == ["a", "b", "c"]
    assert isinstance(results[1], Lost)


def test_processes_end_when_their_use_is_interrupted(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), Processes(2) as workers:
        for _ in range(2):
            workers.submit(tell_process, str(tmp_path))
        processes = wait_for_names(tmp_path, 2)
        raise KeyboardInterrupt
    assert all(gone(int(process)) for process in processes)


def test_processes_end_with_the_one_that_started_them(tmp_path: Path) -> None:
    code = (
        "from skverdict.runtime.jobs.processes import Processes\n"
        "from tests.runtime.jobs_kit import tell_process\n"
        "if __name__ == '__main__':\n"
        f"    Processes(1).submit(tell_process, {str(tmp_path)!r}).result()\n"
    )
    script = tmp_path.parent / f"{tmp_path.name}.py"
    script.write_text(code)
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    parent = subprocess.Popen([sys.executable, script], env=environment, stderr=subprocess.DEVNULL)
    (process,) = wait_for_names(tmp_path, 1)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    assert gone(int(process))
