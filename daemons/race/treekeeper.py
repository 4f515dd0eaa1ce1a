"""The versions of one site's tree: the newest, and the last ones before it, so that a viewer gets what he lacks.

No clock, no I/O. A tree is made when somebody looks, not when a file comes: a hub of many sites makes those that are
watched. What leaves for viewers is encoded once for all who lack the same: a change costs one encoding, whether one
phone or a thousand show the page.
"""

from collections import Counter, OrderedDict
from datetime import tzinfo

from attrs import define, field, frozen

from daemons.race.mergepatch import diff
from daemons.race.model import Day
from daemons.race.tree import Tree, TreeMaker
from daemons.race.treebytes import TreeEncoder, to_json
from daemons.web import sse

__all__ = ["VERSIONS_MAX", "TreeKeeper", "Version"]

VERSIONS_MAX = 64
"""Versions for which it is known what came since: a minute or two of a live race. They share what did not change."""


@define(eq=False)
class Version:
    """One state of the tree. `packed`: its JSON by content coding, filled by whoever serves it."""

    id: str
    tree: Tree
    packed: dict[str, bytes] = field(factory=dict, init=False)
    _pieces: list[bytes] = field(factory=list, kw_only=True)
    _body: bytes = field(default=b"", init=False)

    def __repr__(self) -> str:
        return f"<Version {self.id}>"

    def body(self) -> bytes:
        """Return the tree as JSON, the same bytes each time."""
        if not self._body:
            self._body, self._pieces = b"".join(self._pieces), []
        return self._body


@frozen
class _Source:
    """What the next tree is made from."""

    day: Day
    selected: str | None
    site_zone: tzinfo | None
    kept_results: frozenset[str]


@define(eq=False)
class TreeKeeper:
    """Versions of a tree. `made` counts them; `encodings`, by what was encoded: `patch`, `snapshot` and, by
    who serves it, `packed`."""

    made: int = field(default=0, init=False)
    encodings: Counter[str] = field(factory=lambda: Counter(patch=0, snapshot=0, packed=0), init=False)
    _maker: TreeMaker = field(factory=TreeMaker, init=False)
    _encoder: TreeEncoder = field(factory=TreeEncoder, init=False)
    _source: _Source = field(factory=lambda: _Source(Day(), None, None, frozenset()), init=False)
    _is_made: bool = field(default=False, init=False)
    _newest: Version = field(factory=lambda: Version("", {}), init=False)
    _trees: OrderedDict[str, Tree] = field(factory=OrderedDict, init=False)  # by id, the newest last
    _events: dict[str, bytes] = field(
        factory=dict, init=False
    )  # to the newest version, by where from; "": whole

    def look_at(
        self, day: Day, selected: str | None, site_zone: tzinfo | None, kept_results: frozenset[str]
    ) -> bool:
        """Take note of what the tree is to be made from from now on; see `TreeMaker.make`. False: that is as it was."""
        source = _Source(day, selected, site_zone, kept_results)
        if source == self._source:
            return False
        self._source, self._is_made = source, False
        return True

    def newest(self) -> Version:
        """Return the newest version, made now if it was not yet."""
        if not self._is_made:
            source, self._is_made = self._source, True
            tree = self._maker.make(
                source.day, source.selected, site_zone=source.site_zone, kept_results=source.kept_results
            )
            if tree is not self._newest.tree:
                self._add(tree)
        return self._newest

    def _add(self, tree: Tree) -> None:
        id_, pieces = self._encoder.encode(tree)
        if id_ == self._newest.id:
            return
        self.made += 1
        self._newest = Version(id_, tree, pieces=pieces)
        self._events.clear()
        self._trees[id_] = tree
        self._trees.move_to_end(id_)
        while len(self._trees) > VERSIONS_MAX:
            self._trees.popitem(last=False)

    def is_known(self, id_: str) -> bool:
        """Is it known what came since this version? Whatever else a client names is one version to us."""
        return self.newest().id == id_ or id_ in self._trees

    def event(self, after: str) -> bytes:
        """Return the event that brings who has the version `after` to the newest: a patch, or all of it as `tree`.

        b"" for who has it. All is sent to who has a version that is not known (any more), and where that is shorter.
        """
        newest = self.newest()
        if after == newest.id:
            return b""
        before = self._trees.get(after)
        if before is None:
            return self._snapshot(newest)
        found = self._events.get(after)
        if found is None:
            found = self._events[after] = self._patch(before, newest)
        return found

    def _patch(self, before: Tree, newest: Version) -> bytes:
        patch = to_json(diff(before, newest.tree))
        self.encodings["patch"] += 1
        if len(patch) >= len(newest.body()):
            return self._snapshot(newest)
        return sse.event("patch", patch, newest.id)

    def _snapshot(self, newest: Version) -> bytes:
        found = self._events.get("")
        if found is None:
            self.encodings["snapshot"] += 1
            found = self._events[""] = sse.event("tree", newest.body(), newest.id)
        return found
