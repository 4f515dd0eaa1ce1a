"""What to believe of an answer: a good copy, another look, the last good copy, or nothing. Pure: no clock.

FPVTrackside truncates a file and writes it anew, so for a few milliseconds it is empty, then torn. Neither is
believed before it was seen three times. A file that stays empty is not there, unless there was something in
it before.
"""

from attrs import evolve, frozen

from daemons.race.bodies import CANONICAL_BYTES_MAX, Verdict, judge, judge_in_turns, validator_for, words_for
from daemons.race.fetched import Fetched
from daemons.race.kept import Kept
from daemons.race.originlimits import OriginLimits, OriginStatistics
from protocol.canonical import digest_of
from protocol.errors import ErrorCode, RequestError

__all__ = ["CANONICAL_BYTES_MAX", "Answer", "Look", "Reading"]

KNOWN_EMPTY_MAX = 4096


@frozen
class Answer:
    """A whole answer: its body, the origin's Content-Type, and when it was asked for (UTC seconds)."""

    body: bytes
    content_type: str | None
    asked_at: float


@frozen
class Look:
    """Read it again, in so many seconds."""

    after_s: float


class Reading:
    """Weighs the answers of one origin, and keeps the last good copy of each path. Counts into `counts`."""

    def __init__(self, limits: OriginLimits, counts: OriginStatistics) -> None:
        self._pauses_s = limits.read_again_after_s
        self._kept = Kept(limits.kept_bytes)
        self._counts = counts
        self._known_empty: set[str] = set()

    async def judge(self, path: str, body: bytes) -> Verdict:
        """Return what a body is worth; the same bytes as last time are not looked through again. Safe to cancel."""
        before = self._kept.get(path)
        if before is not None and before.body == body:
            return Verdict.GOOD
        return await judge_in_turns(path, body)

    def weigh(
        self, path: str, answer: Answer, doubts: list[Verdict], verdict: Verdict | None = None
    ) -> Fetched | RequestError | Look:
        """Return what callers are told, or how to go on.

        `doubts` are the verdicts of this fetch's earlier reads; this one is added when it is doubtful. `verdict` is
        this answer's, where it was judged before.
        """
        if verdict is None:
            verdict = judge(path, answer.body)
        match verdict:
            case Verdict.GOOD:
                return self._good(path, answer)
            case Verdict.EMPTY:
                self._counts.empty += 1
            case Verdict.TORN:
                self._counts.torn += 1
            case _:
                return self._invalid(verdict)
        doubts.append(verdict)
        if verdict is Verdict.EMPTY and path in self._known_empty:
            return self._empty(path, answer)
        if len(doubts) <= len(self._pauses_s):
            return Look(self._pauses_s[len(doubts) - 1])
        if all(doubt is Verdict.EMPTY for doubt in doubts):
            return self._empty(path, answer)
        return self._invalid(Verdict.TORN)

    def _good(self, path: str, answer: Answer) -> Fetched:
        self._counts.good += 1
        self._known_empty.discard(path)
        before = self._kept.get(path)
        if before is not None and before.body == answer.body:  # not taken apart again for its validator
            self._counts.unchanged += 1
            fetched = evolve(before, content_type=answer.content_type, fetched_at=answer.asked_at)
        else:
            fetched = Fetched(
                path=path,
                body=answer.body,
                content_type=answer.content_type,
                validator=validator_for(path, answer.body),
                digest=digest_of(answer.body),
                fetched_at=answer.asked_at,
            )
        self._kept.put(fetched)
        return fetched

    def _empty(self, path: str, answer: Answer) -> Fetched:
        """Return what an empty file means. From now on one empty read of it is enough."""
        if len(self._known_empty) >= KNOWN_EMPTY_MAX:
            self._known_empty.clear()
        self._known_empty.add(path)
        before = self._kept.get(path)
        if before is not None:
            self._counts.stale += 1
            return evolve(before, stale=True)
        self._counts.absent += 1
        body = b"[]"
        return Fetched(
            path=path,
            body=body,
            content_type=answer.content_type,
            validator=validator_for(path, body),
            digest=digest_of(body),
            fetched_at=answer.asked_at,
            absent=True,
        )

    def _invalid(self, verdict: Verdict) -> RequestError:
        self._counts.invalid += 1
        return RequestError(ErrorCode.ORIGIN_INVALID, words_for(verdict))
