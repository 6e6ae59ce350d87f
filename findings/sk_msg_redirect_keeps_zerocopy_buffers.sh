#!/usr/bin/env bash
# Linux 6.1.192 (Debian 6.1.0-56): a send with MSG_ZEROCOPY that a msg_verdict redirects is never completed. The bytes
# arrive, but no notice comes in the error queue, so an application that frees its buffers by those notices keeps them
# for ever. Sends that pass, and sends without a policy, are completed. 6.12.117 and 7.2.13 gave the same output.
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

#ifndef MSG_ZEROCOPY
#define MSG_ZEROCOPY 0x4000000
#endif
#ifndef SO_ZEROCOPY
#define SO_ZEROCOPY 60
#endif

/* Sends without copying, has `reader` take all of it, and asks whether the buffer is free again. */
static void send_in_place(const char *name, int socket, int reader)
{
	static char text[20000], sink[20000];
	char control[256];
	struct msghdr message = {.msg_control = control, .msg_controllen = sizeof(control)};
	ssize_t sent, got;
	int one = 1;

	setsockopt(socket, SOL_SOCKET, SO_ZEROCOPY, &one, sizeof(one));
	sent = send(socket, text, sizeof(text), MSG_ZEROCOPY);
	usleep(100000);
	got = recv(reader, sink, sizeof(sink), MSG_DONTWAIT);
	printf("%s: sent %zd, received %zd, ", name, sent, got);
	usleep(1000000);
	if (recvmsg(socket, &message, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
		printf("no completion (%s)\n", strerror(errno));
	else
		printf("completed\n");
}

int main(void)
{
	int source[2], target[2];

	load();
	attach("judge", BPF_SK_MSG_VERDICT);
	connect_pair(source);
	connect_pair(target);
	send_in_place("plain", target[0], target[1]);
	put(0, source[0]);
	put(1, target[0]);
	send_in_place("passed", source[0], source[1]);
	set(0, 1);
	send_in_place("redirected", source[0], target[1]);
	return 0;
}
END
cat >"$work/expected" <<'END'
6.1.0-56-amd64
plain: sent 20000, received 20000, completed
passed: sent 20000, received 20000, completed
redirected: sent 20000, received 20000, no completion (Resource temporarily unavailable)
end of output, status 0
END
guest/run.sh "$work/program.bpf.c" "$work/user.c" | tee "$work/seen"
diff "$work/expected" "$work/seen"
