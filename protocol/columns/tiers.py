"""Which channels travel live, how often and how exactly: by tiers, as a receiver wishes."""

from collections.abc import Callable
from typing import Any

from attrs import Attribute, field, frozen

from protocol import cbor
from protocol.columns.values import ColumnsError, Group, Precision
from protocol.errors import RemoteProtocolError
from protocol.irsdk import VARIABLES_MAX, Layout, Variable

__all__ = ["EVERY_MAX", "Wish", "groups_of", "is_of_cars", "is_sub_sample"]

EVERY_MAX = 3600
BATCH_TICKS_MAX = 600
NAME_CHARS_MAX = 64


def _within(least: int, most: int) -> Callable[[Any, "Attribute[int]", int], None]:
    def check(_: Any, attribute: "Attribute[int]", value: int) -> None:
        if not least <= value <= most:
            raise ColumnsError(f"{attribute.name} of {value}: {least} to {most} can be")

    return check


@frozen
class Wish:
    """What a receiver wants live now. `names`: None is everything useful; others are the channels by name (an array
    or a sub-sampled channel that is named comes with them). `scalars_every` and `cars_every`: ticks between samples of
    the player's values, and of the arrays with a value for each car. `sub_samples`: the 360 Hz channels too.
    `batch_ticks`: ticks to a batch.

    Raises ColumnsError for what cannot be.
    """

    names: frozenset[str] | None = None
    scalars_every: int = field(default=1, validator=_within(1, EVERY_MAX))
    cars_every: int = field(default=12, validator=_within(1, EVERY_MAX))
    sub_samples: bool = False
    precision: Precision = Precision.FINE
    batch_ticks: int = field(default=15, validator=_within(1, BATCH_TICKS_MAX))

    def pack(self) -> bytes:
        """Return it as CBOR, names in order."""
        names = None if self.names is None else sorted(self.names)
        return cbor.encode(
            [
                names,
                self.scalars_every,
                self.cars_every,
                self.sub_samples,
                int(self.precision),
                self.batch_ticks,
            ]
        )

    @classmethod
    def unpack(cls, data: bytes) -> "Wish":
        """Read what `pack` wrote. Raises ColumnsError."""
        try:
            names, scalars, cars, subs, precision, ticks = cbor.decode(data)
        except (RemoteProtocolError, TypeError, ValueError):
            raise ColumnsError("a wish that is not six fields of CBOR") from None
        if names is not None and not (
            isinstance(names, list)
            and len(names) <= VARIABLES_MAX
            and all(isinstance(name, str) and len(name) <= NAME_CHARS_MAX for name in names)
        ):
            raise ColumnsError("a wish for channels that are no names")
        if (
            not all(type(number) is int for number in (scalars, cars, precision, ticks))
            or type(subs) is not bool
        ):
            raise ColumnsError("a wish whose fields are of another type")
        if precision not in tuple(Precision):
            raise ColumnsError(f"precision {precision}: 0 to {max(Precision)} are known")
        return cls(
            None if names is None else frozenset(names), scalars, cars, subs, Precision(precision), ticks
        )


def is_of_cars(variable: Variable) -> bool:
    """Say whether it has a value for each car of the session."""
    return variable.name.startswith("CarIdx")


def is_sub_sample(variable: Variable) -> bool:
    """Say whether its values are moments within the tick (360 Hz)."""
    return variable.count_as_time or variable.name.endswith("_ST")


def groups_of(layout: Layout, wish: Wish) -> list[Group]:
    """Return the groups to encode of a layout for a wish; empty ones are left out, names that are not there too."""
    scalars, cars = [], []
    for variable in layout.variables:
        named = wish.names is not None and variable.name in wish.names
        if wish.names is not None and not named:
            continue
        if is_of_cars(variable):
            cars.append(variable.name)
        elif named or wish.sub_samples or not is_sub_sample(variable):
            scalars.append(variable.name)
    return [
        Group(tuple(names), every, wish.precision)
        for names, every in ((scalars, wish.scalars_every), (cars, wish.cars_every))
        if names
    ]
