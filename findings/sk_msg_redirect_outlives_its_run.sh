#!/usr/bin/env bash
# Linux 6.1.192 (Debian 6.1.0-56): within one send, a redirect holds for the runs after it. A program that redirects the
# first part of a message (apply_bytes) and returns SK_PASS for the next part without redirecting sends that part to the
# redirect target too, not to the peer. To stop it the program would have to drop. 7.2.13 gave the same output.
set -euo pipefail
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/program.bpf.c" <<'END'
#include "program.h"

/* Parts of two bytes: one that begins with '>' is redirected, any other passes. */
SEC("sk_msg")
int parts(struct sk_msg_md *msg)
{
	u8 *data = msg->data, *end = msg->data_end;

	bpf_msg_apply_bytes(msg, 2);
	if (data + 1 <= end && *data == '>')
		return bpf_msg_redirect_map(msg, &sockets, 1, 0);
	return SK_PASS;
}
END
cat >"$work/user.c" <<'END'
#include "user.h"

int main(void)
{
	int pair[2], target[2];

	load();
	connect_pair(pair);
	connect_pair(target);
	attach("parts", BPF_SK_MSG_VERDICT);
	put(0, pair[0]);
	put(1, target[0]);
	say(pair[0], ">a");
	say(pair[0], "bb");
	say(pair[0], ">ccc");
	hear("peer", pair[1], 500);
	hear("target's peer", target[1], 500);
	return 0;
}
END
cat >"$work/expected" <<'END'
6.1.0-56-amd64
send ">a": 2
send "bb": 2
send ">ccc": 4
peer has "bb"
target's peer has ">a>ccc"
end of output, status 0
END
guest/run.sh "$work/program.bpf.c" "$work/user.c" | tee "$work/seen"
diff "$work/expected" "$work/seen"
