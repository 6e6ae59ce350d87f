"""A Dask cluster as workers, and `skverdict run --dask`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from skverdict.runtime.cli import main
from skverdict.runtime.jobs import Lost, spread

from tests.runtime.jobs_kit import die, double, fail
from tests.runtime.replay_kit import CAPTURES, EXAMPLES

pytestmark = pytest.mark.skipif(find_spec("distributed") is None, reason="skverdict[dask] is not installed")

POLICY = str(EXAMPLES / "hash_redirect.py")
FILES = [str(CAPTURES / f"{name}.pcap") for name in ("tls-sni", "http1-nginx", "memcached-text")]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """The scheduler of two workers, each a process that is started anew when it dies; one death ends a task."""
    import dask
    from distributed import LocalCluster

    settings = {"distributed.scheduler.allowed-failures": 0, "distributed.logging.distributed": "critical"}
    with (
        dask.config.set(settings),
        LocalCluster(
            n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None, silence_logs=50
        ) as cluster,
    ):
        yield cluster.scheduler_address


def test_results_are_in_order(address: str) -> None:
    from skverdict.runtime.jobs.cluster import Cluster

    with Cluster(address) as workers:
        assert spread(double, [0, 1, 2, 3, 4, 4], workers) == [0, 2, 4, 6, 8, 8]


def test_what_is_raised_stands_in_the_place_of_the_result(address: str) -> None:
    from skverdict.runtime.jobs.cluster import Cluster

    with Cluster(address) as workers:
        results = spread(fail, [0, 1, 2], workers)
    assert results[::2] == [0, 2]
    assert isinstance(results[1], ValueError)


def test_an_item_that_kills_every_worker_costs_only_itself(address: str) -> None:
    from skverdict.runtime.jobs.cluster import Cluster

    with Cluster(address) as workers:
        results = spread(die, ["a", "killer", "b", "c"], workers)
    assert [result for result in results if isinstance(result, str)] == ["a", "b", "c"]
    assert isinstance(results[1], Lost)


def test_captures_on_a_cluster_give_what_they_give_here(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["run", POLICY, "--json", "--capture", *FILES]
    assert main(arguments) == 0
    here = capsys.readouterr()
    assert main([*arguments, "--dask", address]) == 0
    assert capsys.readouterr() == here
    assert [report["capture"]["file"] for report in json.loads(here.out)["captures"]] == FILES


def test_a_file_that_fails_on_a_cluster(address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    missing = str(tmp_path / "missing.pcap")
    assert main(["run", POLICY, "--dask", address, "--capture", missing, FILES[0]]) == 1
    printed = capsys.readouterr()
    assert printed.err == f"skverdict: {missing}: No such file or directory\n"
    assert "2 captures through" in printed.out


@pytest.mark.parametrize("nowhere", ["tcp://127.0.0.1:9", "nonsense://x"])
def test_no_scheduler(nowhere: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from skverdict.runtime.jobs import cluster

    monkeypatch.setattr(cluster, "PATIENCE", "200ms")
    assert main(["run", POLICY, "--dask", nowhere, "--capture", FILES[0]]) == 1
    assert capsys.readouterr().err.startswith(f"skverdict: no Dask scheduler answers at {nowhere}: ")
