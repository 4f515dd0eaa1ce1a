"""structlog without rich: it imports that, where it is installed, for coloured tracebacks on a console. On a small machine
those are 4 MB of a service that logs JSON."""

import sys

__all__ = ["import_structlog_alone"]


def import_structlog_alone() -> None:
    """Import structlog, if nobody has yet, as if rich were not there; who wants rich later gets it."""
    if "structlog" in sys.modules or "rich" in sys.modules:
        return
    sys.modules["rich"] = None  # type: ignore[assignment]
    try:
        import structlog  # noqa: F401
    finally:
        del sys.modules["rich"]
