#!/usr/bin/env bash
# Linux 6.1.192 (Debian 6.1.0-56): in a map with a verdict that passes, recvmsg gives no control messages for TCP: neither
# the count of bytes left (TCP_INQ) nor the time of arrival (SO_TIMESTAMPNS), though both are set and the bytes are right.
# 6.12.117 and 7.2.13 gave the same, and so does a socket that receives by redirect to ingress.
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

#ifndef TCP_INQ
#define TCP_INQ 36
#endif

/* Reads three of five bytes and prints the control messages that come with them. */
static void control(const char *name, int pair[2])
{
	char bytes[3], space[256];
	struct iovec vector = {bytes, sizeof(bytes)};
	struct msghdr message = {
		.msg_iov = &vector, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof(space)};
	int one = 1;

	setsockopt(pair[1], SOL_SOCKET, SO_TIMESTAMPNS, &one, sizeof(one));
	setsockopt(pair[1], IPPROTO_TCP, TCP_INQ, &one, sizeof(one));
	usleep(100000);
	say(pair[0], "hello");
	printf("%s: recvmsg %zd", name, recvmsg(pair[1], &message, MSG_DONTWAIT));
	for (struct cmsghdr *each = CMSG_FIRSTHDR(&message); each; each = CMSG_NXTHDR(&message, each)) {
		if (each->cmsg_level == SOL_SOCKET && each->cmsg_type == SO_TIMESTAMPNS)
			printf(", time of arrival");
		if (each->cmsg_level == IPPROTO_TCP && each->cmsg_type == TCP_INQ)
			printf(", %d bytes left", *(int *)CMSG_DATA(each));
	}
	puts("");
	hear(name, pair[1], 300);
}

int main(void)
{
	int plain[2], watched[2];

	load();
	connect_pair(plain);
	control("plain", plain);
	attach("verdict", BPF_SK_SKB_STREAM_VERDICT);
	connect_pair(watched);
	put(0, watched[1]);
	control("passed", watched);
	return 0;
}
END
cat >"$work/expected" <<'END'
6.1.0-56-amd64
send "hello": 5
plain: recvmsg 3, time of arrival, 2 bytes left
plain has "lo"
send "hello": 5
passed: recvmsg 3
passed has "lo"
end of output, status 0
END
guest/run.sh "$work/program.bpf.c" "$work/user.c" | tee "$work/seen"
diff "$work/expected" "$work/seen"
