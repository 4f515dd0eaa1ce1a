"""The control core: `Control` decides what is to be on, `apply_action` changes what people wish."""

from daemons.heating.control.changes import apply_action
from daemons.heating.control.core import Control

__all__ = ["Control", "apply_action"]
