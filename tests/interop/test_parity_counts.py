"""Over the whole corpus skverdict's programs are shorter than clang's, and none is longer."""

from __future__ import annotations

import pytest

from bench.code_size import LIMIT, Count, counts_of, failures, total
from tests.interop.conftest import path_of
from tests.interop.toolchain import CLANG_19, CLANG_22
from tests.interop.twins import CORPUS, CPUS, TWINS


@pytest.fixture(scope="module")
def counts(tmp_path_factory: pytest.TempPathFactory) -> list[Count]:
    clangs = [path_of(CLANG_19), path_of(CLANG_22)]
    folder = tmp_path_factory.mktemp("clang")
    return [count for twin in (*TWINS, *CORPUS) for count in counts_of(twin, clangs, folder)]


def test_the_corpus_is_large_enough() -> None:
    assert len(CORPUS) >= 40
    assert all(twin.source.is_file() for twin in CORPUS)


@pytest.mark.parametrize("cpu", CPUS)
def test_no_program_is_longer_than_the_better_clang_s(cpu: str, counts: list[Count]) -> None:
    longer = [count for count in counts if count.cpu == cpu and count.ours > count.best]
    assert longer == []


@pytest.mark.parametrize("cpu", CPUS)
def test_the_total_is_shorter(cpu: str, counts: list[Count]) -> None:
    assert total(counts, cpu).ratio <= LIMIT


def test_what_is_too_long_is_told() -> None:
    good, bad = Count("a", "p", "v1", 9, (10, 11)), Count("a", "q", "v1", 12, (11, 13))
    others = [Count("a", "p", cpu, 9, (10, 11)) for cpu in CPUS[1:]]
    assert failures([good, *others]) == []
    told = failures([good, bad, *others])
    assert told == ["a q at v1: 12 slots, clang 11", "total at v1: 1.000 of the better clang's, at most 0.95"]
