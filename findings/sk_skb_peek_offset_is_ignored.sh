#!/usr/bin/env bash
# Linux 6.1.192 (Debian 6.1.0-56): SO_PEEK_OFF lets each MSG_PEEK go on where the one before ended. Behind a verdict
# that passes, setsockopt() takes it and every peek begins at the first byte again: who peeks until a message is whole
# never gets further. 6.12.117 and 7.2.13 gave the same output. There TCP sockets, which have SO_PEEK_OFF since 6.9, do
# the same.
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

static void peek(const char *name, int pair[2], int in_map)
{
	int offset = 0;
	char text[2];

	if (in_map)
		put(0, pair[1]);
	send(pair[0], "abcdef", 6, 0);
	usleep(100000);
	printf("%s%s: %d,", name, in_map ? " in a map" : "",
	       setsockopt(pair[1], SOL_SOCKET, SO_PEEK_OFF, &offset, sizeof(offset)));
	for (int i = 0; i < 3; i++) {
		ssize_t count = recv(pair[1], text, sizeof(text), MSG_PEEK | MSG_DONTWAIT);

		printf(" \"%.*s\"", count > 0 ? (int)count : 0, text);
	}
	puts("");
}

int main(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(address);
	int pair[2];

	load();
	attach("verdict", BPF_SK_SKB_VERDICT);
	for (int in_map = 0; in_map < 2; in_map++) {
		socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
		peek("unix", pair, in_map);
		pair[0] = socket(AF_INET, SOCK_DGRAM, 0);
		pair[1] = socket(AF_INET, SOCK_DGRAM, 0);
		address.sin_port = 0;
		bind(pair[1], (struct sockaddr *)&address, length);
		getsockname(pair[1], (struct sockaddr *)&address, &length);
		connect(pair[0], (struct sockaddr *)&address, length);
		peek("udp", pair, in_map);
	}
	return 0;
}
END
cat >"$work/expected" <<'END'
6.1.0-56-amd64
unix: 0, "ab" "cd" "ef"
udp: 0, "ab" "cd" "ef"
unix in a map: 0, "ab" "ab" "ab"
udp in a map: 0, "ab" "ab" "ab"
end of output, status 0
END
guest/run.sh "$work/program.bpf.c" "$work/user.c" | tee "$work/seen"
diff "$work/expected" "$work/seen"
