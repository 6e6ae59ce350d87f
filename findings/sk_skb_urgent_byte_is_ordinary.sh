#!/usr/bin/env bash
# Linux 6.1.192 (Debian 6.1.0-56): in a map with a verdict that passes, TCP's urgent byte is an ordinary byte of the stream,
# and recv with MSG_OOB takes ordinary bytes: it gives all three, not the urgent one, and they are gone from the stream.
# An application that asks for urgent data by MSG_OOB reads its protocol's bytes. 6.12.117 and 7.2.13 gave the same.
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

/* Sends "xy" and an urgent "Z", then asks for the urgent byte alone. */
static void urgent(const char *name, int pair[2])
{
	char text[16] = "";
	ssize_t count;

	send(pair[0], "xyZ", 3, MSG_OOB);
	usleep(100000);
	count = recv(pair[1], text, 10, MSG_OOB | MSG_DONTWAIT);
	printf("%s: recv MSG_OOB %zd \"%s\"\n", name, count, text);
	hear(name, pair[1], 300);
}

int main(void)
{
	int plain[2], watched[2];

	load();
	connect_pair(plain);
	urgent("plain", plain);
	attach("verdict", BPF_SK_SKB_STREAM_VERDICT);
	connect_pair(watched);
	put(0, watched[1]);
	urgent("passed", watched);
	return 0;
}
END
cat >"$work/expected" <<'END'
6.1.0-56-amd64
plain: recv MSG_OOB 1 "Z"
plain has "xy"
passed: recv MSG_OOB 3 "xyZ"
passed has ""
end of output, status 0
END
guest/run.sh "$work/program.bpf.c" "$work/user.c" | tee "$work/seen"
diff "$work/expected" "$work/seen"
