"""The figures of this process under their standard names, and of its log, its disk and its warnings."""

import os
import shutil
import sys
import time
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import trio

from daemons.ops.health import Health, Severity
from daemons.ops.logring import PROCESS_RING
from daemons.ops.metrics import Reading
from daemons.ops.slowsteps import LOOP_STEPS
from daemons.store import Store

__all__ = ["folder_readings", "health_readings", "process_readings", "store_readings"]

_STARTED_AT = time.time()
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096


def process_readings(daemon: str) -> Iterator[Reading]:
    """Yield what a Prometheus client library yields of a process, as far as this system tells."""
    about = (("daemon", daemon), ("version", _version()), ("python", sys.version.split()[0]))
    yield Reading("build_info", "1, with what runs here as labels.", 1, about)
    yield Reading("process_start_time_seconds", "Start of the process, UTC.", _STARTED_AT)
    yield Reading("process_cpu_seconds", "CPU time used.", time.process_time(), is_counter=True)
    try:
        resident = int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE_BYTES
        yield Reading("process_resident_memory_bytes", "Memory held.", resident)
        yield Reading("process_open_fds", "File descriptors open.", len(os.listdir("/proc/self/fd")))
    except (OSError, ValueError, IndexError):
        pass  # no Linux: what is not known is not told
    yield Reading("loop_tasks", "Tasks of the event loop.", trio.lowlevel.current_statistics().tasks_living)
    yield Reading("log_lines", "Log lines written.", PROCESS_RING.last, is_counter=True)
    yield Reading("log_ring_lines", "Log lines kept in memory.", len(PROCESS_RING))
    words = "Steps of a task that held the event loop for 0.1 s and more."
    yield Reading("loop_held_seconds", words, LOOP_STEPS.steps)
    words = "Log lines that are not in memory any more."
    yield Reading("log_ring_dropped", words, PROCESS_RING.dropped, is_counter=True)


def health_readings(health: Health) -> Iterator[Reading]:
    """Yield how many warnings hold, by severity."""
    held = [warning.severity for warning in health.warnings]
    for severity in Severity:
        labels = (("severity", severity.value),)
        yield Reading("health_warnings", "Warnings that hold now.", held.count(severity), labels)


def store_readings(store: Store) -> Iterator[Reading]:
    """Yield the work of the database's writer and the size of its file."""
    counts = store.statistics()
    yield Reading("store_waiting", "Work that waits for the database's writer.", counts.waiting)
    yield Reading("store_commits", "Transactions committed.", counts.commits, is_counter=True)
    yield Reading("store_jobs", "Pieces of work done.", counts.jobs, is_counter=True)
    words = "Transactions that failed with the disk."
    yield Reading("store_failed_commits", words, counts.failed_commits, is_counter=True)
    for suffix in ("", "-wal"):
        try:
            size = os.stat(f"{store.path}{suffix}").st_size
        except OSError:
            continue
        labels = (("file", f"db{suffix}"),)
        yield Reading("store_file_bytes", "Size of the database's files.", size, labels)


def folder_readings(folder: Path) -> Iterator[Reading]:
    """Yield what is free where the state is kept."""
    try:
        usage = shutil.disk_usage(folder)
    except OSError:
        return
    yield Reading("state_disk_free_bytes", "Free on the disk that holds the state.", usage.free)
    yield Reading("state_disk_size_bytes", "Size of the disk that holds the state.", usage.total)


def _version() -> str:
    try:
        return version("pitlink")
    except PackageNotFoundError:
        return "unknown"
