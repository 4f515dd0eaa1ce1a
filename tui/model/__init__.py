"""What is known, as plain data with a version. Knows no widget, no network and no clock."""

from tui.model.alarms import Alarm, Kind
from tui.model.model import TAKES, Model
from tui.model.values import (
    AuditRow,
    CommandRow,
    DaemonView,
    DeadLetter,
    FeedState,
    FeedView,
    Limit,
    LogRow,
    Operator,
    Rule,
    Severity,
    SiteState,
    SiteView,
)

__all__ = [
    "TAKES",
    "Alarm",
    "AuditRow",
    "CommandRow",
    "DaemonView",
    "DeadLetter",
    "FeedState",
    "FeedView",
    "Kind",
    "Limit",
    "LogRow",
    "Model",
    "Operator",
    "Rule",
    "Severity",
    "SiteState",
    "SiteView",
]
