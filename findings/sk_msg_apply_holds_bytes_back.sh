#!/usr/bin/env bash
# Linux 6.1.192 (Debian 6.1.0-56): the passed part of a message whose rest is dropped arrives late, TCP_NODELAY or not.
# Where a verdict covers only the beginning of a message (apply_bytes), that beginning is sent as if more were to
# follow at once. If the rest is then dropped, nothing follows, and the peer gets the passed bytes only when TCP's
# timer gives up waiting (about 200 ms). 6.12.117 and 7.2.13 do the same.
set -euo pipefail
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/program.bpf.c" <<'END'
#include "program.h"

/* Judges two bytes at a time; a pair that begins with '!' is dropped. */
SEC("sk_msg")
int pairs(struct sk_msg_md *msg)
{
	u8 *data = msg->data, *end = msg->data_end;

	bpf_msg_apply_bytes(msg, 2);
	return data + 1 <= end && *data == '!' ? SK_DROP : SK_PASS;
}
END
cat >"$work/user.c" <<'END'
#include "user.h"

int main(void)
{
	int pair[2];

	load();
	attach("pairs", BPF_SK_MSG_VERDICT);
	connect_pair(pair);
	put(0, pair[0]);
	say(pair[0], "aabb");
	hear("peer, at once,", pair[1], 0);
	say(pair[0], "cc!!");
	hear("peer, at once,", pair[1], 0);
	hear("peer, in the end,", pair[1], 2000);
	return 0;
}
END
cat >"$work/expected" <<'END'
6.1.0-56-amd64
send "aabb": 4
peer, at once, has "aabb"
send "cc!!": 2
peer, at once, has ""
peer, in the end, has "cc"
end of output, status 0
END
guest/run.sh "$work/program.bpf.c" "$work/user.c" | tee "$work/seen"
diff "$work/expected" "$work/seen"
