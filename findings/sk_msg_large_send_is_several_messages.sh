#!/usr/bin/env bash
# Linux 6.1.192 (Debian 6.1.0-56): one blocking send of more than half a megabyte is several messages for an sk_msg
# program: it is run for at most 557056 bytes (17 fragments of 32 KiB, less where the first one begins within its page)
# and again for the rest, with size and offsets starting anew. A program that frames by send, or that looks for a header
# at the start of what it is given, goes wrong there. 6.12.117 and 7.2.13 gave the same.
set -euo pipefail
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/program.bpf.c" <<'END'
#include "program.h"

SEC("sk_msg")
int verdict(struct sk_msg_md *msg)
{
	u64 *total = number(1), *largest = number(2);

	add(0);
	if (total)
		*total += msg->size;
	if (largest && msg->size > *largest)
		*largest = msg->size;
	return SK_PASS;
}
END
cat >"$work/user.c" <<'END'
#include "user.h"

#include <pthread.h>

static char bytes[4 << 20];

static void *drain(void *socket)
{
	static char sink[1 << 16];

	while (recv(*(int *)socket, sink, sizeof(sink), 0) > 0)
		;
	return NULL;
}

int main(void)
{
	const int lengths[] = {70000, 500000, 600000, 4000000};
	int pair[2];
	pthread_t reader;

	load();
	attach("verdict", BPF_SK_MSG_VERDICT);
	connect_pair(pair);
	put(0, pair[0]);
	pthread_create(&reader, NULL, drain, &pair[1]);
	for (int i = 0; i < 4; i++) {
		for (int slot = 0; slot < 3; slot++)
			set(slot, 0);
		printf("send %zd: ", send(pair[0], bytes, lengths[i], 0));
		printf("%s, all of it seen: %s, at most 557056 at once: %s\n",
		       get(0) == 1 ? "one run" : "several runs", get(1) == lengths[i] ? "yes" : "no",
		       get(2) <= 557056 ? "yes" : "no");
	}
	shutdown(pair[0], SHUT_WR);
	pthread_join(reader, NULL);
	return 0;
}
END
cat >"$work/expected" <<'END'
6.1.0-56-amd64
send 70000: one run, all of it seen: yes, at most 557056 at once: yes
send 500000: one run, all of it seen: yes, at most 557056 at once: yes
send 600000: several runs, all of it seen: yes, at most 557056 at once: yes
send 4000000: several runs, all of it seen: yes, at most 557056 at once: yes
end of output, status 0
END
guest/run.sh "$work/program.bpf.c" "$work/user.c" | tee "$work/seen"
diff "$work/expected" "$work/seen"
