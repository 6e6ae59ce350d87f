#!/usr/bin/env bash
# Linux 6.1.192 (Debian 6.1.0-56): a TCP socket in a map with a msg_verdict that passes ignores the control messages of
# sendmsg, valid or not. Time stamps that are asked for one send, as datacentre clients do, never come; those that are
# asked for by socket option do. A control message that TCP refuses with EINVAL is sent as if it were not there.
# 6.12.117 and 7.2.13 gave the same.
set -euo pipefail
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/program.bpf.c" <<'END'
#include "program.h"

SEC("sk_msg")
int verdict(struct sk_msg_md *msg)
{
	return SK_PASS;
}
END
cat >"$work/user.c" <<'END'
#include "user.h"
#include <linux/net_tstamp.h>

/* Counts the time stamps that came back, by reading them. */
static int stamps(int socket)
{
	char space[512];
	int count = 0;
	struct msghdr message = {.msg_control = space, .msg_controllen = sizeof(space)};

	usleep(100000);
	while (recvmsg(socket, &message, MSG_ERRQUEUE | MSG_DONTWAIT) >= 0) {
		message.msg_controllen = sizeof(space);
		count++;
	}
	return count;
}

/* Sends with a control message of `length` bytes that asks for `wanted` time stamps. */
static void say_with(const char *name, const char *what, int socket, unsigned int wanted, size_t length)
{
	char space[64] = {0};
	struct iovec vector = {"hello", 5};
	struct msghdr message = {
		.msg_iov = &vector, .msg_iovlen = 1, .msg_control = space, .msg_controllen = CMSG_SPACE(length)};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	ssize_t count;

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SO_TIMESTAMPING;
	header->cmsg_len = CMSG_LEN(length);
	memcpy(CMSG_DATA(header), &wanted, length);
	count = sendmsg(socket, &message, 0);
	printf("%s, %s: %s", name, what, count < 0 ? strerror(errno) : "sent");
	printf(", time stamps %d\n", stamps(socket));
}

static void try(const char *name, int pair[2])
{
	unsigned int reported = SOF_TIMESTAMPING_SOFTWARE | SOF_TIMESTAMPING_OPT_ID | SOF_TIMESTAMPING_OPT_TSONLY;
	unsigned int wanted = SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_TX_ACK;

	setsockopt(pair[0], SOL_SOCKET, SO_TIMESTAMPING, &reported, sizeof(reported));
	say_with(name, "asked for by a control message", pair[0], wanted, sizeof(wanted));
	say_with(name, "control message of the wrong length", pair[0], wanted, 1);
	reported |= wanted;
	setsockopt(pair[0], SOL_SOCKET, SO_TIMESTAMPING, &reported, sizeof(reported));
	send(pair[0], "again", 5, 0);
	printf("%s, asked for by a socket option: time stamps %d\n", name, stamps(pair[0]));
	hear(name, pair[1], 100);
}

int main(void)
{
	int plain[2], judged[2];

	load();
	connect_pair(plain);
	try("plain", plain);
	attach("verdict", BPF_SK_MSG_VERDICT);
	connect_pair(judged);
	put(0, judged[0]);
	try("judged", judged);
	return 0;
}
END
cat >"$work/expected" <<'END'
6.1.0-56-amd64
plain, asked for by a control message: sent, time stamps 2
plain, control message of the wrong length: Invalid argument, time stamps 0
plain, asked for by a socket option: time stamps 2
plain has "helloagain"
judged, asked for by a control message: sent, time stamps 0
judged, control message of the wrong length: sent, time stamps 0
judged, asked for by a socket option: time stamps 2
judged has "hellohelloagain"
end of output, status 0
END
guest/run.sh "$work/program.bpf.c" "$work/user.c" | tee "$work/seen"
diff "$work/expected" "$work/seen"
