#!/usr/bin/env bash
# Linux 6.1.192 (Debian 6.1.0-56): after shutdown(SHUT_WR) a socket in a map with a msg_verdict can still send, as long as
# the program redirects: the bytes arrive at the target, and send gives their count instead of EPIPE. Only the way of
# passed bytes, through the socket's own TCP, asks whether it is shut. So the end of a stream that a proxy forwards by
# redirects is no end: what reads the target cannot count on it. 6.12.117 and 7.2.13 gave the same output.
set -euo pipefail
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/program.bpf.c" <<'END'
#include "program.h"

SEC("sk_msg")
int judge(struct sk_msg_md *msg)
{
	u64 *redirect = number(0);

	if (!redirect || !*redirect)
		return SK_PASS;
	return bpf_msg_redirect_map(msg, &sockets, 1, 0);
}
END
cat >"$work/user.c" <<'END'
#include "user.h"

int main(void)
{
	int passing[2], redirecting[2], target[2];

	load();
	attach("judge", BPF_SK_MSG_VERDICT);
	connect_pair(passing);
	connect_pair(redirecting);
	connect_pair(target);
	put(0, passing[0]);
	put(1, target[0]);
	put(2, redirecting[0]);
	shutdown(passing[0], SHUT_WR);
	say(passing[0], "passed");
	set(0, 1);
	shutdown(redirecting[0], SHUT_WR);
	say(redirecting[0], "redirected");
	hear("target", target[1], 300);
	return 0;
}
END
cat >"$work/expected" <<'END'
6.1.0-56-amd64
send "passed": Broken pipe
send "redirected": 10
target has "redirected"
end of output, status 0
END
guest/run.sh "$work/program.bpf.c" "$work/user.c" | tee "$work/seen"
diff "$work/expected" "$work/seen"
