#!/usr/bin/env bash
# Linux 6.1.192 (Debian 6.1.0-56): splice(2) from a socket in a map with a verdict finds nothing (EAGAIN, or it waits for
# ever on a blocking socket), although poll says POLLIN and recv then gives the bytes: it looks into TCP's own receive
# queue, while passed and redirected bytes wait in the socket map's. FIONREAD tells of passed bytes, but of redirected
# ones it says 0; 6.12.117 and 7.2.13 say 5 there, and their splice finds nothing either. A proxy in user space that
# splices, or sizes its reads by FIONREAD, cannot share a socket with such a policy.
set -euo pipefail
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/program.bpf.c" <<'END'
#include "program.h"

SEC("sk_skb/stream_verdict")
int verdict(struct __sk_buff *skb)
{
	u64 *redirect = number(0);

	if (!redirect || !*redirect)
		return SK_PASS;
	return bpf_sk_redirect_map(skb, &sockets, 1, BPF_F_INGRESS);
}
END
cat >"$work/user.c" <<'END'
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/ioctl.h>
#include "user.h"

/* What four ways of looking at `socket` say of the five bytes in it. */
static void look(const char *name, int socket)
{
	struct pollfd ready = {.fd = socket, .events = POLLIN};
	int ends[2], count = -1;
	ssize_t moved;

	poll(&ready, 1, 300);
	ioctl(socket, FIONREAD, &count);
	pipe(ends);
	fcntl(socket, F_SETFL, O_NONBLOCK);
	moved = splice(socket, NULL, ends[1], NULL, 100, SPLICE_F_NONBLOCK);
	printf("%s: poll %s, FIONREAD %d, splice %zd", name, ready.revents & POLLIN ? "POLLIN" : "nothing", count, moved);
	printf(" (%s)\n", moved < 0 ? strerror(errno) : "ok");
	hear(name, socket, 300);
}

int main(void)
{
	int plain[2], source[2], target[2];

	load();
	connect_pair(plain);
	say(plain[0], "plain");
	look("plain", plain[1]);
	attach("verdict", BPF_SK_SKB_STREAM_VERDICT);
	connect_pair(source);
	connect_pair(target);
	put(0, source[1]);
	put(1, target[1]);
	say(source[0], "stays");
	look("passed", source[1]);
	set(0, 1);
	say(source[0], "moved");
	look("redirected", target[1]);
	return 0;
}
END
cat >"$work/expected" <<'END'
6.1.0-56-amd64
send "plain": 5
plain: poll POLLIN, FIONREAD 5, splice 5 (ok)
plain has ""
send "stays": 5
passed: poll POLLIN, FIONREAD 5, splice -1 (Resource temporarily unavailable)
passed has "stays"
send "moved": 5
redirected: poll POLLIN, FIONREAD 0, splice -1 (Resource temporarily unavailable)
redirected has "moved"
end of output, status 0
END
guest/run.sh "$work/program.bpf.c" "$work/user.c" | tee "$work/seen"
diff "$work/expected" "$work/seen"
