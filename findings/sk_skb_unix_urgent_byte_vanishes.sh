#!/usr/bin/env bash
# Linux 6.1.192 (Debian 6.1.0-56): a byte that is sent with MSG_OOB over a stream socket of AF_UNIX never gets to a
# verdict of the receiver's, nor to the receiver: MSG_OOB fails there, and ordinary reads go on behind it. TCP's urgent
# byte is an ordinary one in the same place. 6.12.117 and 7.2.13 gave the same output.
set -euo pipefail
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/program.bpf.c" <<'END'
#include "program.h"

SEC("sk_skb/stream_verdict")
int verdict(struct __sk_buff *skb)
{
	u64 *bytes = number(0);

	if (bytes)
		*bytes += skb->len;
	return SK_PASS;
}
END
cat >"$work/user.c" <<'END'
#include "user.h"

static void urgent(const char *name, int pair[2])
{
	char text[8];
	ssize_t count;

	send(pair[0], "ab", 2, 0);
	count = send(pair[0], "c!", 2, MSG_OOB);
	send(pair[0], "de", 2, 0);
	usleep(100000);
	printf("%s: sent %zd,", name, count);
	count = recv(pair[1], text, sizeof(text), MSG_OOB | MSG_DONTWAIT);
	if (count < 0)
		printf(" urgent: %s,", strerror(errno));
	else
		printf(" urgent: \"%.*s\",", (int)count, text);
	while ((count = recv(pair[1], text, sizeof(text), MSG_DONTWAIT)) > 0)
		printf(" \"%.*s\"", (int)count, text);
	puts("");
}

int main(void)
{
	int pair[2];

	load();
	attach("verdict", BPF_SK_SKB_VERDICT);
	socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
	urgent("unix", pair);
	socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
	put(0, pair[1]);
	urgent("unix in a map", pair);
	printf("bytes seen: %lld\n", get(0));
	return 0;
}
END
cat >"$work/expected" <<'END'
6.1.0-56-amd64
unix: sent 2, urgent: "!", "abc" "de"
unix in a map: sent 2, urgent: Operation not supported, "abcde"
bytes seen: 5
end of output, status 0
END
guest/run.sh "$work/program.bpf.c" "$work/user.c" | tee "$work/seen"
diff "$work/expected" "$work/seen"
