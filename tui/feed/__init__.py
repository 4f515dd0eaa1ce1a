"""The Trio half: connects, asks, follows and comes back by itself; keeps the model, and knows no screen."""

from tui.feed.drilling import Drilling
from tui.feed.feed import Feed, Pace
from tui.feed.feeds import Feeds, open_feeds
from tui.feed.sources import Direct, Source
from tui.feed.tunnel import SshTunnel, is_ssh_place

__all__ = ["Direct", "Drilling", "Feed", "Feeds", "Pace", "Source", "SshTunnel", "is_ssh_place", "open_feeds"]
