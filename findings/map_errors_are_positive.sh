#!/usr/bin/env bash
# Linux 6.1.192 (Debian 6.1.0-56): in a program, an error of bpf_map_update_elem or bpf_map_delete_elem is a positive number.
# The helpers are declared as `long`, and a C compiler tests all of r0, but the verifier replaces the call by the map's own
# function, which gives an int here: -E2BIG comes as 0xfffffff9. `if (bpf_map_update_elem(...) < 0)` is never true and
# `== -ENOENT` neither; `!= 0` works, and so does an `int` that the result is kept in. On 6.12.117 and 7.2.13 those
# functions give a long, and all tests work.
set -euo pipefail
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/program.bpf.c" <<'END'
#include "program.h"

static long (*bpf_map_update_elem)(void *, const void *, const void *, u64) = (void *)2;
static long (*bpf_map_delete_elem)(void *, const void *) = (void *)3;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u64);
} table SEC(".maps");

static inline void note(u32 slot, u64 seen)
{
	u64 *value = number(slot);

	if (value)
		*value = seen;
}

SEC("sk_msg")
int verdict(struct sk_msg_md *msg)
{
	u32 first = 1, second = 2;
	u64 value = 3;
	long error;
	int narrow;

	bpf_map_update_elem(&table, &first, &value, BPF_ANY);
	error = bpf_map_update_elem(&table, &second, &value, BPF_ANY);
	note(0, error);
	note(1, error < 0);
	narrow = bpf_map_update_elem(&table, &second, &value, BPF_ANY);
	note(2, narrow < 0);
	note(3, bpf_map_update_elem(&table, &second, &value, BPF_ANY) != 0);
	note(4, bpf_map_delete_elem(&table, &second) == -2);
	return SK_PASS;
}
END
cat >"$work/user.c" <<'END'
#include "user.h"

int main(void)
{
	int pair[2];

	load();
	attach("verdict", BPF_SK_MSG_VERDICT);
	connect_pair(pair);
	put(0, pair[0]);
	say(pair[0], "hello");
	printf("update of a full map: %#llx\n", get(0));
	printf("< 0: %lld, as int: %lld, != 0: %lld\n", get(1), get(2), get(3));
	printf("delete of no entry == -ENOENT: %lld\n", get(4));
	return 0;
}
END
cat >"$work/expected" <<'END'
6.1.0-56-amd64
send "hello": 5
update of a full map: 0xfffffff9
< 0: 0, as int: 1, != 0: 1
delete of no entry == -ENOENT: 0
end of output, status 0
END
guest/run.sh "$work/program.bpf.c" "$work/user.c" | tee "$work/seen"
diff "$work/expected" "$work/seen"
