"""Logs: structlog in front, stdlib logging behind, so that libraries' lines and ours leave by one door.

A line is one JSON object on stderr, for journald or a collector; on a terminal it is a line for people. Event
names are `noun.verb`, everything else is a key; the ids of what it belongs to (`daemons.ops.trace`) are added. ERROR
means that an operator must act. Every line passes the masks of `daemons.ops.masking` and stays a while in the
process' ring.
"""

import logging
import sys
from enum import StrEnum
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, Processor

from daemons.ops.logring import RING, LogRing
from daemons.ops.masking import mask_keys, mask_text

__all__ = ["LogLevel", "configure_for_tests", "configure_logs", "log_level", "set_log_level"]


class LogLevel(StrEnum):
    """The least severe lines that are written."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"

    @property
    def number(self) -> int:
        """What the logging module calls it."""
        return logging.getLevelNamesMapping()[self.upper()]


_LIBRARIES = ("httpx", "httpcore", "h11", "trio-websocket", "wsproto")
"""Their lines below WARNING repeat what ours say, once a request."""

_threshold = logging.INFO
_level = LogLevel.INFO
_keeps_loggers = True  # a logger that was used keeps how it was configured then, which makes a line cheaper


class _Logger(structlog.make_filtering_bound_logger(logging.DEBUG)):  # type: ignore[misc]
    """A bound logger whose level can be changed at run time, also of loggers that were used before.

    A line that is not written costs 1 µs; filtered by a processor it would cost 5.
    """

    def debug(self, event: str, *args: Any, **kw: Any) -> Any:
        return super().debug(event, *args, **kw) if _threshold <= logging.DEBUG else None

    def info(self, event: str, *args: Any, **kw: Any) -> Any:
        return super().info(event, *args, **kw) if _threshold <= logging.INFO else None

    def warning(self, event: str, *args: Any, **kw: Any) -> Any:
        return super().warning(event, *args, **kw) if _threshold <= logging.WARNING else None

    def log(self, level: int, event: str, *args: Any, **kw: Any) -> Any:
        return super().log(level, event, *args, **kw) if _threshold <= level else None

    def is_enabled_for(self, level: int) -> bool:
        return _threshold <= level

    def get_effective_level(self) -> int:
        return _threshold


class _Door(logging.StreamHandler[TextIO]):
    """Writes a record to its stream, and as JSON into the ring; each rendered once, both masked."""

    def __init__(
        self,
        stream: TextIO,
        ring: LogRing | None,
        kept: logging.Formatter,
        shown: logging.Formatter,
        shown_from: LogLevel,
    ) -> None:
        super().__init__(stream)
        self._ring, self._kept, self._shown, self._shown_from = ring, kept, shown, shown_from.number

    def emit(self, record: logging.LogRecord) -> None:
        """Never raises, as logging wants it; what cannot be written to the stream is in the ring."""
        try:
            kept = mask_text(self._kept.format(record))
            (RING.get() if self._ring is None else self._ring).add(record.levelname.lower(), kept)
            if record.levelno < self._shown_from:
                return
            shown = kept if self._shown is self._kept else mask_text(self._shown.format(record))
            self.stream.write(shown + self.terminator)
            self.flush()
        except RecursionError:
            raise
        except Exception:
            self.handleError(record)


def configure_logs(
    level: LogLevel = LogLevel.INFO,
    *,
    stream: TextIO | None = None,
    console: bool | None = None,
    ring: LogRing | None = None,
    shown_from: LogLevel = LogLevel.DEBUG,
) -> None:
    """Send every log line to `stream` (stderr): JSON, or a line for people where it is a terminal; and to `ring`, by
    default the one that its task belongs to.

    Replaces what an earlier call set up. `console` overrules what the stream says of itself. What is less severe than
    `shown_from` goes to the ring alone.
    """
    stream = sys.stderr if stream is None else stream
    console = stream.isatty() if console is None else console
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
    ]
    before: list[Processor] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta, mask_keys]
    kept = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            *before,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(default=repr),
        ],
    )
    shown = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            *before,
            structlog.dev.ConsoleRenderer(
                timestamp_key="at", colors=True, exception_formatter=structlog.dev.plain_traceback
            ),
        ],
    )
    _configure(
        level,
        [*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        handlers=[_Door(stream, ring, kept, shown if console else kept, shown_from)],
    )


def configure_for_tests() -> None:
    """Send every line through stdlib logging, where caplog and the `error_logs` fixture see it, as `event
    key=value …`.

    From then on no logger in this process keeps how it was configured: a test that runs a whole command would leave
    its way of logging to those after it.
    """
    global _keeps_loggers
    _keeps_loggers = False
    _configure(
        LogLevel.DEBUG,
        [structlog.contextvars.merge_contextvars, mask_keys, _as_words],
        handlers=None,
    )


def log_level() -> LogLevel:
    """Return the least severe level that is written."""
    return _level


def set_log_level(level: LogLevel) -> LogLevel:
    """Write this level from now on, ours and the libraries'; return the one before. For the whole process."""
    global _level, _threshold
    before, _level, _threshold = _level, level, level.number
    logging.getLogger().setLevel(_threshold)
    for name in _LIBRARIES:
        logging.getLogger(name).setLevel(max(_threshold, logging.WARNING))
    return before


def _configure(
    level: LogLevel, processors: list[Processor], *, handlers: list[logging.Handler] | None
) -> None:
    if handlers is not None:  # in tests the handlers are pytest's
        logging.getLogger().handlers[:] = handlers
    set_log_level(level)
    structlog.configure(
        processors=processors,
        wrapper_class=_Logger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=_keeps_loggers,
    )


def _as_words(_: Any, __: str, event: EventDict) -> tuple[tuple[str], dict[str, Any]]:
    name = event.pop("event")
    exc_info = event.pop("exc_info", None)
    words = " ".join([str(name), *(f"{key}={value!r}" for key, value in event.items())])
    # A percent sign in a value must not be taken for a format: without args, logging leaves the text alone.
    return (mask_text(words),), {"exc_info": exc_info}
