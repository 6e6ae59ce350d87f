"""A loader in C for libbpf 1.0 and later."""

from __future__ import annotations

from collections.abc import Iterator

from skverdict.runtime.skeleton.parts import Attachment, Parts, described

_ATTACH_TYPES = {
    "stream_parser": "BPF_SK_SKB_STREAM_PARSER",
    "stream_verdict": "BPF_SK_SKB_STREAM_VERDICT",
    "skb_verdict": "BPF_SK_SKB_VERDICT",
    "msg_verdict": "BPF_SK_MSG_VERDICT",
    "sock_ops": "BPF_CGROUP_SOCK_OPS",
}


def text(parts: Parts) -> str:
    """The source of a program that loads and attaches."""
    return "\n".join(_lines(parts)) + "\n"


def _lines(parts: Parts) -> Iterator[str]:
    cgroup = " CGROUP" if parts.has_cgroup else ""
    yield f"/* Loads {parts.file} and attaches its programs until it is interrupted. Run as root:"
    yield " *"
    yield f" *     cc -o loader THIS_FILE -lbpf && ./loader{cgroup}"
    yield " */"
    yield "#include <errno.h>"
    if parts.has_cgroup:
        yield "#include <fcntl.h>"
    yield from (f"#include <{name}>" for name in ("signal.h", "stdio.h", "string.h", "unistd.h"))
    yield "#include <bpf/bpf.h>"
    yield "#include <bpf/libbpf.h>"
    yield ""
    yield "struct policy {"
    yield "    struct bpf_object *object;"
    yield from (f"    struct bpf_map *{each.name}; /* {described(each)} */" for each in parts.maps)
    yield from (f"    struct bpf_program *{each.program};" for each in parts.attachments)
    yield "};"
    yield ""
    yield "static int load(struct policy *policy)"
    yield "{"
    yield f'    policy->object = bpf_object__open_file("{parts.file}", NULL);'
    yield "    if (!policy->object)"
    yield "        return -errno;"
    for each in parts.maps:
        yield f'    policy->{each.name} = bpf_object__find_map_by_name(policy->object, "{each.name}");'
    for program in parts.attachments:
        yield f'    policy->{program.program} = bpf_object__find_program_by_name(policy->object, "{program.program}");'
    names = [each.name for each in parts.maps] + [each.program for each in parts.attachments]
    yield f"    if ({' || '.join(f'!policy->{name}' for name in names)})"
    yield "        return -ENOENT;"
    for program in parts.attachments:
        if program.kind == "skb_verdict":
            yield "    /* libbpf knows this section from 1.4 on. */"
            yield f"    bpf_program__set_type(policy->{program.program}, BPF_PROG_TYPE_SK_SKB);"
            yield f"    bpf_program__set_expected_attach_type(policy->{program.program}, BPF_SK_SKB_VERDICT);"
    yield "    return bpf_object__load(policy->object);"
    yield "}"
    yield ""
    yield f"static int attach(struct policy *policy{', int cgroup' if parts.has_cgroup else ''})"
    yield "{"
    yield "    int error;"
    for program in parts.attachments:
        yield ""
        yield f"    error = {_attach(program)};"
        yield "    if (error)"
        yield "        return error;"
    yield "    return 0;"
    yield "}"
    yield ""
    yield "static void stop(int signal)"
    yield "{"
    yield "    (void)signal;"
    yield "}"
    yield ""
    yield "int main(int argc, char **argv)"
    yield "{"
    yield "    struct policy policy = {};"
    yield "    int error;"
    yield ""
    if parts.has_cgroup:
        yield "    int cgroup = argc == 2 ? open(argv[1], O_RDONLY | O_DIRECTORY) : -1;"
        yield "    if (cgroup < 0) {"
        yield '        fprintf(stderr, "usage: %s CGROUP, a folder of the cgroup2 file system\\n", argv[0]);'
        yield "        return 2;"
        yield "    }"
    else:
        yield "    (void)argc;"
    yield "    error = load(&policy);"
    yield "    if (!error)"
    yield f"        error = attach(&policy{', cgroup' if parts.has_cgroup else ''});"
    yield "    if (error) {"
    yield '        fprintf(stderr, "%s: %s\\n", argv[0], strerror(-error));'
    yield "        return 1;"
    yield "    }"
    yield "    /* A socket is put in by bpf_map_update_elem(bpf_map__fd(MAP), &key, &its_descriptor, BPF_ANY). */"
    yield '    puts("attached; interrupt to end");'
    yield "    signal(SIGINT, stop);"
    yield "    signal(SIGTERM, stop);"
    yield "    pause();"
    yield "    bpf_object__close(policy.object);"
    yield "    return 0;"
    yield "}"


def _attach(program: Attachment) -> str:
    target = f"bpf_map__fd(policy->{program.map})" if program.map else "cgroup"
    descriptor = f"bpf_program__fd(policy->{program.program})"
    return f"bpf_prog_attach({descriptor}, {target}, {_ATTACH_TYPES[program.kind]}, 0)"
