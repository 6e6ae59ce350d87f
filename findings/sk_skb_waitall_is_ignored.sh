#!/usr/bin/env bash
# Linux 6.1.192 (Debian 6.1.0-56): in a map with a verdict that passes, recv with MSG_WAITALL does not wait for all: it
# returns with what is there, as if the flag were not set. An application that reads records this way gets short ones.
# SO_RCVTIMEO does hold. 6.12.117 and 7.2.13 gave the same, and so does a socket that receives by redirect to ingress.
set -euo pipefail
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/program.bpf.c" <<'END'
#include "program.h"

SEC("sk_skb/stream_verdict")
int verdict(struct __sk_buff *skb)
{
	return SK_PASS;
}
END
cat >"$work/user.c" <<'END'
#include "user.h"

#include <pthread.h>

static void *second_half(void *socket)
{
	usleep(200000);
	send(*(int *)socket, "world", 5, 0);
	return NULL;
}

/* Asks for ten bytes when five are there and five come later. */
static void read_record(const char *name, int pair[2])
{
	char record[10];
	pthread_t thread;

	say(pair[0], "hello");
	pthread_create(&thread, NULL, second_half, &pair[0]);
	printf("%s: recv of 10 with MSG_WAITALL: %zd\n", name, recv(pair[1], record, sizeof(record), MSG_WAITALL));
	pthread_join(thread, NULL);
	hear(name, pair[1], 300);
}

int main(void)
{
	int plain[2], watched[2];

	load();
	connect_pair(plain);
	read_record("plain", plain);
	attach("verdict", BPF_SK_SKB_STREAM_VERDICT);
	connect_pair(watched);
	put(0, watched[1]);
	read_record("passed", watched);
	return 0;
}
END
cat >"$work/expected" <<'END'
6.1.0-56-amd64
send "hello": 5
plain: recv of 10 with MSG_WAITALL: 10
plain has ""
send "hello": 5
passed: recv of 10 with MSG_WAITALL: 5
passed has "world"
end of output, status 0
END
guest/run.sh "$work/program.bpf.c" "$work/user.c" | tee "$work/seen"
diff "$work/expected" "$work/seen"
