"""What is typed after `/`: a pattern that rows have, or after `/!` one that they have not."""

import re
from collections.abc import Callable

from attrs import frozen

__all__ = ["Filter"]


@frozen
class Filter:
    """`text` as it was typed; "" lets everything through. Capitals do not matter; what is no pattern is taken as it is."""

    text: str = ""

    @property
    def is_set(self) -> bool:
        """Does it leave anything out?"""
        return self.text not in ("", "!")

    def matcher(self) -> Callable[[str], bool]:
        """Return what says of a row's text whether it is shown."""
        if not self.is_set:
            return lambda text: True
        is_inverse = self.text.startswith("!")
        wanted = self.text[1:] if is_inverse else self.text
        try:
            pattern = re.compile(wanted, re.IGNORECASE)
        except re.error:
            pattern = re.compile(re.escape(wanted), re.IGNORECASE)
        return lambda text: (pattern.search(text) is None) is is_inverse
