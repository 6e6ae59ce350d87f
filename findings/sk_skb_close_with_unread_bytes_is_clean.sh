#!/usr/bin/env bash
# Linux 6.1.192 (Debian 6.1.0-56): who closes a TCP socket with unread bytes resets the connection, so that the peer
# learns that they were lost (RFC 2525, section 2.17). Behind a verdict that passes, unread bytes lie in a queue of the
# verdict's that close() does not count: the peer sees an orderly end, and its next send succeeds. Sockets of AF_UNIX
# lose their ECONNRESET, too. An application protocol must acknowledge what it cannot do without. 6.12.117 and 7.2.13
# gave the same output.
set -euo pipefail
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/program.bpf.c" <<'END'
#include "program.h"

SEC("sk_skb/stream_verdict")
int verdict(struct __sk_buff *skb)
{
	add(0);
	return SK_PASS;
}
END
cat >"$work/user.c" <<'END'
#include "user.h"

static void end(const char *name, int pair[2])
{
	char byte;
	ssize_t count;

	send(pair[0], "unread", 6, MSG_NOSIGNAL);
	usleep(100000);
	close(pair[1]);
	usleep(100000);
	count = recv(pair[0], &byte, 1, MSG_DONTWAIT);
	printf("%s: peer reads %zd %s\n", name, count, count < 0 ? strerror(errno) : "");
	count = send(pair[0], "more", 4, MSG_NOSIGNAL);
	printf("%s: peer sends %zd %s\n", name, count, count < 0 ? strerror(errno) : "");
	close(pair[0]);
}

int main(void)
{
	int pair[2];

	load();
	attach("verdict", BPF_SK_SKB_VERDICT);
	connect_pair(pair);
	end("tcp", pair);
	connect_pair(pair);
	put(0, pair[1]);
	end("tcp in a map", pair);
	socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
	end("unix", pair);
	socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
	put(0, pair[1]);
	end("unix in a map", pair);
	return 0;
}
END
cat >"$work/expected" <<'END'
6.1.0-56-amd64
tcp: peer reads -1 Connection reset by peer
tcp: peer sends -1 Broken pipe
tcp in a map: peer reads 0 
tcp in a map: peer sends 4 
unix: peer reads -1 Connection reset by peer
unix: peer sends -1 Broken pipe
unix in a map: peer reads 0 
unix in a map: peer sends -1 Broken pipe
end of output, status 0
END
guest/run.sh "$work/program.bpf.c" "$work/user.c" | tee "$work/seen"
diff "$work/expected" "$work/seen"
