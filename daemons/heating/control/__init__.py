"""The control core: `Control` decides what is to be on, `apply_action` changes what people wish."""

from daemons.heating.control.core import Control

__all__ = ["Control"]
