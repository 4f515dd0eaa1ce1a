"""What a drill is done on: the two daemons, how they are asked, and the carrier of the faults."""

from collections.abc import Mapping

from attrs import field, frozen

from chaos.carrier import Carrier
from daemons.ops.client import AdminClient

__all__ = ["Ground"]


@frozen
class Ground:
    """A site and its hub. Whoever made it closes it.

    `words`: what it is, for people. `is_throwaway`: nobody is harmed, so nobody is asked. `site_name`: as the hub
    knows it. `pages`: base URLs of "site" and "hub" for probes of pages. `versions`: of what is drilled and drills.
    """

    words: str
    site_name: str
    site: AdminClient
    hub: AdminClient
    carrier: Carrier
    is_throwaway: bool = False
    pages: Mapping[str, str] = field(factory=dict)
    versions: Mapping[str, str] = field(factory=dict)
