"""Mutants of the heating's hardware: what `docs/heating-hardware.md` promises of pins, sensors and ends."""

from tests.mutants.patch import Mutant, mutant

__all__ = ["HEATPINS"]

_HERE = "daemons/heating/hardware/"
_PINS, _RELAYS, _PI = _HERE + "pins.py", _HERE + "relays.py", _HERE + "pi.py"
_ONE_WIRE, _NTC, _SENSING = _HERE + "ds18b20.py", _HERE + "ntc.py", _HERE + "sensing.py"
_OFF, _STRICT, _CONTACTS = _HERE + "relays_off.py", _HERE + "strict.py", _HERE + "contacts.py"
_TESTS = "tests/daemons/heating/hardware/test_"
_PINNED, _WHOLE = _TESTS + "pins.py", _TESTS + "pi.py"

HEATPINS: tuple[Mutant, ...] = (
    # --- pins ---------------------------------------------------------------------------------------------------
    mutant(
        "pin-floats-first", "constructing a relay makes its line no input", _PINNED,
        (_PINS, "            self._off: bool | None = None\n",
         "            self._off: bool | None = None\n"
         "            lgpio.gpio_claim_input(factory._handle, self._number, lgpio.SET_PULL_NONE)\n"),
    ),
    mutant(
        "pin-is-low-first", "constructing an active-low relay off does not energise it", _PINNED,
        (_PINS, "int(state), pull)\n",
         "0, pull)\n            lgpio.gpio_write(self.factory._handle, self._number, int(state))\n"),
    ),
    mutant(
        "pin-has-no-pull", "a line that a strict kernel lets go is pulled off", _PINNED,
        (_PINS, "pull = lgpio.SET_PULL_UP if state else lgpio.SET_PULL_DOWN", "pull = lgpio.SET_PULL_NONE"),
    ),
    mutant(
        "pin-is-left-on", "closing a relay drives it off", _PINNED,
        (_PINS, "lgpio.gpio_write(self.factory._handle, self._number, int(self._off))", "pass"),
    ),
    mutant(
        "pin-floats-last", "a closed relay's line is no input", _PINNED,
        (_PINS, "lgpio.gpio_write(self.factory._handle, self._number, int(self._off))",
         "lgpio.gpio_claim_input(self.factory._handle, self._number, lgpio.SET_PULL_NONE)"),
    ),
    mutant(
        "pins-of-all-factories", "two houses in a process have pins of their own", _PINNED,
        (_PINS, "            self.pins: dict[Any, Any] = {}\n", ""),
    ),
    # --- relays -------------------------------------------------------------------------------------------------
    mutant(
        "on-before-off", "what goes off goes off first", _WHOLE,
        (_RELAYS, "sorted(outputs.keys() & self.devices.keys(), key=lambda id_: outputs[id_])",
         "sorted(outputs.keys() & self.devices.keys(), key=lambda id_: not outputs[id_])"),
    ),
    mutant(
        "first-failure-ends-it", "a line that fails holds up no other", _WHOLE,
        (_RELAYS, '            return f"relay {id_} ({device.pin}) could not be driven {word}: {exc}"',
         '            raise HardwareError(f"relay {id_} ({device.pin}) could not be driven {word}: {exc}", (id_,)) from exc'),
    ),
    mutant(
        "pin-is-not-read", "a pin that is not as it was driven is told", _WHOLE,
        (_RELAYS, "reads = bool(device.value)", "reads = is_on"),
    ),
    mutant(
        "unwired-is-driven", "a relay that is not wired is no success", _WHOLE,
        (_RELAYS, "for id_ in outputs if id_ not in self.devices}", "for id_ in () if id_ not in self.devices}"),
    ),
    mutant(
        "alive-by-itself", "the alive output goes on completed cycles only", _WHOLE,
        (_RELAYS, "while trio.current_time() < self._until:", "while True:"),
    ),
    mutant(
        "alive-stays-high", "the alive output stands still low", _WHOLE,
        (_RELAYS, "            self._set(False)\n\n", "            self._set(True)\n\n"),
    ),
    mutant(
        "left-with-all-on", "leaving the hardware drives all off", _WHOLE,
        (_PI, "        stack.callback(_last_off, hardware)\n", ""),
        (_PI, "        stack.callback(relays.close)  # drives all off, and before the chip is closed\n", ""),
        (_PI, "        stack.callback(factory.close)\n", ""),
    ),
    mutant(
        "half-opened", "what could not be opened as a whole is let go", _WHOLE,
        (_PI, "        stack.callback(factory.close)\n", ""),
    ),
    mutant(
        "note-comes-late", "the note for the helper is there before a line is claimed", _WHOLE,
        (_PI, "        if relays_file is not None:\n            write_note(relays_file, _note(wiring, factory.chip))\n", ""),
        (_PI, "        yield hardware\n",
         "        if relays_file is not None:\n            write_note(relays_file, _note(wiring, factory.chip))\n"
         "        yield hardware\n"),
    ),
    mutant(
        "note-knows-no-level", "the helper drives an active-low relay high", _WHOLE,
        (_PI, "relay.pin: int(relay.active_low)", "relay.pin: 0"),
    ),
    # --- contacts -----------------------------------------------------------------------------------------------
    mutant(
        "each-edge-is-a-look", "any number of edges is one look", _WHOLE,
        (_CONTACTS, ", idempotent=True)\n", ")\n"),
    ),
    mutant(
        "late-edge-raises", "an edge after the run is nothing", _WHOLE,
        (_CONTACTS, "except trio.RunFinishedError:", "except MemoryError:"),
    ),
    mutant(
        "unread-is-open", "a contact that cannot be read is not known", _WHOLE,
        (_CONTACTS, "        return None\n", "        return False\n"),
    ),
    # --- sensors ------------------------------------------------------------------------------------------------
    mutant(
        "crc-is-the-kernels", "the CRC is counted again", _TESTS + "ds18b20.py",
        (_ONE_WIRE, " or crc8(pad[:8]) != pad[8]", ""),
    ),
    mutant(
        "no-is-not-read", "a CRC that the kernel found wrong is a fault", _TESTS + "ds18b20.py",
        (_ONE_WIRE, 'found[2] != b"YES" or ', ""),
    ),
    mutant(
        "true-85-is-refused", "85.0 °C is 85.0 °C", _TESTS + "ds18b20.py",
        (_ONE_WIRE, " and pad[6] != 0x10", ""),
    ),
    mutant(
        "power-on-is-warm", "a sensor that never converted is not 85.0 °C", _TESTS + "ds18b20.py",
        (_ONE_WIRE, "return Fault.POWER_ON  #", "pass  #"),
    ),
    mutant(
        "clone-is-believed", "85.0 °C of a clone is not guessed", _TESTS + "ds18b20.py",
        (_ONE_WIRE, "pad[6] != 0x10", "pad[6] == 0x0C"),
    ),
    mutant(
        "minus-127-is-cold", "what a sensor cannot measure is a fault", _TESTS + "ds18b20.py",
        (_ONE_WIRE, "_LOWEST, _HIGHEST = -55.0, 125.0", "_LOWEST, _HIGHEST = -200.0, 2000.0"),
    ),
    mutant(
        "shorted-bus-is-zero", "a bus that is shorted is not 0.0 °C", _TESTS + "ds18b20.py",
        (_ONE_WIRE, "if pad in (bytes(9), ", "if pad in ("),
    ),
    mutant(
        "nine-bits-are-twelve", "bits that say nothing are not read", _TESTS + "ds18b20.py",
        (_ONE_WIRE, "_UNDEFINED[pad[4] >> 5 & 3]", "0"),
    ),
    mutant(
        "rails-are-temperatures", "a thermistor's rails are faults", _TESTS + "ntc.py",
        (_NTC, "_RAIL = 6", "_RAIL = -1"),
    ),
    mutant(
        "open-is-short", "which wire of a thermistor it is depends on how it is wired", _TESTS + "ntc.py",
        (_NTC, "(raw <= _RAIL) is ntc.to_ground", "raw <= _RAIL"),
    ),
    mutant(
        "one-spike-counts", "one spike of a thermistor says nothing", _TESTS + "ntc.py",
        (_NTC, "celsius_of(round(median(raws)), ntc)", "celsius_of(max(raws), ntc)"),
    ),
    mutant(
        "last-value-is-kept", "a sensor that does not answer has no temperature", _TESTS + "sensing.py",
        (_SENSING, "        if said is None:\n            said = Fault.LOST\n", "        if said is None:\n            return\n"),
    ),
    mutant(
        "hung-thread-is-waited-for", "a sensor that hangs is waited for once", _TESTS + "sensing.py",
        (_SENSING, "        if limiter.borrowed_tokens:\n            return None\n", ""),
    ),
    mutant(
        "hung-thread-is-replaced", "a sensor that hangs has one thread", _TESTS + "sensing.py",
        (_SENSING, "        limiter = self._threads.setdefault(name, trio.CapacityLimiter(1))\n",
         "        limiter = self._threads[name] = trio.CapacityLimiter(1)\n"),
    ),
    mutant(
        "no-second-try", "what was damaged on the way is asked for again", _TESTS + "sensing.py",
        (_SENSING, "_TRIES = 2", "_TRIES = 1"),
    ),
    mutant(
        "unread-is-missing", "a sensor that was not read yet is lost, not missing", _WHOLE,
        (_PI, "{name: self.sensing.readings.get(name, lost) for name in self.sensing.sensors}",
         "dict(self.sensing.readings)"),
    ),
    # --- when the daemon is dead --------------------------------------------------------------------------------
    mutant(
        "helper-gives-up", "the helper tries every line", _TESTS + "relays_off.py",
        (_OFF, "            said.append(f", "            return [f"),
        (_OFF, 'driven off: {why}; {also}")\n', 'driven off: {why}; {also}"]\n'),
    ),
    mutant(
        "helper-knows-no-pinctrl", "a line that is held is driven by pinctrl", _TESTS + "relays_off.py",
        (_OFF, "(also := _pinctrl(pin, off))", '(also := "not tried")'),
    ),
    mutant(
        "helper-is-content", "a line that could not be driven off is an exit code", _TESTS + "relays_off.py",
        (_OFF, "return 1 if said else 0", "return 0"),
    ),
    mutant(
        "pi-5-by-the-wrong-chip", "of a Pi 5 the RP1 is asked", _TESTS + "strict.py",
        (_STRICT, "for module in _MODULES if is_pi_5 else _MODULES[1:]:", "for module in _MODULES[1:]:"),
    ),
    mutant(
        "config-is-believed", "what the kernel does counts, not what config.txt says", _TESTS + "strict.py",
        (_STRICT, "    if is_strict:\n", "    if is_strict or is_asked:\n"),
    ),
)  # fmt: skip
