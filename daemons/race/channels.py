"""How a video channel is shown: its name, its frequency, its colour at this event. Pure functions over `model` values.

Source of the rules: FPVTracksideCore `RaceLib/Channel.cs` and its own page (`Webb/httpfiles/EventManager.js`, GetChannel).
"""

from collections.abc import Mapping

from attrs import frozen

from daemons.race.model import Channel, Day

__all__ = ["Label", "channel_colours", "channel_label"]

SAME_COLOUR_MHZ = 15
"""Channels of the event nearer than this share a colour: they cannot be flown at once."""


@frozen
class Label:
    """How a channel is shown. `frequency_mhz` 0: unknown."""

    name: str | None
    frequency_mhz: int
    colour: str | None


def channel_colours(day: Day) -> dict[str, str]:
    """Return the colour of each channel of the event, by channel id."""
    if day.event is None or not day.event.channel_colours:
        return {}
    known = [day.channels[key] for key in day.event.channels if key in day.channels]
    palette = day.event.channel_colours
    colours: dict[str, str] = {}
    index = -1
    previous: Channel | None = None
    for channel in sorted(known, key=lambda channel: channel.frequency_mhz):
        if previous is None or channel.frequency_mhz - previous.frequency_mhz >= SAME_COLOUR_MHZ:
            index += 1
        colours[channel.id] = palette[index % len(palette)]
        previous = channel
    return colours


def channel_label(day: Day, channel_id: str, colours: Mapping[str, str] | None = None) -> Label:
    """Return how a channel is shown; `colours` from `channel_colours`, for who asks for many."""
    channel = day.channels.get(channel_id)
    known = channel_colours(day) if colours is None else colours
    mhz = channel.frequency_mhz if channel is not None else 0
    return Label(_channel_name(day, channel_id), mhz, known.get(channel_id))


def _channel_name(day: Day, channel_id: str) -> str | None:
    event = day.event
    if event is not None and channel_id in event.channels:
        place = event.channels.index(channel_id)
        given = event.channel_names[place] if place < len(event.channel_names) else None
        if given is not None:
            return given
    channel = day.channels.get(channel_id)
    return channel.name if channel is not None else None
