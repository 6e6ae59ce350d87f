#!/usr/bin/env bash
# CPython 3.10 to 3.13, multiprocessing with "spawn" or "forkserver": starting the first process, or making the first
# lock or queue, unblocks SIGINT and SIGTERM in the thread that does it, whatever its signal mask was. The resource
# tracker is started then, and its `ensure_running` blocks both around that and afterwards unblocks them, where it would
# have to set the old mask again. So a program that blocks SIGINT around the start of workers, to keep the terminal's
# Ctrl-C from them, shields all but the first, which prints a traceback; and SIGTERM comes where it was to be held back.
# Call multiprocessing.resource_tracker.ensure_running() before blocking: once it runs, the mask is left alone.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/masks.py" <<'END'
import multiprocessing
import signal

HELD = {signal.SIGINT, signal.SIGTERM}


def blocked():
    return sorted(signal.Signals(number).name for number in signal.pthread_sigmask(signal.SIG_BLOCK, ()))


if __name__ == "__main__":
    context = multiprocessing.get_context("spawn")
    for number in (1, 2):
        signal.pthread_sigmask(signal.SIG_BLOCK, HELD)
        before = blocked()
        process = context.Process(target=print)
        process.start()
        print(f"process {number}: blocked before its start {before}, after it {blocked()}")
        process.join()
END
cat >"$work/expected" <<'END'
process 1: blocked before its start ['SIGINT', 'SIGTERM'], after it []
process 2: blocked before its start ['SIGINT', 'SIGTERM'], after it ['SIGINT', 'SIGTERM']
END
for python in python3.10 python3.11 python3.12 python3.13 python3; do
    command -v "$python" >/dev/null || continue
    "$python" --version
    "$python" "$work/masks.py" | grep -v '^$' >"$work/seen"
    diff "$work/expected" "$work/seen"
done
