"""A seccomp filter: of the system calls of this process, only those that computing needs.

Works without root (PR_SET_NO_NEW_PRIVS). Everything that is not listed fails with EPERM, so that
Python code sees an ordinary error; what would be a sign of an attack is no different. Numbers are
those of Linux' headers (arch/x86/entry/syscalls/syscall_64.tbl, asm-generic/unistd.h); the program
is that of seccomp(2).
"""

import ctypes
import platform
import struct
import sys

_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_ALLOWED: dict[str, tuple[int, int]] = {
    # name: (x86_64, aarch64), -1 where there is none
    "read": (0, 63),
    "write": (1, 64),
    "close": (3, 57),
    "fstat": (5, 80),
    "lseek": (8, 62),
    "mmap": (9, 222),
    "munmap": (11, 215),
    "mremap": (25, 216),
    "madvise": (28, 233),
    "brk": (12, 214),
    "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139),
    "sigaltstack": (131, 132),
    "getpid": (39, 172),
    "gettid": (186, 178),
    "exit": (60, 93),
    "exit_group": (231, 94),
    "futex": (202, 98),
    "sched_yield": (24, 124),
    "nanosleep": (35, 101),
    "clock_nanosleep": (230, 115),
    "clock_gettime": (228, 113),
    "clock_getres": (229, 114),
    "gettimeofday": (96, 169),
    "time": (201, -1),
    "getrandom": (318, 278),
    "restart_syscall": (219, 128),
    "getrusage": (98, 165),
    "membarrier": (324, 283),
    "rseq": (334, 293),
}
_LOAD, _EQUAL, _RETURN = 0x20, 0x15, 0x06
_GREATER_OR_EQUAL = 0x35
_PERMIT, _DENY = 0x7FFF0000, 0x00050001  # SECCOMP_RET_ERRNO | EPERM
_NUMBER, _ARCHITECTURE = 0, 4
_X32 = 0x40000000  # calls of the x32 interface carry this bit
_NO_NEW_PRIVILEGES, _FILTER_MODE, _ALL_THREADS = 38, 1, 1
_SECCOMP = {"x86_64": 317, "aarch64": 277}


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("code", ctypes.c_char_p)]


def supported() -> bool:
    """Whether this machine's filters are known here."""
    return sys.platform == "linux" and platform.machine() in _ARCHITECTURES


def install() -> None:
    """Filter all further calls of all threads of this process; there is no way back.

    Raises:
        OSError: the machine does not allow it.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    code = _program(platform.machine())
    program = _Program(len(code) // 8, code)
    if libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "no_new_privs was refused")
    numbers = map(ctypes.c_long, (_SECCOMP[platform.machine()], _FILTER_MODE, _ALL_THREADS))
    if libc.syscall(*numbers, ctypes.byref(program)):
        raise OSError(ctypes.get_errno(), "seccomp was refused")


def _program(machine: str) -> bytes:
    """Berkeley packet filter code: 8 bytes an instruction."""
    column = list(_ARCHITECTURES).index(machine)
    numbers = sorted(pair[column] for pair in _ALLOWED.values() if pair[column] >= 0)
    lines = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 1, 0, _ARCHITECTURES[machine]),
        (_RETURN, 0, 0, _DENY),
        (_LOAD, 0, 0, _NUMBER),
        (_GREATER_OR_EQUAL, 0, 1, _X32),
        (_RETURN, 0, 0, _DENY),
    ]
    for number in numbers:
        lines += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, _PERMIT)]
    lines.append((_RETURN, 0, 0, _DENY))
    return b"".join(struct.pack("=HBBI", *line) for line in lines)
