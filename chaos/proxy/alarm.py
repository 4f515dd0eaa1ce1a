"""A timer of the kernel's that is a file, and finer than the whole milliseconds in which Trio's waiting ends.

Linux only. Python has had it since 3.13, so it is asked of the C library here.
"""

import ctypes
import os
import time

_FLAGS = os.O_NONBLOCK | os.O_CLOEXEC
_NEVER = 1e9
_SOONEST_NS = 1_000
"""A time of nothing would switch the timer off."""


class _Time(ctypes.Structure):
    _fields_ = (("s", ctypes.c_long), ("ns", ctypes.c_long))


class _Setting(ctypes.Structure):
    _fields_ = (("every", _Time), ("after", _Time))


class Alarm:
    """`fd` can be read from when it is time, until it is set again. Raises OSError when there is none."""

    def __init__(self) -> None:
        self._c = ctypes.CDLL(None, use_errno=True)
        self.fd = self._c.timerfd_create(time.CLOCK_MONOTONIC, _FLAGS)
        if self.fd < 0:
            raise OSError(ctypes.get_errno(), "no timer")
        self._setting = _Setting()
        self._pointer = ctypes.byref(self._setting)

    def set(self, after_s: float) -> None:
        """Go off so much later and not before, whatever was set; `inf` is never."""
        after_ns = max(_SOONEST_NS, int(min(after_s, _NEVER) * 1e9))
        self._setting.after.s, self._setting.after.ns = divmod(after_ns, 1_000_000_000)
        self._c.timerfd_settime(self.fd, 0, self._pointer, None)

    def close(self) -> None:
        """Idempotent."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1
