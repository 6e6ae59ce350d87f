#!/usr/bin/env bash
# Linux 6.1.192 (Debian 6.1.0-56): SO_RCVLOWAT of a socket in a map decides when its verdict runs. Fewer bytes than the mark
# are not shown to the program, however long they wait, so a redirect holds back a short request whose answer would
# bring more. Programs are woken by the same call as readers, and TCP asks for the mark before it wakes anybody. Set the
# option to 1 on sockets that a policy watches. 6.12.117 and 7.2.13 gave the same output.
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
	return bpf_sk_redirect_map(skb, &sockets, 1, 0);
}
END
cat >"$work/user.c" <<'END'
#include "user.h"

int main(void)
{
	int source[2], target[2], mark = 10;

	load();
	attach("verdict", BPF_SK_SKB_STREAM_VERDICT);
	connect_pair(source);
	connect_pair(target);
	put(0, source[1]);
	put(1, target[0]);
	setsockopt(source[1], SOL_SOCKET, SO_RCVLOWAT, &mark, sizeof(mark));
	say(source[0], "request");
	hear("target", target[1], 2000);
	printf("runs: %lld\n", get(0));
	say(source[0], "more");
	hear("target", target[1], 500);
	printf("runs: %lld\n", get(0));
	return 0;
}
END
cat >"$work/expected" <<'END'
6.1.0-56-amd64
send "request": 7
target has ""
runs: 0
send "more": 4
target has "requestmore"
runs: 1
end of output, status 0
END
guest/run.sh "$work/program.bpf.c" "$work/user.c" | tee "$work/seen"
diff "$work/expected" "$work/seen"
