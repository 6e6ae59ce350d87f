"""Makes the reference pages that are tables of the catalogue, and the pictures: python -m docs.tables"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from skverdict.dsl import load_policy
from skverdict.dsl.catalogue.contexts import CONTEXTS, Field
from skverdict.dsl.catalogue.helpers import HELPERS, Argument, Helper
from skverdict.dsl.catalogue.maps import MAPS
from skverdict.dsl.catalogue.programs import KERNELS, PROGRAMS
from skverdict.runtime import Simulator
from skverdict.runtime.machine.unsupported import UNSUPPORTED
from skverdict.runtime.pictures.lanes import picture
from skverdict.runtime.sockets.options import OPTIONS

NOTE = "This page is made from the compiler's own tables by `python -m docs.tables`.\n"


def helpers_page() -> str:
    """Every helper: signature, who may call it, and since which of the measured kernels."""
    lines = [
        "# Kernel helpers",
        "",
        NOTE,
        "`from skverdict.dsl.helpers import NAME` gives each helper under its kernel name. Those whose first "
        "argument is the context are also methods of it, without the prefix. A column says from which of the "
        f"measured kernels ({', '.join(KERNELS)}) on a program of that kind may call the helper; all three "
        "kinds of `sk_skb` programs are alike. **M** moves the packet, which ends views; **G** is for GPL "
        "licences only; **A** gives something that must be released, and **R** releases it.",
        "",
        "| helper | arguments | gives | sk_skb | sk_msg | sock_ops | |",
        "|---|---|---|---|---|---|---|",
    ]
    for helper in sorted(HELPERS.values(), key=lambda each: each.name):
        if not helper.callers or helper.sleeps:
            continue
        arguments = ", ".join(_argument(each) for each in helper.arguments) or "none"
        since = [helper.callers.get(kind, "") or "-" for kind in ("stream_verdict", "msg_verdict", "sock_ops")]
        lines.append(f"| `{helper.name}` | {arguments} | {helper.returns} | {' | '.join(since)} | {_marks(helper)} |")
    return "\n".join([*lines, *_not_simulated(), *_options()]) + "\n"


def _not_simulated() -> Iterator[str]:
    """The helpers that the simulator refuses, by the reason."""
    yield from ("", "## Not simulated", "")
    yield (
        "Kernels have these, and the simulator refuses a program that calls one when it loads it, with the reason and "
        "the line. So does a map whose values hold what the kernel keeps for itself, but for spin locks and timers."
    )
    yield ""
    reasons: dict[str, list[str]] = {}
    for name, reason in UNSUPPORTED.items():
        if not HELPERS[name].sleeps:
            reasons.setdefault(reason, []).append(f"`{name}`")
    for reason, names in reasons.items():
        yield f"- {', '.join(names)}: {reason}."


def _options() -> Iterator[str]:
    """The options that the simulator knows, for reading and setting."""
    yield from ("", "## Options of sockets", "")
    yield (
        "What `bpf_getsockopt` and `bpf_setsockopt` take on which kernel, in the simulator as measured; all else is "
        "`EINVAL`. `TCP_CONGESTION` (`cubic`, `reno`) and `SO_BINDTODEVICE` (`lo`, only to be set) have bytes for "
        "values, the others an `int`. Buffers, `SO_RCVLOWAT`, `SO_MARK`, `SO_PRIORITY`, `TCP_MAXSEG` and what "
        "callbacks and windows are told act on the simulation, the rest can be read again. A SYN cannot be read."
    )
    yield from ("", "| option | level | number | read from | set from |", "|---|---|---|---|---|")
    for (level, number), option in OPTIONS.items():
        yield f"| `{option.name}` | {level} | {number} | {option.reads or '-'} | {option.sets or '-'} |"


def _argument(argument: Argument) -> str:
    kind = argument.kind if argument.kind != "scalar" else f"{'i' if argument.signed else 'u'}{argument.bits}"
    target = f" {argument.target}" if argument.target else ""
    return f"{argument.name}: {kind}{target}{' or None' if argument.nullable else ''}"


def _marks(helper: Helper) -> str:
    marks = (
        ("M", helper.moves_buffer), ("G", helper.gpl_only), ("A", helper.acquires), ("R", bool(helper.releases))
    )  # fmt: skip
    return " ".join(mark for mark, has in marks if has)


def contexts_page() -> str:
    """Every field of every context, and every program kind that gets it."""
    lines = ["# Programs, contexts and maps", "", NOTE, "## Programs", ""]
    lines += ["| decorator | section | context | program type | attach type |", "|---|---|---|---|---|"]
    for program in PROGRAMS.values():
        lines.append(
            f"| `@{program.kind}` | `{program.section}` | `struct {program.context}` | {program.prog_type} | "
            f"{program.attach_type} |"
        )
    for name, context in CONTEXTS.items():
        lines += ["", f"## `struct {name}`", "", "| field | type | offset | read by | written by |"]
        lines += ["|---|---|---|---|---|", *_fields(context.fields)]
    lines += ["", "## Maps", "", "| class | kernel's kind | number | keys | values | `max_entries` |"]
    lines.append("|---|---|---|---|---|---|")
    for kind in MAPS.values():
        keys, values = (_sizes(sizes) for sizes in (kind.key_sizes, kind.value_sizes))
        lines.append(
            f"| `{kind.class_name}` | {kind.kind} | {kind.map_type} | {keys} | {values} | {kind.entries} |"
        )
    return "\n".join(lines) + "\n"


def _fields(fields: Mapping[str, Field]) -> Iterator[str]:
    for field in fields.values():
        if field.readers:
            kind = field.role or str(field.type)
            since = f" (Linux {field.since} on)" if field.since != KERNELS[0] else ""
            writers = ", ".join(field.writers) or "nobody"
            yield f"| `{field.name}` | {kind}{since} | {field.offset} | {', '.join(field.readers)} | {writers} |"


def _sizes(sizes: range | Sequence[int]) -> str:
    """Sizes in bytes that a declaration may have."""
    if isinstance(sizes, range):
        return f"{sizes[0]} to {sizes[-1]}"
    return "none" if 0 in sizes else " or ".join(map(str, sizes))


def three_ways_picture() -> str:
    """What becomes of three segments under the first policy of the page on the sockmap model."""
    text = Path(__file__).with_name("sockmap-model.md").read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        policy = Path(folder, "three_ways.py")
        policy.write_text(text.partition("```python\n")[2].partition("```")[0])
        simulator = Simulator(load_policy(policy))
    client, server = simulator.tcp_pair(names=("client", "server"))
    upstream, backend = simulator.tcp_pair(names=("upstream", "backend"))
    simulator.maps["sockets"][0] = upstream
    simulator.attach("sockets", verdict="verdict")
    simulator.maps["sockets"][1] = server
    simulator.trace.clear()
    for content in (b"abc", b"1234", b"too long"):
        client.send(content)
    server.recv_all()
    backend.recv_all()
    return picture(simulator.trace)


PAGES: dict[str, Callable[[], str]] = {
    "helpers.md": helpers_page,
    "contexts.md": contexts_page,
    "pictures/three-ways.svg": three_ways_picture,
}
"""What is made, by the path in this folder."""

if __name__ == "__main__":
    for name, make in PAGES.items():
        (Path(__file__).parent / name).write_text(make(), encoding="utf-8")
