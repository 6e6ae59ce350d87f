#!/usr/bin/env bash
# Linux 6.1.192 (Debian 6.1.0-56): a msg_verdict that redirects to the egress of another socket sends by that socket's
# room and patience. While the target's peer does not read, the sender's own socket has room: poll says POLLOUT at once
# and every send without waiting fails with EAGAIN, so an event loop goes round without a pause. A send that waits is
# not ended by the sender's SO_SNDTIMEO (300 ms here) but by the target's (1500 ms), which is for ever if its
# application never set one. With a verdict that passes both are right. 6.12.117 and 7.2.13 gave the same output.
set -euo pipefail
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/program.bpf.c" <<'END'
#include "program.h"

SEC("sk_msg")
int judge(struct sk_msg_md *msg)
{
	u64 *redirect = number(0);

	if (!redirect || !*redirect)
		return SK_PASS;
	return bpf_msg_redirect_map(msg, &sockets, 1, 0);
}
END
cat >"$work/user.c" <<'END'
#include "user.h"

#include <time.h>

static void patience(int socket, int milliseconds)
{
	struct timeval time = {milliseconds / 1000, milliseconds % 1000 * 1000};

	setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof(time));
}

static const char *outcome(ssize_t result)
{
	static char text[24];

	if (result < 0)
		return errno == EAGAIN ? "EAGAIN" : strerror(errno);
	snprintf(text, sizeof(text), "%zd", result);
	return text;
}

/* Sends until nothing goes any more, as nobody reads, and then tries to send once more. */
static void fill(const char *name, int socket)
{
	static char block[65536];
	struct pollfd ready = {.fd = socket, .events = POLLOUT};
	struct timespec before, after;
	ssize_t count;
	long waited;

	for (int round = 0; round < 8; round++) {
		while (send(socket, block, sizeof(block), MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
			;
		usleep(250000);
	}
	poll(&ready, 1, 0);
	printf("%s: poll gives %s, ", name, ready.revents & POLLOUT ? "POLLOUT" : "nothing");
	printf("send without waiting %s, ", outcome(send(socket, "x", 1, MSG_DONTWAIT | MSG_NOSIGNAL)));
	clock_gettime(CLOCK_MONOTONIC, &before);
	count = send(socket, "x", 1, MSG_NOSIGNAL);
	clock_gettime(CLOCK_MONOTONIC, &after);
	waited = (after.tv_sec - before.tv_sec) * 1000 + (after.tv_nsec - before.tv_nsec) / 1000000;
	printf("send %s after %s ms\n", outcome(count), waited < 300 ? "less" : waited < 1500 ? "300" : "1500");
}

int main(void)
{
	int passing[2], redirecting[2], target[2];

	load();
	attach("judge", BPF_SK_MSG_VERDICT);
	connect_pair(passing);
	connect_pair(redirecting);
	connect_pair(target);
	patience(passing[0], 300);
	patience(redirecting[0], 300);
	patience(target[0], 1500);
	put(2, passing[0]);
	fill("passed", passing[0]);
	set(0, 1);
	put(0, redirecting[0]);
	put(1, target[0]);
	fill("redirected", redirecting[0]);
	return 0;
}
END
cat >"$work/expected" <<'END'
6.1.0-56-amd64
passed: poll gives nothing, send without waiting EAGAIN, send EAGAIN after 300 ms
redirected: poll gives POLLOUT, send without waiting EAGAIN, send EAGAIN after 1500 ms
end of output, status 0
END
guest/run.sh "$work/program.bpf.c" "$work/user.c" | tee "$work/seen"
diff "$work/expected" "$work/seen"
