"""What cannot be wired is said in words, all of it at once."""

from attrs import evolve

from daemons.heating.hardware.wiring import Ntc, RelayPin, Wiring

GOOD = Wiring(
    relays={"living": RelayPin(17), "burner": RelayPin(27, active_low=True)},
    contacts={"living-call": 5},
    ds18b20={"living": "28-0316a2795caa"},
    ntc={"flow": Ntc(channel=0), "back": Ntc(channel=1), "tank": Ntc(channel=0, device=1)},
    alive=22,
)


def test_a_good_wiring_has_no_problems() -> None:
    assert GOOD.problems() == []
    assert evolve(GOOD, gpio="latch:/run/latch").problems() == []


def test_everything_that_cannot_be_is_said_at_once() -> None:
    bad = evolve(
        GOOD,
        gpio="latch:here",
        relays={"living": RelayPin(17), "hall": RelayPin(17), "attic": RelayPin(40), "bath": RelayPin(8)},
        contacts={"living-call": 22},
        ds18b20={
            "living": "28-xyz",
            "hall": "28-0316a2795caa",
            "bath": "28-0316a2795caa",
            "flow": "28-0316a2795cab",
        },
        ntc={"flow": Ntc(channel=8), "a": Ntc(channel=1), "b": Ntc(channel=1, series=0)},
    )
    assert bad.problems() == [
        'gpio is "pi" or "latch:/path/of/a/socket", not \'latch:here\'',
        "GPIO 8 is given to relay bath and to SPI (CE0), which the MCP3008 needs",
        "GPIO 17 is given to relay living and to relay hall",
        "GPIO 22 is given to contact living-call and to the alive output",
        "relay attic: GPIO 40 is not on the header (2 to 27)",
        "sensor flow is a DS18B20 and an NTC",
        "sensor living: a DS18B20 is called \"28-\" and twelve hexadecimal digits, not '28-xyz'",
        "sensor flow: an MCP3008 has channels 0 to 7, and SPI the devices 0 and 1",
        "sensor b: r25, beta and series are more than 0",
        "DS18B20 28-0316a2795caa is given to hall and to bath",
        "channel 1 of MCP3008 0 is given to a and to b",
    ]
