#!/usr/bin/env bash
# Linux 6.1.192 (Debian 6.1.0-56): bytes that a msg_verdict holds back for more (cork_bytes) are lost when the sender ends its
# stream: send counted them, and shutdown or close, SO_LINGER or not, gives the peer an orderly end without them. Before
# that SIOCOUTQ says that all is sent and acknowledged, so waiting for it does not help; neither does taking the socket
# out of its map. A protocol whose last message may be shorter than the cork loses it in silence. 6.12.117 and 7.2.13
# gave the same output.
set -euo pipefail
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/program.bpf.c" <<'END'
#include "program.h"

SEC("sk_msg")
int verdict(struct sk_msg_md *msg)
{
	if (msg->size < 10)
		bpf_msg_cork_bytes(msg, 10);
	return SK_PASS;
}
END
cat >"$work/user.c" <<'END'
#include "user.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>

/* The end of a stream of ten bytes and three more: by shutdown, close, waiting close, or after leaving the map. */
static void end(const char *name, int how)
{
	struct linger linger = {.l_onoff = 1, .l_linger = 2};
	int pair[2], unsent = -1;
	unsigned int key = 0;
	char text[32];
	ssize_t count;

	connect_pair(pair);
	put(0, pair[0]);
	send(pair[0], "0123456789", 10, 0);
	count = send(pair[0], "end", 3, 0);
	usleep(100000);
	ioctl(pair[0], SIOCOUTQ, &unsent);
	printf("%s: the last send %zd, SIOCOUTQ %d, ", name, count, unsent);
	if (how == 2)
		setsockopt(pair[0], SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	if (how == 3)
		bpf_map_delete_elem(map_fd("sockets"), &key);
	if (how == 0)
		shutdown(pair[0], SHUT_WR);
	else
		close(pair[0]);
	usleep(500000);
	count = recv(pair[1], text, sizeof(text), MSG_DONTWAIT);
	printf("the peer reads %zd, ", count);
	count = recv(pair[1], text, sizeof(text), MSG_DONTWAIT);
	printf("then %s\n", count == 0 ? "the end" : count < 0 ? strerror(errno) : "more");
	close(pair[1]);
	if (how == 0)
		close(pair[0]);
}

int main(void)
{
	load();
	attach("verdict", BPF_SK_MSG_VERDICT);
	end("shutdown", 0);
	end("close", 1);
	end("close with SO_LINGER", 2);
	end("close after leaving the map", 3);
	return 0;
}
END
cat >"$work/expected" <<'END'
6.1.0-56-amd64
shutdown: the last send 3, SIOCOUTQ 0, the peer reads 10, then the end
close: the last send 3, SIOCOUTQ 0, the peer reads 10, then the end
close with SO_LINGER: the last send 3, SIOCOUTQ 0, the peer reads 10, then the end
close after leaving the map: the last send 3, SIOCOUTQ 0, the peer reads 10, then the end
end of output, status 0
END
guest/run.sh "$work/program.bpf.c" "$work/user.c" | tee "$work/seen"
diff "$work/expected" "$work/seen"
