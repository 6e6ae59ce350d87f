#!/usr/bin/env bash
# Linux 6.1.192 (Debian 6.1.0-56): a TCP socket that is disconnected, by connect() to AF_UNSPEC, and connected anew
# stays in its map, and what a verdict passed before and nobody read is still there: it is read as the beginning of the
# new connection. Without a map it is thrown away. Do not use sockets of a map for a second connection. 6.12.117 and
# 7.2.13 gave the same output.
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

static void reconnect(const char *name, int socket_)
{
	struct sockaddr nobody = {.sa_family = AF_UNSPEC};
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	bind(listener, (struct sockaddr *)&address, length);
	listen(listener, 1);
	getsockname(listener, (struct sockaddr *)&address, &length);
	printf("disconnect: %d\n", connect(socket_, &nobody, sizeof(nobody)));
	printf("connect: %d\n", connect(socket_, (struct sockaddr *)&address, length));
	say(accept(listener, NULL, NULL), "of the new");
	hear(name, socket_, 500);
}

int main(void)
{
	int pair[2];

	load();
	attach("verdict", BPF_SK_SKB_VERDICT);
	connect_pair(pair);
	say(pair[0], "of the old, ");
	reconnect("socket", pair[1]);
	connect_pair(pair);
	put(0, pair[1]);
	say(pair[0], "of the old, ");
	reconnect("socket in a map", pair[1]);
	printf("runs: %lld\n", get(0));
	return 0;
}
END
cat >"$work/expected" <<'END'
6.1.0-56-amd64
send "of the old, ": 12
disconnect: 0
connect: 0
send "of the new": 10
socket has "of the new"
send "of the old, ": 12
disconnect: 0
connect: 0
send "of the new": 10
socket in a map has "of the old, of the new"
runs: 2
end of output, status 0
END
guest/run.sh "$work/program.bpf.c" "$work/user.c" | tee "$work/seen"
diff "$work/expected" "$work/seen"
