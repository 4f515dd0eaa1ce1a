"""What is copied reaches the clipboard of whoever sits at the terminal, over SSH too: the terminal is asked by OSC 52.

tmux and screen keep that for themselves unless it is wrapped. tmux takes it bare with `set-clipboard on`, and lets it
through wrapped with `allow-passthrough on`: it gets both.
"""

import base64
from collections.abc import Mapping

__all__ = ["COPY_BYTES_MAX", "osc52"]

COPY_BYTES_MAX = 74_994
"""What terminals take at once: 100,000 bytes of base64 with what stands around them."""

SCREEN_BYTES = 512
"""GNU screen forgets a longer string."""

_END = "\x1b\\"


def osc52(text: str, environment: Mapping[str, str]) -> list[str]:
    """Return what has to be written to the terminal, one after another. Raises ValueError, in words, for too much."""
    data = text.encode(errors="replace")
    if len(data) > COPY_BYTES_MAX:
        raise ValueError(f"{len(data):,} bytes are too many to copy: terminals take {COPY_BYTES_MAX:,}")
    bare = f"\x1b]52;c;{base64.b64encode(data).decode()}\x07"
    term = environment.get("TERM", "")
    if environment.get("TMUX") or term.startswith("tmux"):
        return [bare, "\x1bPtmux;" + bare.replace("\x1b", "\x1b\x1b") + _END]
    if environment.get("STY"):
        pieces = (bare[at : at + SCREEN_BYTES] for at in range(0, len(bare), SCREEN_BYTES))
        return ["".join(f"\x1bP{piece}{_END}" for piece in pieces)]
    return [bare]
