"""Lines of the trace pipe, read from a pipe."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
from skverdict.runtime.kernel.errors import KernelUnavailable
from skverdict.runtime.kernel.printed import Printed, TracePipe, parsed, pipe_path


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            "          python-62      [000] b.s21    12.345678: bpf_trace_printk: length 5",
            Printed("python", 62, 0, 12.345678, "length 5"),
        ),
        (
            " kworker/0:1-eve-13      (     13) [001] ..s.1   0.5: bpf_trace_printk: a: b",
            Printed("kworker/0:1-eve", 13, 1, 0.5, "a: b"),
        ),
        ("  a-62  [000] b.s21  12.345678: bpf_trace_printk: ", Printed("a", 62, 0, 12.345678, "")),
        ("          python-62      [000] ....1    12.3: tcp_probe: family", None),
        ("CPU:0 [LOST 3 EVENTS]", None),
    ],
)  # fmt: skip
def test_a_line_is_taken_apart(line: str, expected: Printed | None) -> None:
    assert parsed(line) == expected


LINE = b"  a-1  [000] b.s21  1.0: bpf_trace_printk: %s\n"


@pytest.fixture
def fifo(tmp_path: Path) -> Path:
    path = tmp_path / "trace_pipe"
    os.mkfifo(path)
    return path


def test_lines_come_whole(fifo: Path) -> None:
    pipe = TracePipe(fifo)
    with open(fifo, "wb", buffering=0) as writer:
        writer.write(LINE % b"one" + (LINE % b"two")[:20])
        assert [line.text for line in pipe.take()] == ["one"]
        writer.write((LINE % b"two")[20:])
        assert [line.text for line in pipe.events(seconds=0)] == ["two"]
    pipe.close()
    pipe.close()


def test_lines_with_asyncio(fifo: Path) -> None:
    async def two(pipe: TracePipe) -> list[str]:
        texts = []
        async for line in pipe:
            texts.append(line.text)
            if len(texts) == 2:
                break
        return texts

    pipe = TracePipe(fifo)
    with open(fifo, "wb", buffering=0) as writer:
        writer.write(LINE % b"one" + LINE % b"two")
        assert asyncio.run(two(pipe)) == ["one", "two"]
    pipe.close()


def test_without_a_trace_file_system(tmp_path: Path) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(f"none {tmp_path} debugfs rw 0 0\n", encoding="utf-8")
    with pytest.raises(KernelUnavailable, match="mount -t tracefs"):
        pipe_path(mounts)
    (tmp_path / "tracing").mkdir()
    (tmp_path / "tracing" / "trace_pipe").touch()
    assert pipe_path(mounts) == tmp_path / "tracing" / "trace_pipe"
