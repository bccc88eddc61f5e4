"""Becomes a program that is not told of the machine's network interfaces.

Run as `python without_netlink.py PROGRAM ARGUMENTS…`. The kernel refuses it, and what it starts,
sockets of AF_NETLINK (EAFNOSUPPORT). Chromium gives up requests that wait for a connection, also
to loopback, with ERR_NETWORK_CHANGED whenever the machine gets or loses an address; tests that
run beside it make and remove interfaces. Without netlink it takes the network as it is.
"""

import ctypes
import errno
import os
import platform
import socket
import struct
import sys

_SOCKET = {"x86_64": 41, "aarch64": 198}  # asm/unistd.h: the number of the system call

# linux/prctl.h, linux/seccomp.h
_SET_NO_NEW_PRIVILEGES, _SET_SECCOMP, _FILTER = 38, 22, 2
_ALLOW, _FAIL = 0x7FFF0000, 0x00050000

# linux/bpf_common.h
_LOAD_WORD, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x15, 0x06
_NUMBER, _FIRST_ARGUMENT = 0, 16  # where they are in `struct seccomp_data`


def refuse_netlink() -> None:
    """Let this process, and what it becomes and starts, make no socket of AF_NETLINK.

    Raises:
        OSError: the kernel has no such filters.
    """
    program = (
        (_LOAD_WORD, 0, 0, _NUMBER),
        (_JUMP_IF_EQUAL, 0, 3, _SOCKET[platform.machine()]),
        (_LOAD_WORD, 0, 0, _FIRST_ARGUMENT),
        (_JUMP_IF_EQUAL, 0, 1, socket.AF_NETLINK),
        (_RETURN, 0, 0, _FAIL | errno.EAFNOSUPPORT),
        (_RETURN, 0, 0, _ALLOW),
    )
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *each) for each in program))
    given = ctypes.create_string_buffer(struct.pack("@HP", len(program), ctypes.addressof(code)))
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    prctl.argtypes = [ctypes.c_int, *[ctypes.c_ulong] * 4]
    for words in (
        (_SET_NO_NEW_PRIVILEGES, 1, 0, 0, 0),
        (_SET_SECCOMP, _FILTER, ctypes.addressof(given), 0, 0),
    ):
        if prctl(*words):
            raise OSError(ctypes.get_errno(), "seccomp")


if __name__ == "__main__":
    if platform.machine() in _SOCKET:
        refuse_netlink()
    os.execvp(sys.argv[1], sys.argv[1:])  # noqa: S606 - that it is no shell is intended
