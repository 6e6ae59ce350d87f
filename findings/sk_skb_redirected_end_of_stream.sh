#!/usr/bin/env bash
# Linux 6.1.192 (Debian 6.1.0-56): a stream verdict without a parser also runs for the end of the stream, with skb->len 0,
# and redirecting that empty buffer marks the target's connection as broken: SO_ERROR becomes EPIPE, and what other
# sockets redirect there later is lost without a word. The verdict program on the kernel's own sockmap page does just
# that. Return SK_PASS when skb->len is 0. 7.2.13 gave the same output.
set -euo pipefail
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/program.bpf.c" <<'END'
#include "program.h"

SEC("sk_skb/stream_verdict")
int verdict(struct __sk_buff *skb)
{
	if (!skb->len)
		add(0);
	return bpf_sk_redirect_map(skb, &sockets, 0, 0);
}
END
cat >"$work/user.c" <<'END'
#include "user.h"

int main(void)
{
	int first[2], second[2], target[2], error = 0;
	socklen_t length = sizeof(error);

	load();
	connect_pair(first);
	connect_pair(second);
	connect_pair(target);
	put(0, target[0]);
	attach("verdict", BPF_SK_SKB_STREAM_VERDICT);
	put(1, first[1]);
	put(2, second[1]);
	say(first[0], "one");
	say(second[0], "two");
	hear("target's peer", target[1], 300);
	shutdown(first[0], SHUT_WR);
	usleep(100000);
	printf("runs with length 0: %lld\n", get(0));
	getsockopt(target[0], SOL_SOCKET, SO_ERROR, &error, &length);
	printf("SO_ERROR of the target: %s\n", strerror(error));
	say(second[0], "three");
	hear("target's peer", target[1], 500);
	return 0;
}
END
cat >"$work/expected" <<'END'
6.1.0-56-amd64
send "one": 3
send "two": 3
target's peer has "onetwo"
runs with length 0: 1
SO_ERROR of the target: Broken pipe
send "three": 5
target's peer has ""
end of output, status 0
END
guest/run.sh "$work/program.bpf.c" "$work/user.c" | tee "$work/seen"
diff "$work/expected" "$work/seen"
