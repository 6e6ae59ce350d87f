"""Helpers for values beside sockets (net/core/bpf_sk_storage.c)."""

from __future__ import annotations

from skverdict.runtime.machine.call import Call
from skverdict.runtime.machine.context import Structure
from skverdict.runtime.machine.environment import HelperFunction
from skverdict.runtime.machine.errno import Errno, KernelError
from skverdict.runtime.maps.socket_storage import SocketStorage

BPF_SK_STORAGE_GET_F_CREATE = 1


def sk_storage_get(
    call: Call, storage: SocketStorage, socket: Structure, value: bytes | None, flags: int
) -> int:
    """NULL without a value, unless the flag asks for a new one: `value`, or zeros."""
    owner = socket.identity
    if not socket.full or flags > BPF_SK_STORAGE_GET_F_CREATE:
        return 0
    if storage.value_of(owner) is None and flags == BPF_SK_STORAGE_GET_F_CREATE:
        storage.put(owner, bytes(storage.value_size) if value is None else value)
    return call.map_value(storage, storage.value_of(owner))


def sk_storage_delete(call: Call, storage: SocketStorage, socket: Structure) -> int:
    """ENOENT without a value, EINVAL for what is not yet, or no longer, a whole socket."""
    if not socket.full:
        raise KernelError(Errno.EINVAL, "it is not a full socket")
    storage.drop(socket.identity)
    return 0


FUNCTIONS: dict[str, HelperFunction] = {
    "bpf_sk_storage_get": sk_storage_get,
    "bpf_sk_storage_delete": sk_storage_delete,
}
