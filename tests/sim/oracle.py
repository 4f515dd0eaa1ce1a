"""Judges one reliable channel over a whole run: what was accepted, what took effect, what is missing and why.

It sits outside both programs and outlives their crashes. It learns three ways: what callers were told (`accepted`,
`cancelled`), what commits did (`effected`, `declared`, called behind the commit), and what a file that was put back
still knows (`sender_restored`, `receiver_restored`). Broken rules are collected in `violations`; `broken` is set at
the first.

The promise: every accepted message takes effect exactly once, in the order of sending, or its absence is accounted
for: the sender declared it dropped, or it had taken effect before the receiver's file was put back, or the sender's
own file was put back to a time before it was accepted.
"""

import collections
from collections.abc import Iterable

import trio
from attrs import define, field

from protocol.reliable import ALREADY_DONE, EXPIRED, GONE, OVERFLOW

Key = tuple[int, int]
"""Epoch and number in it."""


@define(eq=False)
class ChannelOracle:
    """`live` is what the receiver's file holds now; `ever` what took effect at any time, undone or not."""

    channel: str
    offered: int = 0
    accepted: dict[Key, int] = field(factory=dict)
    undecided: set[int] = field(factory=set)
    forgotten: set[Key] = field(factory=set)
    declared: dict[Key, set[str]] = field(factory=dict)
    live: dict[Key, int] = field(factory=dict)
    ever: set[Key] = field(factory=set)
    refused: set[Key] = field(factory=set)
    kept_from: dict[int, int] = field(factory=dict)
    acked_to: dict[int, int] = field(factory=dict)
    newest: int = 0
    violations: list[str] = field(factory=list)
    broken: trio.Event = field(factory=trio.Event)

    def _violation(self, words: str) -> None:
        self.violations.append(f"{self.channel}: {words}")
        self.broken.set()

    # --- the sender ----------------------------------------------------------------------------------------------

    def offer(self) -> int:
        """Return the number of the next message; until `accept` it may take effect once, or never."""
        self.offered += 1
        self.undecided.add(self.offered)
        return self.offered

    def accept(self, key: Key, number: int) -> None:
        """Note that the caller was told: accepted."""
        if key in self.accepted:
            self._violation(f"{key} was given to {self.accepted[key]} and to {number}")
        self.undecided.discard(number)
        self.accepted[key] = number

    def declare(self, epoch: int, first: int, last: int, reason: str) -> None:
        """Note that the sender turned these into a skip. It may do so again, and for another reason: its file was
        put back after the receiver had been told."""
        for seq in range(first, last + 1):
            self.declared.setdefault((epoch, seq), set()).add(reason)

    def retain(self, epoch: int, first: int) -> None:
        """Note that the sender no longer keeps what it was told is done, below `first`."""
        self.kept_from[epoch] = max(first, self.kept_from.get(epoch, 1))

    def acknowledge(self, epoch: int, seq: int) -> None:
        """Note that the sender was told that everything up to `seq` is done: it must be."""
        for key in ((epoch, at) for at in range(self.acked_to.get(epoch, 0) + 1, seq + 1)):
            if not self._was_done(key):
                self._violation(f"{key} was acknowledged before it was done")
        self.acked_to[epoch] = max(seq, self.acked_to.get(epoch, 0))

    def _was_done(self, key: Key) -> bool:
        gone = key[1] < self.kept_from.get(key[0], 1)
        return gone or key in self.ever or key in self.refused or key in self.declared

    def sender_restored(self, after: dict[int, int]) -> int:
        """Note that the sender's file was put back; `after` maps the epochs in it to the first number not in it.

        Return how many accepted messages it does not know any more.
        """
        lost = {key for key in self.accepted if key[1] >= after.get(key[0], 1)} - self.forgotten
        self.forgotten |= lost
        return len(lost)

    # --- the receiver --------------------------------------------------------------------------------------------

    def effected(self, key: Key, number: int) -> None:
        """Note that an effect is committed."""
        if key in self.live:
            self._violation(f"{number} {key} took effect twice")
        if number <= self.newest:
            self._violation(f"{number} {key} took effect behind {self.newest}")
        if key in self.accepted:
            if self.accepted[key] != number:
                self._violation(f"{key} was {self.accepted[key]} when sent, and {number} when it took effect")
        elif number not in self.undecided:
            self._violation(f"{number} {key} took effect and was never sent")
        self.live[key] = self.newest = number
        self.ever.add(key)

    def refuse(self, key: Key) -> None:
        """Note that the effect refuses a message for good: it becomes a dead letter."""
        self.refused.add(key)

    def receiver_restored(self, held: Iterable[tuple[Key, int]]) -> int:
        """Note that the receiver's file was put back and holds these effects; return how many were undone."""
        before = len(self.live)
        self.live = dict(held)
        self.newest = max(self.live.values(), default=0)
        return before - len(self.live)

    # --- the end -------------------------------------------------------------------------------------------------

    def judge(
        self,
        held: Iterable[tuple[Key, int]],
        dead: Iterable[tuple[Key, int]],
        skips: Iterable[tuple[int, int, int, str]],
    ) -> collections.Counter[str]:
        """Compare with the receiver's file: effects and dead letters in order, skips as (epoch, first, last, reason).

        Return the number of messages by what became of them. Raises AssertionError with every broken rule.
        """
        held, dead = list(held), list(dead)
        if dict(held) != self.live:
            self._violation(f"{len(self.live)} effects were committed, the file holds {len(held)}")
        skipped = {(epoch, seq): why for epoch, first, last, why in skips for seq in range(first, last + 1)}
        there = collections.Counter(key for key, _ in [*held, *dead])
        there.update(skipped.keys())
        for key, times in there.items():
            if times > 1:
                self._violation(f"{key} is {times} times in the receiver's file")
        fates: collections.Counter[str] = collections.Counter()
        dead_keys = {key for key, _ in dead}
        for key, number in self.accepted.items():
            if key in self.live:
                fates["taken"] += 1
            elif key in dead_keys:
                fates["dead letter"] += 1
            elif key in skipped:
                fates[f"skipped: {skipped[key]}"] += 1
                self._judge_skip(key, skipped[key])
            elif key in self.forgotten:
                fates["lost with the sender's file"] += 1
            else:
                fates["LOST"] += 1
                self._violation(f"{number} {key} is lost")
        assert not self.violations, "\n".join(self.violations[:20])
        return fates

    def _judge_skip(self, key: Key, reason: str) -> None:
        match reason:
            case "overflow" | "expired":
                assert reason in (OVERFLOW, EXPIRED)
                fair = reason in self.declared.get(key, ())
            case _ if reason == ALREADY_DONE:
                fair = self._was_done(key)
            case _ if reason == GONE:
                fair = key in self.declared or key[1] < self.kept_from.get(key[0], 1)
            case _:
                fair = False
        if not fair:
            causes = ", ".join(self.declared.get(key, ())) or "none"
            self._violation(f"{key} was skipped ({reason}) without a cause; declared: {causes}")
