#!/usr/bin/env bash
# Linux 6.1.192 (Debian 6.1.0-56): one SK_DROP of an sk_msg program ends the socket's sending for good.
# The page describes the return value as a verdict on the message. In fact the socket keeps the verdict: every later
# send fails with EACCES and the program does not run, until the socket has left the map. A policy that drops one bad
# message must expect the application to reconnect. 6.12.117 and 7.2.13 gave the same output.
set -euo pipefail
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/program.bpf.c" <<'END'
#include "program.h"

/* Slot 0 counts runs; a message that begins with '!' is dropped. */
SEC("sk_msg")
int judge(struct sk_msg_md *msg)
{
	u8 *data = msg->data, *end = msg->data_end;

	add(0);
	return data + 1 <= end && *data == '!' ? SK_DROP : SK_PASS;
}
END
cat >"$work/user.c" <<'END'
#include "user.h"

int main(void)
{
	unsigned int key = 0;
	int pair[2];

	load();
	attach("judge", BPF_SK_MSG_VERDICT);
	connect_pair(pair);
	put(0, pair[0]);
	say(pair[0], "one");
	say(pair[0], "!two");
	say(pair[0], "three");
	say(pair[0], "four");
	printf("the program ran %lld times\n", get(0));
	bpf_map_delete_elem(map_fd("sockets"), &key);
	put(0, pair[0]);
	say(pair[0], "five");
	printf("the program ran %lld times\n", get(0));
	hear("peer", pair[1], 300);
	return 0;
}
END
cat >"$work/expected" <<'END'
6.1.0-56-amd64
send "one": 3
send "!two": Permission denied
send "three": Permission denied
send "four": Permission denied
the program ran 2 times
send "five": 4
the program ran 3 times
peer has "onefive"
end of output, status 0
END
guest/run.sh "$work/program.bpf.c" "$work/user.c" | tee "$work/seen"
diff "$work/expected" "$work/seen"
