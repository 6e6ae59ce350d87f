#!/usr/bin/env bash
# Linux 6.1.192 (Debian 6.1.0-56): a UDP socket in a map with a verdict that passes is read like a TCP socket. recvmsg has
# no sender's address, so a server cannot answer; datagrams that wait are read as one, a segmented send comes whole,
# recvmmsg fills one message with them, and what does not fit is no longer cut off but read next, with no MSG_TRUNC.
# 6.12.117 and 7.2.13 gave the same.
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
#define _GNU_SOURCE
#include "user.h"

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

static int bound(struct sockaddr_in *address)
{
	socklen_t length = sizeof(*address);
	int server = socket(AF_INET, SOCK_DGRAM, 0);

	*address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	bind(server, (struct sockaddr *)address, length);
	getsockname(server, (struct sockaddr *)address, &length);
	return server;
}

/* Reads as often as there is something, at most `room` bytes at a time. */
static void hear_all(const char *name, int server, size_t room)
{
	char text[64] = {0};
	struct sockaddr_in from;
	struct iovec vector = {text, room};
	struct msghdr message = {.msg_name = &from, .msg_iov = &vector, .msg_iovlen = 1};
	ssize_t count;

	while (message.msg_namelen = sizeof(from), (count = recvmsg(server, &message, MSG_DONTWAIT)) > 0)
		printf("%s: \"%.*s\"%s, %s\n", name, (int)count, text, message.msg_flags & MSG_TRUNC ? " cut off" : "",
		       message.msg_namelen ? "with its sender" : "from nobody");
}

static void try(const char *name, int server, const struct sockaddr_in *address)
{
	char text[3][16] = {0};
	struct iovec vectors[3];
	struct mmsghdr messages[3] = {0};
	int client = socket(AF_INET, SOCK_DGRAM, 0), size = 3, count;

	connect(client, (const struct sockaddr *)address, sizeof(*address));
	say(client, "one");
	say(client, "two");
	hear_all(name, server, 32);
	say(client, "abcdef");
	hear_all(name, server, 4);
	for (int i = 0; i < 3; i++) {
		vectors[i] = (struct iovec){text[i], sizeof(text[i])};
		messages[i].msg_hdr = (struct msghdr){.msg_iov = &vectors[i], .msg_iovlen = 1};
	}
	say(client, "three");
	say(client, "four");
	count = recvmmsg(server, messages, 3, MSG_DONTWAIT, NULL);
	printf("%s: recvmmsg %d, the first of %d bytes\n", name, count, messages[0].msg_len);
	setsockopt(client, IPPROTO_UDP, UDP_SEGMENT, &size, sizeof(size));
	say(client, "xxxyyyzzz");
	hear_all(name, server, 32);
}

int main(void)
{
	struct sockaddr_in address;
	int server = bound(&address);

	load();
	try("plain", server, &address);
	attach("verdict", BPF_SK_SKB_VERDICT);
	server = bound(&address);
	put(0, server);
	try("passed", server, &address);
	return 0;
}
END
cat >"$work/expected" <<'END'
6.1.0-56-amd64
send "one": 3
send "two": 3
plain: "one", with its sender
plain: "two", with its sender
send "abcdef": 6
plain: "abcd" cut off, with its sender
send "three": 5
send "four": 4
plain: recvmmsg 2, the first of 5 bytes
send "xxxyyyzzz": 9
plain: "xxx", with its sender
plain: "yyy", with its sender
plain: "zzz", with its sender
send "one": 3
send "two": 3
passed: "onetwo", from nobody
send "abcdef": 6
passed: "abcd", from nobody
passed: "ef", from nobody
send "three": 5
send "four": 4
passed: recvmmsg 1, the first of 9 bytes
send "xxxyyyzzz": 9
passed: "xxxyyyzzz", from nobody
end of output, status 0
END
guest/run.sh "$work/program.bpf.c" "$work/user.c" | tee "$work/seen"
diff "$work/expected" "$work/seen"
