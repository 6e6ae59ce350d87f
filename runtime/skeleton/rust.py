"""A loader in Rust for aya 0.13."""

from __future__ import annotations

from collections.abc import Iterator

from skverdict.runtime.inspection import MapSummary
from skverdict.runtime.skeleton.parts import Attachment, Parts, SkeletonError, described

_PROGRAMS = {
    "stream_parser": "SkSkb",
    "stream_verdict": "SkSkb",
    "msg_verdict": "SkMsg",
    "sock_ops": "SockOps",
}
#: How each class takes a socket.
_PUT = {"SockHash": "insert(key, socket, 0)", "SockMap": "set(index, &socket, 0)"}


def text(parts: Parts) -> str:
    """The source of a program that loads and attaches. Raises SkeletonError for what aya does not have."""
    for each in parts.attachments:
        if each.kind not in _PROGRAMS:
            raise SkeletonError(f"aya has no {each.kind} programs, such as {each.program}")
    return "\n".join(_lines(parts)) + "\n"


def _lines(parts: Parts) -> Iterator[str]:
    targets = {each.name: each for each in parts.maps if each.name in {a.map for a in parts.attachments}}
    classes = sorted({_class(each) for each in targets.values()})
    programs = sorted({_PROGRAMS[each.kind] for each in parts.attachments})
    modes = ["CgroupAttachMode"] if parts.has_cgroup else []
    yield f"//! Loads {parts.file} and attaches its programs until standard input ends. Run as root."
    yield "//!"
    yield "//! Cargo.toml needs: aya = \"0.13\""
    yield ""
    yield "use std::error::Error;"
    yield "use std::io::Read;"
    yield ""
    if classes:
        yield f"use aya::maps::{_braced(classes)};"
    yield f"use aya::programs::{_braced([*modes, *programs])};"
    yield "use aya::Ebpf;"
    yield ""
    yield "fn main() -> Result<(), Box<dyn Error>> {"
    if parts.has_cgroup:
        yield "    // A folder of the cgroup2 file system."
        yield '    let path = std::env::args().nth(1).ok_or("usage: loader CGROUP")?;'
        yield "    let cgroup = std::fs::File::open(path)?;"
    yield f'    let mut policy = Ebpf::load_file("{parts.file}")?;'
    yield ""
    for each in parts.maps:
        yield f'    // Map "{each.name}", {described(each)}.'
    for target in targets.values():
        key = f", [u8; {target.key_size}]" if target.kind == "sockhash" else ""
        yield f'    let map = policy.map("{target.name}").ok_or("no map {target.name}")?;'
        yield f"    let {target.name} = {_class(target)}::<_{key}>::try_from(map)?.fd().try_clone()?;"
    for program in parts.attachments:
        yield ""
        yield from _attach(program)
    yield ""
    for name in classes:
        yield f"    // A socket is put in by the {name}'s {_PUT[name]}, of policy.map_mut(MAP)."
    yield '    println!("attached; end of input (Ctrl-D) to end");'
    yield "    std::io::stdin().read_to_end(&mut Vec::new())?;"
    yield "    Ok(())"
    yield "}"


def _class(map_: MapSummary) -> str:
    return "SockHash" if map_.kind == "sockhash" else "SockMap"


def _braced(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{{{', '.join(names)}}}"


def _attach(program: Attachment) -> Iterator[str]:
    name = program.program
    yield f'    let {name}: &mut {_PROGRAMS[program.kind]} = policy'
    yield f'        .program_mut("{name}")'
    yield f'        .ok_or("no program {name}")?'
    yield "        .try_into()?;"
    yield f"    {name}.load()?;"
    target = f"&{program.map}" if program.map else "cgroup, CgroupAttachMode::Single"
    yield f"    {name}.attach({target})?;"
