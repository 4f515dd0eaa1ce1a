"""The line to this terminal, as the status bar tells of it: how often it is painted, and how much that sends."""

from attrs import define, field

from tui.app.meter import Meter

__all__ = ["COMPRESS", "RATES_HZ", "USUAL_HZ", "Line"]

RATES_HZ = (1.0, 2.0, 4.0, 10.0)
USUAL_HZ = 4.0
COMPRESS = "over SSH, ssh -C takes a fifth of the bytes"


@define(eq=False)
class Line:
    """How it is with the terminal. `hz`: paints a second at most; `is_turned`: did somebody choose that? `hint`: what is said
    for a while at the start."""

    hz: float = USUAL_HZ
    hint: str = ""
    is_turned: bool = False
    meter: Meter = field(factory=Meter)

    @property
    def words(self) -> str:
        """What it says when there is something to say: "0 B/s", "10 Hz 500 B/s"."""
        rate = f"{self.hz:.0f} Hz" if self.hz != USUAL_HZ else ""
        return " ".join(word for word in (rate, self.meter.words) if word)

    def hz_for(self, wanted_hz: float) -> float:
        """Return how often a page is painted that wants so often: as it wants, until somebody has chosen."""
        return self.hz if self.is_turned else max(self.hz, wanted_hz)

    def turn(self, by: int) -> None:
        """Paint more often, or with a negative `by` less often, up to the last of the rates."""
        self.is_turned = True
        if by > 0:
            self.hz = next((hz for hz in RATES_HZ if hz > self.hz), RATES_HZ[-1])
        else:
            self.hz = next((hz for hz in reversed(RATES_HZ) if hz < self.hz), RATES_HZ[0])
