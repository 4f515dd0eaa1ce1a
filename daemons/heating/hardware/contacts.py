"""Contacts: each closes its pin to ground. What they are is read; that one may have changed is told to Trio's thread."""

from collections.abc import Callable
from typing import Any

import trio
from attrs import define, field

from daemons.heating.hardware.port import HardwareError
from daemons.heating.hardware.wiring import Wiring

__all__ = ["Contacts"]


@define(eq=False)
class Contacts:
    """By id. Edges come in a thread of lgpio's: they are handed over by `run_sync_soon(…, idempotent=True)`, so that any
    number of them is one look. (`send_nowait` of a memory channel from there loses the task that waits, for ever.)"""

    changed: Callable[[], None]
    devices: dict[str, Any] = field(factory=dict)
    edges: int = field(default=0, init=False)
    _token: trio.lowlevel.TrioToken | None = field(default=None, init=False)

    def claim(self, wiring: Wiring, factory: Any) -> None:
        """Claim every line as an input that is pulled up. Raises HardwareError."""
        from gpiozero import DigitalInputDevice

        for id_, pin in wiring.contacts.items():
            try:
                device = DigitalInputDevice(
                    pin, pull_up=True, bounce_time=wiring.debounce_s or None, pin_factory=factory
                )
                device.when_activated = device.when_deactivated = self._edge
            except Exception as exc:
                self.close()
                raise HardwareError(f"contact {id_}, GPIO {pin}: {exc}", (id_,)) from exc
            self.devices[id_] = device

    def begin(self) -> None:
        """From now on changes are told, in this run of Trio."""
        self._token = trio.lowlevel.current_trio_token()

    def read(self) -> dict[str, bool | None]:
        """Return which are closed; None: that cannot be read."""
        return {id_: _is_closed(device) for id_, device in self.devices.items()}

    def close(self) -> None:
        """Let all lines go; nothing is told any more."""
        self._token = None
        for device in self.devices.values():
            try:
                device.close()
            except Exception:  # with its chip gone there is nothing to let go
                continue
        self.devices.clear()

    def _edge(self) -> None:
        """In lgpio's thread: must not raise, must not wait."""
        token = self._token
        if token is None:
            return
        try:
            token.run_sync_soon(self._in_trio, idempotent=True)
        except trio.RunFinishedError:
            pass  # nobody is there any more to look

    def _in_trio(self) -> None:
        self.edges += 1
        self.changed()


def _is_closed(device: Any) -> bool | None:
    try:
        return bool(device.is_active)
    except Exception:  # a line that cannot be read is not known, whatever the driver calls it
        return None
