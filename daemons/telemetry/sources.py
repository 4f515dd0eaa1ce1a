"""Which source a relay captures from, as it is configured."""

import math
from functools import partial

import structlog
import trio
from attrs import define, field

from daemons.telemetry.capture.folder import Progress, import_folder
from daemons.telemetry.capture.ibt import IbtSource
from daemons.telemetry.capture.live import LiveSource
from daemons.telemetry.capture.port import Sink, Source, SourceFigures
from daemons.telemetry.config import RelayConfig
from daemons.telemetry.spool import Spool
from daemons.telemetry.spool.had import last_tick

__all__ = ["FileSource", "FolderSource", "source_of"]

_log = structlog.stdlib.get_logger("pitlink.relay")


def source_of(config: RelayConfig, spool: Spool) -> Source:
    """Return the simulator, its stand-in, a file, or a folder of files."""
    path = config.from_file
    if path is None:
        return LiveSource(config.site, config.memory_file)
    if path.is_dir():
        return FolderSource(config, spool)
    return FileSource(config, spool)


@define(eq=False)
class FileSource:
    """One file, once; then nothing more comes, and the relay goes on until the backend has it and it is stopped."""

    config: RelayConfig
    spool: Spool
    _file: IbtSource = field(init=False)
    _words: str = field(default="", init=False)

    def __attrs_post_init__(self) -> None:
        assert self.config.from_file is not None
        room, had = self.spool.room, partial(last_tick, self.spool)
        speed = self.config.speed or math.inf
        self._file = IbtSource(self.config.from_file, self.config.site, speed, room=room, had=had)

    def statistics(self) -> SourceFigures:
        """See Source."""
        figures = self._file.statistics()
        return figures if not self._words else SourceFigures(ticks=figures.ticks, state=self._words)

    async def run(self, sink: Sink) -> None:
        """Play it, then wait to be cancelled. A file that cannot be used is said in the figures and in the log."""
        try:
            await self._file.run(sink)
        except (OSError, ValueError) as exc:
            self._words = f"{self._file.path.name} cannot be read: {exc}"
            _log.error("relay.file_unread", words=self._words)
        else:
            _log.info("relay.file_read", words=self._file.words or self._file.statistics().state)
        await trio.sleep_forever()


@define(eq=False)
class FolderSource:
    """Every file of a folder, as fast as the spool takes them; then nothing more comes."""

    config: RelayConfig
    spool: Spool
    _state: str = field(default="not started", init=False)
    _ticks: int = field(default=0, init=False)

    def statistics(self) -> SourceFigures:
        """See Source."""
        return SourceFigures(ticks=self._ticks, state=self._state)

    async def run(self, sink: Sink) -> None:
        """Import them, then wait to be cancelled."""
        folder = self.config.from_file
        assert folder is not None
        try:
            done = await import_folder(
                folder, self.config.site, sink,
                room=self.spool.room, had=partial(last_tick, self.spool), progress=self._on_progress,
            )  # fmt: skip
        except OSError as exc:
            self._state = f"{folder} cannot be read: {exc}"
            _log.error("relay.folder_unread", words=self._state)
        else:
            self._ticks = done.ticks
            self._state = f"{done.read} files of {folder} were read, {done.there_already} were here, {len(done.refused)} refused"
            for path, words in (*done.refused, *done.odd):
                _log.warning("relay.file_odd", file=str(path), words=words)
            _log.info("relay.folder_read", words=self._state)
        await trio.sleep_forever()

    def _on_progress(self, progress: Progress) -> None:
        self._state = f"file {progress.file} of {progress.files}: {progress.path.name}"
        if progress.of_rows:
            self._state += f", {100 * progress.rows // progress.of_rows} %"
        if progress.words:
            _log.info("relay.file", words=f"{progress.path.name}: {progress.words}")
