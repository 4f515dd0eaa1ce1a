"""Why a daemon does not run, named by the remedy; the command line shows the words and maps each to its exit
code.
"""

from collections.abc import Callable, Sequence

from attrs import frozen


@frozen
class Problem:
    """One thing wrong with the configuration: where (`http.idle_timeout_s`), what, and perhaps what to do
    about it.
    """

    path: str
    words: str
    hint: str = ""

    def __str__(self) -> str:
        line = f"{self.path}: {self.words}" if self.path else self.words
        return f"{line} ({self.hint})" if self.hint else line


class ConfigError(Exception):
    """The configuration is wrong: fix it. Carries every problem, not the first. `what` is wrong, in words."""

    what = "the configuration is wrong"

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = tuple(problems)


class BadArguments(ConfigError):
    """What was typed behind a command is wrong."""

    what = "that cannot be done so"


class RefusedToStart(Exception):
    """Something outside stands in the way (a port in use, another daemon on the same folder): clear it,
    start again.
    """


class StartAgain(Exception):
    """What the daemon holds open is of no use any more: it is closed, and opened anew in the same process.

    `why_not` says in words what is still in the way, "" when nothing is; it blocks.
    """

    def __init__(self, words: str, why_not: Callable[[], str]) -> None:
        super().__init__(words)
        self.why_not = why_not
