"""Every mutant. What they break are the promises of docs/delivery.md, docs/backpressure.md and docs/protocol.md."""

from tests.mutants.heatpins import HEATPINS
from tests.mutants.patch import Mutant, mutant
from tests.mutants.racing import RACING

_IN = "protocol/reliable_in.py"
_OUT = "protocol/reliable_out.py"
_RELIABLE = "tests/protocol/test_reliable_in.py tests/protocol/test_reliable_out.py tests/protocol/test_reliable_pair.py"
_DURABLE = "tests/daemons/link/test_durable_receive.py tests/daemons/link/test_durable_send.py " \
    "tests/daemons/link/test_durable_connection.py tests/daemons/link/test_durable_retention.py " \
    "tests/daemons/link/test_durable_world.py"  # fmt: skip
_LANES = "tests/protocol/test_lanes.py tests/protocol/test_delaycap.py"
_TOPICS = "tests/protocol/test_topics.py tests/protocol/test_topics_bad_line.py"
_LINK = "tests/daemons/link/test_link.py"

MUTANTS: tuple[Mutant, ...] = (
    # --- acknowledgements ---------------------------------------------------------------------------------------
    mutant(
        "ack-before-commit", "what is acknowledged is committed", _RELIABLE,
        (_IN, "        self._staged.append(message)\n",
         "        self._staged.append(message)\n        current.committed = seq\n"
         "        self._due[message.epoch] = current\n"),
    ),
    mutant(
        "ack-inside-the-transaction", "what is acknowledged is committed, also when the disk fails", _DURABLE,
        ("daemons/link/incoming.py", "self._store.after_commit(partial(self._committed, generation, marks))",
         "self._committed(generation, marks)"),
    ),
    mutant(
        "ack-when-the-batch-is-taken", "what is acknowledged is committed, also when the process dies", _DURABLE,
        ("daemons/link/incoming.py", "            if work:  # a full disk",
         "            for receiver, batch in work:\n"
         "                for entry in batch:\n"
         "                    last = entry.seq if isinstance(entry, Message) else entry.last\n"
         "                    receiver._epochs[entry.epoch].committed = last\n"
         "                    receiver._due[entry.epoch] = receiver._epochs[entry.epoch]\n"
         "                self.wake()\n"
         "            if work:  # a full disk"),
    ),
    mutant(
        "ack-beyond-what-was-heard", "a restored sender is not acknowledged what it does not know", _RELIABLE,
        (_IN, "seq = min(mine.committed, mine.heard)", "seq = mine.committed"),
    ),
    mutant(
        "ack-one-too-many", "what is acknowledged is committed", _RELIABLE,
        (_IN, "seq = min(mine.committed, mine.heard)", "seq = min(mine.committed, mine.heard) + 1"),
    ),
    mutant(
        "duplicates-are-not-acknowledged", "a sender that repeats learns that it need not", _RELIABLE,
        (_IN, "            self._due[epoch] = current\n        return False", "            pass\n        return False"),
    ),
    mutant(
        "any-ack-is-believed", "what was never sent is not forgotten", _RELIABLE,
        (_OUT, "if mine is None or seq > mine.sent:", "if mine is None:"),
    ),
    # --- exactly once, in order ---------------------------------------------------------------------------------
    mutant(
        "no-dedupe", "nothing takes effect twice", _RELIABLE,
        (_IN, "        if seq != current.tail + 1:\n            return self._again",
         "        if seq > current.tail + 1:\n            return self._again"),
        ("daemons/link/inbox.py", "    if number != due:", "    if number > due:"),
    ),
    mutant(
        "gaps-are-accepted", "nothing takes effect behind a gap", _RELIABLE,
        (_IN, "        if seq != current.tail + 1:\n            return self._again",
         "        if seq <= current.tail:\n            return self._again"),
        ("daemons/link/inbox.py", "    if number != due:", "    if number < due:"),
    ),
    mutant(
        "mark-one-too-low", "effect and mark are one", _DURABLE,
        ("daemons/link/inbox.py", "conn.execute(_MARK, (self._peer, channel, epoch, last, now))",
         "conn.execute(_MARK, (self._peer, channel, epoch, last - 1, now))"),
    ),
    mutant(
        "dead-letters-are-dropped", "what cannot be applied is kept", _DURABLE,
        ("daemons/link/inbox.py", "        words = f\"{type(error).__name__}: {error}\"[:_ERROR_CHARS]\n",
         "        return\n        words = f\"{type(error).__name__}: {error}\"[:_ERROR_CHARS]\n"),
    ),
    mutant(
        "half-an-effect-stays", "an effect that fails leaves nothing behind", _DURABLE,
        ("daemons/store/writer.py", "            self._conn.execute(\"ROLLBACK TO nested\")\n", ""),
    ),
    mutant(
        "undone-work-is-told", "what was undone is not said to be durable", "tests/daemons/store/test_store.py",
        ("daemons/store/writer.py", "            del self._hooks[self._mark :]\n", "            pass\n"),
    ),
    # --- resuming -----------------------------------------------------------------------------------------------
    mutant(
        "resume-one-too-low", "a resumed connection begins where the peer stands", _RELIABLE,
        ("protocol/reliable.py", "        self.start = committed + 1\n", "        self.start = max(1, committed)\n"),
    ),
    mutant(
        "resume-one-too-high", "a resumed connection begins where the peer stands", _RELIABLE,
        ("protocol/reliable.py", "        self.start = committed + 1\n", "        self.start = committed + 2\n"),
    ),
    mutant(
        "resume-from-own-memory", "a restored receiver gets again what it lost", _RELIABLE,
        (_OUT, "has = theirs.get(mine.epoch, 0)", "has = max(mine.acked, theirs.get(mine.epoch, 0))"),
    ),
    mutant(
        "commands-run-again", "what is not kept is not sent twice", _RELIABLE,
        (_OUT, "(mine.first, GONE) if self.keep_acked else (mine.acked + 1, ALREADY_DONE)", "(mine.first, GONE)"),
        ("daemons/link/retention.py", "        conn.execute(_DELETE, between)\n        conn.execute(\"DELETE FROM link_out_skip",
         "        conn.execute(\"DELETE FROM link_out_skip"),
        ("daemons/link/retention.py", "SET acked = ?1, first = ?1 + 1 WHERE", "SET acked = ?1 WHERE"),
        (_OUT, "            mine.first = max(mine.first, acked + 1)\n", ""),
    ),
    mutant(
        "epoch-kept-after-rollback", "new messages never go under numbers that the peer knows", _DURABLE,
        ("daemons/link/outgoing.py", "            self._epoch = self._new_epoch()\n        self._drained_some()",
         "            pass\n        self._drained_some()"),
    ),
    mutant(
        "newest-epoch-first", "epochs go in the order in which they were begun", _RELIABLE,
        (_OUT, "        self._by_epoch = {epoch.epoch: epoch for epoch in self.epochs}\n",
         "        self.epochs.reverse()\n"
         "        self._by_epoch = {epoch.epoch: epoch for epoch in self.epochs}\n"),
    ),
    mutant(
        "old-epochs-are-forgotten", "what a former process accepted is delivered", _DURABLE,
        ("daemons/link/outbox.py", "            self.sender.restore(epochs, lost)",
         "            self.sender.restore(epochs[-1:], lost)"),
    ),
    mutant(
        "flight-kept-over-connections", "the window of a new connection is whole", _RELIABLE,
        (_OUT, "        self.flight_messages = self.flight_bytes = 0\n        for mine in self.epochs:\n"
         "            mine.flight.clear()\n", ""),
    ),
    # --- bounds and skips ---------------------------------------------------------------------------------------
    mutant(
        "skip-not-told", "what was dropped is told in its place", _RELIABLE,
        (_OUT, "            self._push_skip(self._tail, skip[1], skip[2])\n", "            self._tail_seq = skip[1] + 1\n"),
    ),
    mutant(
        "skip-one-too-long", "only what was dropped is skipped", _RELIABLE,
        (_OUT, "frame = Skip(self.channel, mine.epoch, self._tail_seq, last, reason)",
         "last = min(last + 1, mine.next - 1)\n"
         "        frame = Skip(self.channel, mine.epoch, self._tail_seq, last, reason)"),
    ),
    mutant(
        "drop-what-is-under-way", "what may be on its way is not dropped", _DURABLE,
        (_OUT, "            return (self._tail.key, self._tail_seq) if self._tail else (0, 1)", "            return 0, 1"),
    ),
    mutant(
        "bounds-are-ignored", "an outbox stays within its bounds", _DURABLE,
        ("daemons/link/outbox.py", "            make_room(self, conn)\n", "            pass\n"),
    ),
    mutant(
        "trim-one-too-many", "what was not acknowledged is kept", _DURABLE,
        ("daemons/link/retention.py", "    between = (base | known[0][0], base | acked)\n",
         "    between = (base | known[0][0], base | acked + 1)\n"),
    ),
    mutant(
        "window-overrun", "no more is on its way than the peer's window", _RELIABLE,
        (_OUT, "self.flight_messages >= self._window_messages or self.flight_bytes + size > self._window_bytes",
         "self.flight_messages > self._window_messages or self.flight_bytes > self._window_bytes"),
    ),
    mutant(
        "window-not-enforced", "a peer that ignores the window costs no memory", _RELIABLE,
        (_IN, "            raise RemoteProtocolError(f\"{self.channel}: sent beyond the window\")\n", "            pass\n"),
    ),
    mutant(
        "credit-not-enforced", "a peer that ignores its credit costs no memory", "tests/protocol/test_credit.py",
        ("protocol/credit.py", "        if self._arrived > self._upto:",
         "        if self._arrived > self._upto + self._window_bytes:"),
    ),
    # --- one owner ----------------------------------------------------------------------------------------------
    mutant(
        "stale-connection-not-fenced", "late frames of an old connection have no effect", _DURABLE,
        ("daemons/link/incoming.py", "        if generation != self.generation:\n            raise",
         "        if generation > self.generation:\n            raise"),
    ),
    mutant(
        "old-end-detaches-the-new", "the end of an old connection leaves the new one alone", _DURABLE,
        ("daemons/link/durable.py", "        if generation == self._in.generation:\n            self._in.detach()",
         "        if generation <= self._in.generation:\n            self._in.detach()"),
    ),
    mutant(
        "newcomer-takes-over", "a site that answers is not thrown out by another process", _LINK,
        ("daemons/link/listen.py", "                if await holder.connection.probe():",
         "                if not await holder.connection.probe():"),
    ),
    mutant(
        "old-attempt-supersedes", "a connection that comes late does not end a newer one", _LINK,
        ("daemons/link/listen.py", "            if attempt <= holder.attempt:", "            if attempt < 0:"),
    ),
    # --- sharing the line ---------------------------------------------------------------------------------------
    mutant(
        "commands-starve-events", "commands leave a fifth to the others", _LANES,
        ("protocol/lanes.py", "allowance = self._share.allowance_bytes(now) if others_wait else chunk_bytes",
         "allowance = chunk_bytes"),
    ),
    mutant(
        "lanes-without-turns", "every lane gets its share", _LANES,
        ("protocol/lanes.py", "        if len(candidates) == 1 and not has_bulk:\n", "        if candidates:\n"),
    ),
    mutant(
        "cap-ignored", "what is under way does not queue on the line", _LANES,
        ("protocol/lanes.py", "if room >= _PULL_BYTES_MIN and self.cap.is_open:", "if room >= _PULL_BYTES_MIN:"),
    ),
    mutant(
        "cap-never-shrinks", "a line that became slow is not filled", _LANES,
        ("protocol/delaycap.py", "            self.cap_bytes = max(FLOOR_BYTES, min(self.cap_bytes, fitting_bytes))\n", ""),
    ),
    # --- life ---------------------------------------------------------------------------------------------------
    mutant(
        "silence-is-life", "a silent peer is given up", "tests/protocol/test_liveness.py",
        ("protocol/liveness.py", "            if now >= self._dead_at(self._awaiting_since):",
         "            if now >= self._dead_at(now):"),
    ),
    mutant(
        "no-grace", "a machine that slept does not lose its connection", "tests/protocol/test_liveness.py",
        ("protocol/liveness.py", "                self._awaiting_since += late_s + _GRACE_S\n", ""),
    ),
    mutant(
        "hammering", "a hub that breaks every connection is not hammered", "tests/protocol/test_backoff.py",
        ("protocol/backoff.py", " and now - self._ready_since >= _STABLE_S", ""),
    ),
    # --- state topics -------------------------------------------------------------------------------------------
    mutant(
        "digest-not-checked", "a table whose digest is wrong is not shown", _TOPICS,
        ("protocol/subscriber.py", "        if digest_bytes(digest) != frame.digest:\n", "        if not frame.digest:\n"),
    ),
    mutant(
        "missing-update-not-noticed", "a table that lacks an update is not shown", _TOPICS,
        ("protocol/subscriber.py", "(frame.epoch, frame.seq) != (self._epoch, self._seq + 1):", "frame.epoch != self._epoch:"),
        ("protocol/subscriber.py", "        if digest_bytes(digest) != frame.digest:\n", "        if not frame.digest:\n"),
    ),
    mutant(
        "half-a-sync-is-shown", "a table is shown when it is whole", _TOPICS,
        ("protocol/subscriber.py", "        if not part.last:\n", "        if not part.last and part.index:\n"),
    ),
    mutant(
        "old-rows-look-fresh", "rows are never older than they say", _TOPICS,
        ("protocol/subscriber.py", "            self._epoch, self.as_of_us = epoch, None\n", "            self._epoch = epoch\n"),
    ),
    mutant(
        "a-new-age-waits", "what is known on a new connection is told at once", _TOPICS,
        ("protocol/publisher.py", "        if was_told or self._is_ahead():\n", "        if was_told:\n"),
        ("protocol/publisher.py", "            return now if self._is_ahead() else self._told_at + beat_s\n",
         "            return self._told_at + beat_s\n"),
    ),
    mutant(
        "trouble-is-forgotten", "behind a connection that broke an age is told within a second", _TOPICS,
        ("protocol/publisher.py", "            self._unsteady_until = now + _UNSTEADY_S  # it has heard",
         "            # it has heard"),
    ),
    mutant(
        "what-rests-looks-fresh", "an age counts for what the site knows to be hot, and for nothing else",
        "tests/daemons/race/test_hub.py",
        ("daemons/race/hub.py", "(self._agreed & self.subscriber.rows.keys()) - self._failing",
         "self._watched.keys() - self._failing"),
    ),
    mutant(
        "what-becomes-hot-waits", "what becomes hot is read at once, and its age told behind the read",
        "tests/daemons/race/test_site.py",
        ("daemons/race/site.py", "                self.publisher.tell()\n", "                pass\n"),
    ),
    mutant(
        "what-was-held-up-looks-fresh", "a file is as old as its read, however long it was under way",
        "tests/daemons/race/test_hub.py",
        ("daemons/race/remote.py", "return arrived_at if read_at is None else min(read_at, arrived_at)",
         "return arrived_at"),
    ),
    mutant(
        "the-field-stays-offline", "a board does not say that the field is offline when it is not",
        "tests/daemons/race/test_hub.py",
        ("daemons/race/hub.py", "        self._confirmed_us = None  # also what has not changed says",
         "        # also what has not changed says"),
        ("daemons/race/hub.py", "        self._confirmed_us = None  # the same age, told again, is of more files now\n", ""),
        ("daemons/race/hub.py", "        self._take_as_of(as_of_us)\n", ""),
    ),
    *RACING,
    *HEATPINS,
)  # fmt: skip
