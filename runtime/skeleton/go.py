"""A loader in Go for cilium/ebpf."""

from __future__ import annotations

from collections.abc import Iterator

from skverdict.runtime.skeleton.parts import Parts, described

_ATTACH_TYPES = {
    "stream_parser": "AttachSkSKBStreamParser",
    "stream_verdict": "AttachSkSKBStreamVerdict",
    "skb_verdict": "AttachSkSKBVerdict",
    "msg_verdict": "AttachSkMsgVerdict",
    "sock_ops": "AttachCGroupSockOps",
}


def text(parts: Parts) -> str:
    """The source of a program that loads and attaches."""
    return "\n".join(_lines(parts)) + "\n"


def _field(prefix: str, name: str) -> str:
    """A name that Go exports; the prefix keeps maps and programs apart."""
    return prefix + "".join(part.title() for part in name.split("_"))


def _lines(parts: Parts) -> Iterator[str]:
    yield f"// Loads {parts.file} and attaches its programs until it is interrupted. Run as root."
    yield "package main"
    yield ""
    yield "import ("
    yield from (f'\t"{name}"' for name in ("fmt", "log", "os", "os/signal"))
    yield ""
    yield '\t"github.com/cilium/ebpf"'
    yield '\t"github.com/cilium/ebpf/link"'
    yield ")"
    yield ""
    yield from (f"// {each.name} is a {described(each)}" for each in parts.maps)
    yield "type policy struct {"
    fields = [(_field("Map", each.name), "*ebpf.Map", each.name) for each in parts.maps]
    fields += [(_field("Program", each.program), "*ebpf.Program", each.program) for each in parts.attachments]
    widths = [max(len(field[column]) for field in fields) for column in range(2)]
    for name, kind, symbol in fields:
        yield f'\t{name:{widths[0]}} {kind:{widths[1]}} `ebpf:"{symbol}"`'
    yield "}"
    yield ""
    yield "func load() (*policy, error) {"
    yield f'\tspec, err := ebpf.LoadCollectionSpec("{parts.file}")'
    yield "\tif err != nil {"
    yield "\t\treturn nil, err"
    yield "\t}"
    for program in parts.attachments:
        if program.kind == "skb_verdict":
            yield "\t// The library knows this section from 0.18 on."
            yield f'\tspec.Programs["{program.program}"].Type = ebpf.SkSKB'
            yield f'\tspec.Programs["{program.program}"].AttachType = ebpf.AttachSkSKBVerdict'
    yield "\tloaded := &policy{}"
    yield "\treturn loaded, spec.LoadAndAssign(loaded, nil)"
    yield "}"
    yield ""
    yield f"func attach(loaded *policy{', cgroup string' if parts.has_cgroup else ''}) error {{"
    for program in parts.attachments:
        name, attach = _field("Program", program.program), f"ebpf.{_ATTACH_TYPES[program.kind]}"
        if program.map:
            yield "\tif err := link.RawAttachProgram(link.RawAttachProgramOptions{"
            yield f"\t\tTarget:  loaded.{_field('Map', program.map)}.FD(),"
            yield f"\t\tProgram: loaded.{name},"
            yield f"\t\tAttach:  {attach},"
            yield "\t}); err != nil {"
        else:
            yield "\tif _, err := link.AttachCgroup(link.CgroupOptions{"
            yield "\t\tPath:    cgroup,"
            yield f"\t\tAttach:  {attach},"
            yield f"\t\tProgram: loaded.{name},"
            yield "\t}); err != nil {"
        yield f'\t\treturn fmt.Errorf("{program.program}: %w", err)'
        yield "\t}"
    yield "\treturn nil"
    yield "}"
    yield ""
    yield "func main() {"
    if parts.has_cgroup:
        yield "\tif len(os.Args) != 2 {"
        yield '\t\tlog.Fatalf("usage: %s CGROUP, a folder of the cgroup2 file system", os.Args[0])'
        yield "\t}"
    yield "\tloaded, err := load()"
    yield "\tif err != nil {"
    yield "\t\tlog.Fatal(err)"
    yield "\t}"
    yield f"\tif err := attach(loaded{', os.Args[1]' if parts.has_cgroup else ''}); err != nil {{"
    yield "\t\tlog.Fatal(err)"
    yield "\t}"
    yield "\t// A socket is put in by a map's Put(key, uint64(its descriptor))."
    yield '\tfmt.Println("attached; interrupt to end")'
    yield "\tinterrupted := make(chan os.Signal, 1)"
    yield "\tsignal.Notify(interrupted, os.Interrupt)"
    yield "\t<-interrupted"
    yield "}"
