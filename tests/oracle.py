"""What the promise of a reliable channel means, independent of how it is kept.

The oracle is told what a sender accepted, and when its database was copied or put back from a copy; it is
shown what the receiver's database holds in the end. The sender's history is a tree: each restored copy begins
a new branch, and what was accepted behind the copy on the old branch is lost history, which may have taken
effect or not.
"""

from collections.abc import Hashable, Iterable, Sequence

from attrs import define, field, frozen

RESTORED_REASONS = frozenset({"already-done", "gone"})
"""Reasons of skips that a receiver may hold only for what it once had, before it was restored."""


class Broken(AssertionError):
    """The promise was broken; the words say how."""


@define(eq=False)
class _Branch:
    parent: "_Branch | None" = None
    fork: int = 0  # length of the parent's history at the copy
    length: int = 0

    def path(self) -> "Iterable[tuple[_Branch, int]]":
        """Yield this branch and those it grew from, each with the length of history that they share."""
        branch: _Branch | None = self
        upto = self.length
        while branch is not None:
            yield branch, upto
            upto = branch.fork
            branch = branch.parent


@frozen
class Copy:
    """A copy of a sender's database: how long its history was for sure, and at most."""

    branch: _Branch
    length: int


@define(eq=False)
class _Accepted:
    branch: _Branch
    at: int  # place in the branch's history, from 1
    sure: bool = False
    refused: bool = False
    place: tuple[int, int] | None = None  # (epoch, number)


@define(eq=False)
class ChannelOracle:
    """One channel in one direction. Messages are named by any hashable value, each used once."""

    _branch: _Branch = field(factory=_Branch)
    _messages: dict[Hashable, _Accepted] = field(factory=dict)
    _once: set[tuple[int, int]] = field(factory=set)  # what abandoned histories of the receiver had

    def attempt(self, name: Hashable) -> None:
        """Note that the sender was asked to accept a message: from here on it may take effect."""
        assert name not in self._messages, "a name is used once"
        self._branch.length += 1
        self._messages[name] = _Accepted(self._branch, self._branch.length)

    def accept(self, name: Hashable, epoch: int, seq: int) -> None:
        """Note that the sender has promised it, as this number of this epoch."""
        message = self._messages[name]
        message.sure = True
        message.place = (epoch, seq)

    def refuse(self, name: Hashable) -> None:
        """Note that the sender has refused it: it must not take effect."""
        self._messages[name].refused = True

    def copy(self) -> Copy:
        """Note that a copy of the sender's database is made now, while nothing is being accepted."""
        return Copy(self._branch, self._branch.length)

    def restore(self, copy: Copy) -> None:
        """Note that the sender's database was put back from a copy."""
        # A branch of its own: what is accepted from here on has nothing to do with what followed the copy.
        self._branch = _Branch(copy.branch, copy.length, 0)

    def restore_receiver(
        self, applied: Iterable[Hashable], skipped: Iterable[tuple[int, int, int, str]]
    ) -> None:
        """Note that the receiver's database is put back from a copy; this is what it has had until now."""
        places = (self._messages[name].place for name in applied)
        self._once.update(place for place in places if place is not None)
        self._once.update((epoch, seq) for epoch, first, last, _ in skipped for seq in range(first, last + 1))

    def accepted(self) -> list[Hashable]:
        """Return what the sender has promised and still knows of, in order."""
        lengths = {id(branch): upto for branch, upto in self._branch.path()}
        return [
            name
            for name, message in self._messages.items()
            if message.sure and message.at <= lengths.get(id(message.branch), 0)
        ]

    def check(
        self,
        applied: Sequence[Hashable],
        skipped: Sequence[tuple[int, int, int, str]],
        *,
        dropped: Iterable[tuple[int, int, int]] = (),
        complete: bool,
    ) -> None:
        """Hold what the receiver has against the promise. Raises Broken.

        `applied`: names in the order of their effects. `skipped`: (epoch, first, last, reason) as the
        receiver committed them. `dropped`: what the sender says it dropped, (epoch, first, last) each.
        `complete`: all has arrived, so whatever was promised must be there or be skipped.
        """
        self._check_effects(applied)
        covered = self._check_skips(applied, skipped, dropped)
        if complete:
            there = set(applied)
            for name in self.accepted():
                if name not in there and self._messages[name].place not in covered:
                    raise Broken(f"{name!r} was accepted and is lost")

    def _check_effects(self, applied: Sequence[Hashable]) -> None:
        upto: dict[int, int] = {}  # by branch: how far effects have come, with all that precedes them
        seen: set[Hashable] = set()
        for name in applied:
            message = self._messages.get(name)
            if message is None or message.refused:
                raise Broken(f"{name!r} took effect and was never accepted")
            if name in seen:
                raise Broken(f"{name!r} took effect twice")
            seen.add(name)
            if message.at <= upto.get(id(message.branch), 0):
                raise Broken(f"{name!r} took effect after a later message")
            upto[id(message.branch)] = message.at
            for branch, shared in list(message.branch.path())[1:]:
                upto[id(branch)] = max(upto.get(id(branch), 0), shared)

    def _check_skips(
        self,
        applied: Sequence[Hashable],
        skipped: Sequence[tuple[int, int, int, str]],
        dropped: Iterable[tuple[int, int, int]],
    ) -> set[tuple[int, int]]:
        declared = {(epoch, seq) for epoch, first, last in dropped for seq in range(first, last + 1)}
        covered: set[tuple[int, int]] = set()
        for epoch, first, last, reason in skipped:
            for seq in range(first, last + 1):
                if (epoch, seq) in covered:
                    raise Broken(f"{seq} of {epoch} was skipped twice")
                known = self._once if reason in RESTORED_REASONS else declared
                if (epoch, seq) not in known:
                    raise Broken(f"{seq} of {epoch} was skipped as {reason}, and it was not")
                covered.add((epoch, seq))
        for name in applied:
            if self._messages[name].place in covered:
                raise Broken(f"{name!r} took effect and was skipped")
        return covered
