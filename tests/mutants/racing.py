"""Mutants of the race: its rules as `docs/race-rules.md` has them, and what its memory promises (`docs/race-director.md`)."""

from tests.mutants.patch import Mutant, mutant

__all__ = ["RACING"]

_RULES = "daemons/race/rules.py"
_PLAN = "daemons/race/schedule.py"
_FILES = "daemons/race/dayfiles.py"
_CHAIN = "daemons/race/memorychain.py"
_TABLES = "daemons/race/memorytables.py"
_MEMORY = "daemons/race/memory.py"
_RULED = "tests/daemons/race/test_rules.py tests/daemons/race/test_board.py"
_STANDINGS = "tests/daemons/race/test_standings.py"
_SCHEDULE = "tests/daemons/race/test_schedule.py"
_KEEPER = "tests/daemons/race/test_keeper.py"
_CHAINED = "tests/daemons/race/test_memorychain.py"
_REMEMBERED = "tests/daemons/race/test_memory.py"

RACING: tuple[Mutant, ...] = (
    # --- rules --------------------------------------------------------------------------------------------------
    mutant(
        "laps-that-were-ruled-out-count", "a lap counts if its detection is valid", _RULED,
        ("daemons/race/model.py", "for detection in self.detections if detection.valid}", "for detection in self.detections}"),
    ),
    mutant(
        "the-holeshot-is-a-lap", "lap 0 is no lap", _RULED,
        (_RULES, "flown = [lap for lap in laps if lap.number > 0]", "flown = list(laps)"),
    ),
    mutant(
        "passes-behind-the-target-count", "in a race nothing behind TargetLaps is a position", _RULED,
        (_RULES, "if d.valid and (limit is None or d.sector <= limit)]", "if d.valid]"),
    ),
    mutant(
        "whoever-is-listed-first-leads", "of two at one gate the first there leads", _RULED,
        (_RULES, "passes.sort(key=lambda d: (-d.sector, d.time or datetime.max))", "passes.sort(key=lambda d: -d.sector)"),
    ),
    mutant(
        "a-dead-heat-has-a-winner", "a dead heat shares the place", _RULED,
        (_RULES, "        if here != before:\n            place", "        if here:\n            place"),
    ),
    mutant(
        "dnf-by-position", "who did not finish is last, whatever his position", _RULED,
        (_RULES, "rows.sort(key=lambda row: (row.dnf, row.position or 1_000_000))",
         "rows.sort(key=lambda row: row.position or 1_000_000)"),
    ),
    mutant(
        "the-oldest-race-without-an-end-is-on", "of several live races the youngest is on", _RULED,
        (_RULES, "return max(live, key", "return min(live, key"),
    ),
    mutant(
        "deleted-races-are-run", "what was deleted is not run", _RULED,
        (_RULES, "return race.valid and (round_", "return (round_"),
    ),
    mutant(
        "a-pause-of-another-flight", "a race that waits has no pause", _RULED,
        ("daemons/race/board.py", "if race.start is not None and race.paused_s > 0", "if race.paused_s > 0"),
    ),
    mutant(
        "handicaps-left-over-count", "a handicap counts in a round with handicaps", _RULED,
        (_RULES, "is_handicapped = round_ is not None and round_.handicapped", "is_handicapped = round_ is not None"),
    ),
    mutant(
        "the-worst-round-is-always-dropped", "who missed a round has dropped it already", _STANDINGS,
        ("daemons/race/standings.py", "    return results >= between\n", "    return True\n"),
    ),
    mutant(
        "points-roll-over-from-anywhere", "what rolls over is of the last round that has any", _STANDINGS,
        ("daemons/race/standings.py", "if known is None or round_.order > known[0]:", "if known is None:"),
    ),
    mutant(
        "equals-do-not-share-a-place", "equal values share a place", _STANDINGS,
        ("daemons/race/standings.py", "        if scores[pilot] != before:\n", "        if rows or not rows:\n"),
    ),
    mutant(
        "pauses-belong-to-the-rhythm", "a long pause is not a gap", _SCHEDULE,
        (_PLAN, "<= PAUSE_S\n", "\n"),
    ),
    mutant(
        "skipped-races-are-promised", "a race skipped in an earlier round is promised to nobody", _SCHEDULE,
        (_PLAN, "left = [race for race in waiting if race.round_id == here.round_id and", "left = [race for race in waiting if"),
    ),
    mutant(
        "changed-from-the-line-up-before", "a channel changed against the last flight, not the last line-up", _SCHEDULE,
        (_PLAN, "        if race.start is not None:\n            last.", "        if race:\n            last."),
    ),
    mutant(
        "results-of-another-flight-stay", "results of a race that is flown again are forgotten", _KEEPER,
        (_FILES, "if race.state is not State.DONE or (before is not None and before.start != race.start):",
         "if race.state is not State.DONE:"),
    ),
    mutant(
        "emptied-results-are-shown-empty", "results that turn empty are kept", _KEEPER,
        (_FILES, "            self.kept_results |= {race_id}\n        else:",
         "            self.kept_results |= {race_id}\n            self.day = evolve(self.day, results={})\n        else:"),
    ),
    # --- the chain ----------------------------------------------------------------------------------------------
    mutant(
        "links-are-not-verified", "each entry follows from the one before it", _CHAINED,
        (_CHAIN, "if entry.prev != (FIRST if last is None else last.hash):", "if not entry.prev:"),
    ),
    mutant(
        "hashes-are-not-verified", "an entry that was changed is found", _CHAINED,
        (_CHAIN, "    if entry.hash != told:\n", "    if not told:\n"),
    ),
    mutant(
        "numbers-are-not-verified", "an entry that was left out is found", _CHAINED,
        (_CHAIN, "    if entry.number != due:\n", "    if entry.number < 1:\n"),
    ),
    mutant(
        "hashes-without-the-one-before", "a hash says all that was before", _CHAINED,
        (_CHAIN, "hashlib.sha256(_encode(self._fields()))", "hashlib.sha256(_encode({**self._fields(), \"prev\": FIRST}))"),
    ),
    mutant(
        "heads-are-found-anywhere", "a head is noted from its beginning", _CHAINED,
        (_CHAIN, "noted and told.startswith(noted)", "noted and noted in told"),
    ),
    mutant(
        "a-few-digits-are-a-head", "a head is not met by accident", _CHAINED,
        (_CHAIN, "HEAD_DIGITS_MIN = 12", "HEAD_DIGITS_MIN = 4"),
    ),
    # --- versions -----------------------------------------------------------------------------------------------
    mutant(
        "the-same-is-another-version", "a version is kept once", _REMEMBERED,
        (_TABLES, "if before == seen.digest or (last", "if (last"),
    ),
    mutant(
        "what-was-before-was-never-again", "what comes back after something else is a version", _REMEMBERED,
        (_TABLES, "AND path = ? ORDER BY number DESC LIMIT 1", "AND path = ? ORDER BY number LIMIT 1"),
    ),
    mutant(
        "one-file-for-all", "each file has versions of its own", _REMEMBERED,
        (_TABLES, "AND path = ? ORDER BY number DESC LIMIT 1", "AND ? <> '' ORDER BY number DESC LIMIT 1"),
    ),
    mutant(
        "the-newest-contents-go", "of too many bytes the oldest go", _REMEMBERED,
        (_TABLES, "WHERE base IS NULL ORDER BY kept_ms\"", "WHERE base IS NULL ORDER BY kept_ms DESC\""),
    ),
    mutant(
        "histories-lose-their-beginning", "a history goes as a whole or not at all", _REMEMBERED,
        (_TABLES, "HAVING max(at_ms) < ?", "HAVING min(at_ms) < ?"),
    ),
    mutant(
        "bases-go-before-their-differences", "what others are made from stays", _REMEMBERED,
        (_TABLES, "WHERE other.site = memory_body.site AND other.base = memory_body.digest)",
         "WHERE other.site = '' AND other.base = memory_body.digest)"),
    ),
    mutant(
        "contents-of-other-sites", "sites share no contents", _REMEMBERED,
        (_TABLES, "FROM memory_body WHERE site = ? AND digest = ?\", (site, digest)\n",
         "FROM memory_body WHERE ? <> '' AND digest = ?\", (site, digest)\n"),
    ),
    mutant(
        "damaged-contents-are-told", "what is not what was kept is not given out", _REMEMBERED,
        (_TABLES, "    if digest_of(body) != digest:\n", "    if not digest:\n"),
    ),
    mutant(
        "what-waits-at-the-end-is-lost", "an orderly stop loses nothing", _REMEMBERED,
        (_MEMORY, "                        await self._leave()\n", "                        pass\n"),
    ),
    mutant(
        "what-is-gathered-at-the-end-is-lost", "an orderly stop loses nothing", _REMEMBERED,
        (_MEMORY, "        left = list(self._gathered)\n", "        left = []\n"),
    ),
    mutant(
        "private-names-are-kept", "what is kept is what may leave", _REMEMBERED,
        (_MEMORY, "memory.on_read(may_leave(path, result))", "memory.on_read(result)"),
    ),
    # --- recalling ----------------------------------------------------------------------------------------------
    mutant(
        "empty-results-are-recalled", "the last good results are recalled, not the last", _REMEMBERED,
        (_TABLES, "        if body.strip() not in _EMPTY:\n", "        if body.strip():\n"),
    ),
    mutant(
        "results-of-another-flight-are-recalled", "results are recalled for the flight that they are of", _REMEMBERED,
        (_FILES, "known.state is not State.DONE or known.start != race.start for", "known.state is not State.DONE for"),
    ),
    mutant(
        "a-race-that-went-on-is-recalled", "results are of a race as it ended last", _REMEMBERED,
        (_TABLES, "since = [entry for entry in races if entry.number > number]", "since = races[:0]"),
    ),
    mutant(
        "recalled-results-are-not-flagged", "what is shown from memory says so", _REMEMBERED,
        (_FILES, "            return False\n        self.kept_results |= {race_id}\n", "            return False\n"),
    ),
)  # fmt: skip
