#!/usr/bin/env bash
# Linux 6.1.192 (Debian 6.1.0-56): a unix socket in a map with a verdict that passes loses file descriptors sent with
# SCM_RIGHTS: the bytes arrive, the descriptors do not, nothing says so (no MSG_CTRUNC), and the kernel closes them.
# In a map without a verdict they arrive. 6.12.117 and 7.2.13 gave the same, for stream and datagram sockets.
set -euo pipefail
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/program.bpf.c" <<'END'
#include "program.h"

SEC("sk_skb")
int verdict(struct __sk_buff *skb)
{
	return SK_PASS;
}
END
cat >"$work/user.c" <<'END'
#include "user.h"

/* Sends the writing end of a pipe, closes its own, and looks whether the other side has got it. */
static void hand_over(const char *name, int type, int watch)
{
	int pair[2], ends[2];
	char bytes[2] = "fd", space[CMSG_SPACE(sizeof(int))] = "";
	struct iovec vector = {bytes, sizeof(bytes)};
	struct msghdr message = {
		.msg_iov = &vector, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof(space)};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	ssize_t count;

	socketpair(AF_UNIX, type, 0, pair);
	if (watch)
		put(0, pair[1]);
	pipe(ends);
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(header), &ends[1], sizeof(int));
	sendmsg(pair[0], &message, 0);
	close(ends[1]);
	usleep(100000);
	message.msg_controllen = sizeof(space);
	count = recvmsg(pair[1], &message, MSG_DONTWAIT);
	struct pollfd pipe_read = {.fd = ends[0], .events = POLLIN};
	poll(&pipe_read, 1, 100);
	printf("%s: %zd bytes, descriptor %s, flags %#x, pipe %s\n", name, count,
	       CMSG_FIRSTHDR(&message) ? "arrived" : "missing", message.msg_flags,
	       pipe_read.revents & POLLHUP ? "closed" : "open");
}

int main(void)
{
	load();
	hand_over("stream", SOCK_STREAM, 0);
	hand_over("stream in a map without programs", SOCK_STREAM, 1);
	attach("verdict", BPF_SK_SKB_VERDICT);
	hand_over("stream, passed", SOCK_STREAM, 1);
	hand_over("dgram, passed", SOCK_DGRAM, 1);
	return 0;
}
END
cat >"$work/expected" <<'END'
6.1.0-56-amd64
stream: 2 bytes, descriptor arrived, flags 0, pipe open
stream in a map without programs: 2 bytes, descriptor arrived, flags 0, pipe open
stream, passed: 2 bytes, descriptor missing, flags 0, pipe closed
dgram, passed: 2 bytes, descriptor missing, flags 0, pipe closed
end of output, status 0
END
guest/run.sh "$work/program.bpf.c" "$work/user.c" | tee "$work/seen"
diff "$work/expected" "$work/seen"
