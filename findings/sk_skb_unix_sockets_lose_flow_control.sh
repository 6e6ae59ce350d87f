#!/usr/bin/env bash
# Linux 6.1.192 (Debian 6.1.0-56): who sends over AF_UNIX pays for what is not read yet, and is held up by a slow
# reader. Behind a verdict that passes, the sender has its room back as soon as the program has run, however much the
# reader leaves unread: no send ever waits, and memory grows with what is sent. TCP's window still closes, and UDP
# still drops. 6.12.117 and 7.2.13 gave the same output.
set -euo pipefail
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/program.bpf.c" <<'END'
#include "program.h"

SEC("sk_skb/stream_verdict")
int verdict(struct __sk_buff *skb)
{
	add(0);
	return SK_PASS;
}
END
cat >"$work/user.c" <<'END'
#include "user.h"

static void fill(const char *name, int from)
{
	static char message[4096];
	int count = 0;

	while (count < 1000 && send(from, message, sizeof(message), MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
		count++;
	printf("%s: %d of 1000 messages sent to a socket that nobody reads\n", name, count);
}

int main(void)
{
	int pair[2];

	load();
	attach("verdict", BPF_SK_SKB_VERDICT);
	socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
	fill("stream", pair[0]);
	socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
	put(0, pair[1]);
	fill("stream in a map", pair[0]);
	socketpair(AF_UNIX, SOCK_DGRAM, 0, pair);
	fill("dgram", pair[0]);
	socketpair(AF_UNIX, SOCK_DGRAM, 0, pair);
	put(1, pair[1]);
	fill("dgram in a map", pair[0]);
	return 0;
}
END
cat >"$work/expected" <<'END'
6.1.0-56-amd64
stream: 44 of 1000 messages sent to a socket that nobody reads
stream in a map: 1000 of 1000 messages sent to a socket that nobody reads
dgram: 26 of 1000 messages sent to a socket that nobody reads
dgram in a map: 1000 of 1000 messages sent to a socket that nobody reads
end of output, status 0
END
guest/run.sh "$work/program.bpf.c" "$work/user.c" | tee "$work/seen"
diff "$work/expected" "$work/seen"
