"""A policy attached by its whole plan, with a record of all that it has in the kernel."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from skverdict.runtime.kernel.bpf import Bpf
from skverdict.runtime.kernel.inventory import take_out
from skverdict.runtime.kernel.kernel import Kernel
from skverdict.runtime.kernel.ledger import RecordLedger
from skverdict.runtime.kernel.records import create
from skverdict.runtime.kernel.source import Source


@contextmanager
def installed(
    bpf: Bpf,
    source: Source,
    attached: Mapping[str, Sequence[str]],
    cgroups: Mapping[str, str],
    *,
    folder: Path,
    name: str,
    policy: str,
    pin: bool,
) -> Iterator[Kernel]:
    """Load `source`, attach programs to socket maps (`attached`: programs by map) and to cgroups (`cgroups`:
    folder by program), those that put sockets into the maps last, and keep record `name` in `folder`.

    Everything is detached, and the record removed, at the end; with `pin`, only if not all could be attached.
    `policy` is noted in the record. Raises RecordTaken, KernelUseError, and what `Kernel` and its `attach`
    raise.
    """
    notes = {"process": str(os.getpid()), "policy": os.path.abspath(policy)}
    if cgroups:
        notes["cgroup"] = os.path.realpath(next(iter(cgroups.values())))
    record = create(folder, name, notes)
    kept = False
    try:
        with Kernel(source, bpf=bpf, keep=pin, ledger=RecordLedger(record, pin)) as kernel:
            for map_name, programs in attached.items():
                kernel.attach(map_name, **{_place(kernel, program): program for program in programs})
            for program, cgroup in cgroups.items():
                kernel.attach_cgroup(program, cgroup)
            if pin:
                record.note("kept", "yes")
                kept = True
            yield kernel
    finally:
        if kept:
            record.release()
        else:
            take_out(bpf, record)


def _place(kernel: Kernel, program: str) -> str:
    """The argument of `attach` for a program."""
    kind = kernel.programs[program].kind
    return "parser" if kind == "stream_parser" else kind or "verdict"
