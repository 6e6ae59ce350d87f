#!/usr/bin/env bash
# Linux 6.1.192 (Debian 6.1.0-56): recv with MSG_TRUNC, TCP's way to throw bytes away without copying them (tcp(7); proxies
# drain connections with it), fails with EFAULT on a socket in a map with a verdict that passes: the flag is not looked at,
# so the bytes are copied to where the buffer would be. A recv of no bytes gives 0 where TCP says EAGAIN because none are
# there. 6.12.117 and 7.2.13 gave the same.
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

static const char *outcome(ssize_t result)
{
	static char text[24];

	if (result < 0)
		return strerror(errno);
	snprintf(text, sizeof(text), "%zd", result);
	return text;
}

static void try(const char *name, int pair[2])
{
	char byte;

	printf("%s: recv of no bytes %s\n", name, outcome(recv(pair[1], &byte, 0, MSG_DONTWAIT)));
	say(pair[0], "hello");
	printf("%s: discard 3 %s\n", name, outcome(recv(pair[1], NULL, 3, MSG_TRUNC | MSG_DONTWAIT)));
	hear(name, pair[1], 100);
}

int main(void)
{
	int plain[2], watched[2];

	load();
	connect_pair(plain);
	try("plain", plain);
	attach("verdict", BPF_SK_SKB_STREAM_VERDICT);
	connect_pair(watched);
	put(0, watched[1]);
	try("passed", watched);
	return 0;
}
END
cat >"$work/expected" <<'END'
6.1.0-56-amd64
plain: recv of no bytes Resource temporarily unavailable
send "hello": 5
plain: discard 3 3
plain has "lo"
passed: recv of no bytes 0
send "hello": 5
passed: discard 3 Bad address
passed has "hello"
end of output, status 0
END
guest/run.sh "$work/program.bpf.c" "$work/user.c" | tee "$work/seen"
diff "$work/expected" "$work/seen"
