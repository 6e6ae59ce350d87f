#!/usr/bin/env bash
# Linux 6.1.192 (Debian 6.1.0-56): where a msg_verdict covers a send of MSG_OOB part by part (apply_bytes), the last byte of
# each part is sent as urgent, not that of the send alone. TCP has room for one urgent byte: with parts of one byte the
# reader never gets the others, neither by MSG_OOB nor in the stream, and no call says so. Of parts of two bytes all
# arrive. Without apply the same send gives the reader all of its bytes. 6.12.117 and 7.2.13 gave the same output.
set -euo pipefail
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/program.bpf.c" <<'END'
#include "program.h"

SEC("sk_msg")
int verdict(struct sk_msg_md *msg)
{
	u64 *apply = number(0);

	if (apply && *apply)
		bpf_msg_apply_bytes(msg, *apply);
	return SK_PASS;
}
END
cat >"$work/user.c" <<'END'
#include "user.h"

static void urgent(int apply)
{
	char text[8], byte = '-';
	ssize_t count;
	int pair[2];

	connect_pair(pair);
	set(0, apply);
	put(0, pair[0]);
	count = send(pair[0], "abcdef", 6, MSG_OOB);
	usleep(200000);
	recv(pair[1], &byte, 1, MSG_OOB | MSG_DONTWAIT);
	printf("parts of %d: send %zd, urgent '%c', in the stream \"", apply, count, byte);
	while ((count = recv(pair[1], text, sizeof(text), MSG_DONTWAIT)) > 0)
		fwrite(text, 1, count, stdout);
	printf("\"\n");
	close(pair[0]);
	close(pair[1]);
}

int main(void)
{
	load();
	attach("verdict", BPF_SK_MSG_VERDICT);
	for (int apply = 0; apply <= 2; apply++)
		urgent(apply);
	return 0;
}
END
cat >"$work/expected" <<'END'
6.1.0-56-amd64
parts of 0: send 6, urgent 'f', in the stream "abcde"
parts of 1: send 6, urgent 'f', in the stream ""
parts of 2: send 6, urgent 'f', in the stream "abcde"
end of output, status 0
END
guest/run.sh "$work/program.bpf.c" "$work/user.c" | tee "$work/seen"
diff "$work/expected" "$work/seen"
