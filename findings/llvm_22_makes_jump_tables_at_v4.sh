#!/usr/bin/env bash
# LLVM 22.1 (llvmlite 0.50.0), BPF backend at -mcpu=v4: a `switch` of 13 cases or more becomes a table of addresses and the
# new instruction `gotox` (opcode 0x0d), where LLVM 20.1 (llvmlite 0.46.0) compares. The table lies in `.jumptables`, of
# which libbpf 1.7 makes a map that Linux 7.2 has and 6.12 has not: with Debian 12's libbpf 1.1 an object that loaded
# before the compiler's update is refused, though it uses nothing new. 12 cases, or v3, or the attribute
# "no-jump-tables"="true" (clang: -fno-jump-tables) keep it loadable wherever the rest of it is.
set -euo pipefail
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/emit.py" <<'END'
import importlib.metadata
import struct
import sys

import llvmlite.binding as llvm

llvm.initialize_all_targets()
llvm.initialize_all_asmprinters()


def module(cases, attributes):
    labels = "\n".join(f"    i32 {case}, label %c{case}" for case in range(1, cases + 1))
    blocks = "\n".join(
        f"c{case}:\n  %r{case} = call i64 inttoptr (i64 7 to ptr)()\n  %s{case} = xor i64 %r{case}, {case * case}\n"
        f"  br label %end"
        for case in range(1, cases + 1)
    )
    incoming = ", ".join(f"[ %s{case}, %c{case} ]" for case in range(1, cases + 1))
    return f"""target triple = "bpf"
@LICENSE = global [4 x i8] c"GPL\\00", section "license"
define i64 @verdict(ptr %msg) {attributes} section "sk_msg" {{
entry:
  %place = getelementptr i8, ptr %msg, i64 68
  %size = load volatile i32, ptr %place
  switch i32 %size, label %end [
{labels}
  ]
{blocks}
end:
  %all = phi i64 [ 1, %entry ], {incoming}
  %result = and i64 %all, 1
  ret i64 %result
}}
"""


def sections(content):
    headers, count, names = *struct.unpack_from("<Q", content, 40), *struct.unpack_from("<HH", content, 60)
    found = [struct.unpack_from("<IIQQQQ", content, headers + 64 * index) for index in range(count)]
    start = found[names][4]
    for name, _, _, _, offset, size in found:
        at = start + name
        yield content[at : content.index(b"\0", at)].decode(), content[offset : offset + size]


version = ".".join(map(str, llvm.llvm_version_info[:2]))
print("llvmlite", importlib.metadata.version("llvmlite"), "LLVM", version)
for cases, cpu, attributes in ((13, "v3", ""), (12, "v4", ""), (13, "v4", ""), (13, "v4", '"no-jump-tables"="true"')):
    made = llvm.parse_assembly(module(cases, attributes))
    content = llvm.Target.from_triple("bpf").create_target_machine(cpu=cpu, opt=2).emit_object(made)
    parts = dict(sections(content))
    gotox = sum(code == 0x0D for code in parts["sk_msg"][::8])
    table = len(parts.get(".jumptables", b"")) // 8
    print(f"{cases} cases at {cpu}{' with ' + attributes if attributes else ''}: gotox {gotox}, entries in tables {table}")
    with open(f"{sys.argv[1]}/{version}.{cases}.{cpu}{'.no' if attributes else ''}.o", "wb") as file:
        file.write(content)
END
for version in 0.46.0 0.50.0; do
    python3 -m venv "$work/$version"
    "$work/$version/bin/pip" install -q "llvmlite==$version"
done
# Gives the guest an object that is there already.
cat >"$work/take" <<'END'
#!/bin/sh
while [ "$1" != -o ]; do shift; done
cp "$OBJECT" "$2"
END
chmod +x "$work/take"
cat >"$work/user.c" <<'END'
#include "user.h"

static int first_line(enum libbpf_print_level level, const char *format, va_list arguments)
{
	static int told;

	return level > LIBBPF_WARN || told++ ? 0 : vprintf(format, arguments);
}

int main(void)
{
	libbpf_set_print(first_line);
	object = bpf_object__open_file("/program.o", NULL);
	puts(object && !bpf_object__load(object) ? "taken" : "refused");
	return 0;
}
END
cat >"$work/expected" <<'END'
llvmlite 0.46.0 LLVM 20.1
13 cases at v3: gotox 0, entries in tables 0
12 cases at v4: gotox 0, entries in tables 0
13 cases at v4: gotox 0, entries in tables 0
13 cases at v4 with "no-jump-tables"="true": gotox 0, entries in tables 0
llvmlite 0.50.0 LLVM 22.1
13 cases at v3: gotox 0, entries in tables 0
12 cases at v4: gotox 0, entries in tables 0
13 cases at v4: gotox 1, entries in tables 13
13 cases at v4 with "no-jump-tables"="true": gotox 0, entries in tables 0
20.1.13.v4
6.1.0-56-amd64
taken
end of output, status 0
22.1.13.v4
6.1.0-56-amd64
libbpf: prog 'verdict': bad map relo against 'BPF.JT.0.0' in section '.jumptables'
refused
end of output, status 0
END
{
    for version in 0.46.0 0.50.0; do
        "$work/$version/bin/python" "$work/emit.py" "$work"
    done
    for object in 20.1.13.v4 22.1.13.v4; do
        echo "$object"
        OBJECT="$work/$object.o" BPF_CC="$work/take" guest/run.sh "$work/none" "$work/user.c"
    done
} | tee "$work/seen"
diff "$work/expected" "$work/seen"
