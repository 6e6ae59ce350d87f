#!/usr/bin/env bash
# Linux 6.1.192 (Debian 6.1.0-56): bytes that an application has already read come a second time when the socket is put
# into a map with a verdict. A partly read buffer goes to the program from its first byte on, and SK_PASS delivers all of
# it. Put a socket into a map before reading from it, or read the buffer to its end. 7.2.13 gave the same output.
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

int main(void)
{
	char text[5] = "";
	int pair[2];

	load();
	attach("verdict", BPF_SK_SKB_STREAM_VERDICT);
	connect_pair(pair);
	say(pair[0], "headbody");
	recv(pair[1], text, 4, 0);
	printf("read \"%s\"\n", text);
	put(0, pair[1]);
	say(pair[0], "more");
	hear("server", pair[1], 500);
	return 0;
}
END
cat >"$work/expected" <<'END'
6.1.0-56-amd64
send "headbody": 8
read "head"
send "more": 4
server has "headbodymore"
end of output, status 0
END
guest/run.sh "$work/program.bpf.c" "$work/user.c" | tee "$work/seen"
diff "$work/expected" "$work/seen"
