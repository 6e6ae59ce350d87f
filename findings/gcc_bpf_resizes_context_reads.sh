#!/usr/bin/env bash
# GCC for BPF (Debian's gcc-bpf 12.2.0-14+deb12u1+): it takes a program's context for ordinary memory. Two neighbouring
# fields that are copied become one read of 8 bytes, one byte of a field a read of 1 byte, and Linux 6.1.192 refuses both
# ("invalid bpf_context access"), as an sk_msg field is read in its own width alone. clang 19's object of the same source
# is taken; with GCC the context has to be volatile. gcc-bpf 16.2.0 and Linux 7.2.13 gave the same.
set -euo pipefail
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
version=12.2.0-14+deb12u1+
for package in "gcc-bpf=$version" binutils-bpf=2.40-2+1 libmpc3 libisl23; do
    (cd "$work" && { apt-get download -q "$package" || { apt-get update -q && apt-get download -q "$package"; }; } >/dev/null 2>&1)
done
for package in "$work"/*.deb; do
    dpkg -x "$package" "$work/gcc"
done
export LD_LIBRARY_PATH="$work/gcc/usr/lib/$(gcc -print-multiarch)"
export PATH="$work/gcc/usr/bin:$PATH"
cat >"$work/program.bpf.c" <<'END'
#include <linux/bpf.h>

#define SEC(name) __attribute__((section(name), used))

struct pair {
	__u32 port, size;
};

static long (*bpf_trace_printk)(const void *text, __u32 size, ...) = (void *)6;

SEC("sk_msg")
int copies_two_fields(struct sk_msg_md *msg)
{
	struct pair pair = {msg->local_port, msg->size};

	return bpf_trace_printk(&pair, sizeof(pair)) > 0;
}

SEC("sk_msg")
int copies_two_volatile_fields(volatile struct sk_msg_md *msg)
{
	struct pair pair = {msg->local_port, msg->size};

	return bpf_trace_printk(&pair, sizeof(pair)) > 0;
}

SEC("sk_msg")
int looks_at_one_byte(struct sk_msg_md *msg)
{
	return (msg->remote_ip4 & 0xff) == 127;
}

SEC("sk_msg")
int looks_at_one_byte_of_a_volatile_field(volatile struct sk_msg_md *msg)
{
	return (msg->remote_ip4 & 0xff) == 127;
}

char LICENSE[] SEC("license") = "GPL";
END
cat >"$work/user.c" <<'END'
#include "user.h"

static char told[1 << 20];

static int quiet(enum libbpf_print_level level, const char *format, va_list arguments)
{
	return 0;
}

/* Loads the program of that number alone. Gives its name, or NULL behind the last. */
static const char *load_one(int number)
{
	LIBBPF_OPTS(bpf_object_open_opts, options, .kernel_log_buf = told, .kernel_log_size = sizeof(told));
	struct bpf_program *each;
	const char *name = NULL;
	int at = 0;

	object = bpf_object__open_file("/program.o", &options);
	bpf_object__for_each_program(each, object) {
		bpf_program__set_autoload(each, at == number);
		if (at++ == number)
			name = bpf_program__name(each);
	}
	if (name) {
		const char *why = bpf_object__load(object) ? strstr(told, "invalid") : "taken";

		printf("%s: %.*s\n", name, (int)strcspn(why, "\n"), why);
	}
	return name;
}

int main(void)
{
	libbpf_set_print(quiet);
	for (int number = 0; load_one(number); number++)
		;
	return 0;
}
END
cat >"$work/expected" <<'END'
gcc-bpf 12.2.0-14+deb12u1+
6.1.0-56-amd64
copies_two_fields: invalid bpf_context access off=64 size=8
copies_two_volatile_fields: taken
looks_at_one_byte: invalid bpf_context access off=20 size=1
looks_at_one_byte_of_a_volatile_field: taken
end of output, status 0
clang-19
6.1.0-56-amd64
copies_two_fields: taken
copies_two_volatile_fields: taken
looks_at_one_byte: taken
looks_at_one_byte_of_a_volatile_field: taken
end of output, status 0
END
{
    echo "gcc-bpf $version"
    BPF_CC="bpf-gcc -O2 -g0 -mcpu=v3 -isystem /usr/include" guest/run.sh "$work/program.bpf.c" "$work/user.c"
    echo "clang-19"
    guest/run.sh "$work/program.bpf.c" "$work/user.c"
} | tee "$work/seen"
diff "$work/expected" "$work/seen"
