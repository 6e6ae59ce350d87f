#!/usr/bin/env bash
# Linux 6.1.192 (Debian 6.1.0-56): with bpf_msg_apply_bytes(n), SK_DROP of the first n bytes of a longer message makes send
# report the rest as sent, although nothing of it leaves the socket and the program never sees it.
set -euo pipefail
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/program.bpf.c" <<'END'
#include "program.h"

SEC("sk_msg")
int judge(struct sk_msg_md *msg)
{
	u8 *data = msg->data, *end = msg->data_end;

	add(0);
	bpf_msg_apply_bytes(msg, 3);
	return data + 1 <= end && *data == '!' ? SK_DROP : SK_PASS;
}
END
cat >"$work/user.c" <<'END'
#include "user.h"

int main(void)
{
	int pair[2];

	load();
	attach("judge", BPF_SK_MSG_VERDICT);
	connect_pair(pair);
	put(0, pair[0]);
	say(pair[0], "!aabbb");
	printf("the program ran %lld times\n", get(0));
	hear("peer", pair[1], 800);
	return 0;
}
END
cat >"$work/expected" <<'END'
6.1.0-56-amd64
send "!aabbb": 3
the program ran 1 times
peer has ""
end of output, status 0
END
guest/run.sh "$work/program.bpf.c" "$work/user.c" | tee "$work/seen"
diff "$work/expected" "$work/seen"
