"""A mutant: a small patch of the real source that breaks one promise."""

from pathlib import Path

from attrs import frozen


class DoesNotFit(Exception):
    """The source is not what the patch was made for: it has to be written anew."""


@frozen
class Edit:
    """In `file`, put `new` in the place of `old`, which is there exactly once."""

    file: str
    old: str
    new: str

    def apply(self, root: Path) -> None:
        """Change the file below `root`. Raises DoesNotFit."""
        path = root / self.file
        text = path.read_text()
        if text.count(self.old) != 1:
            raise DoesNotFit(f"{self.file} holds {text.count(self.old)} times {self.old!r}")
        path.write_text(text.replace(self.old, self.new))


@frozen
class Mutant:
    """`breaks`: the promise, in words. `tests`: where it is looked for first."""

    name: str
    breaks: str
    tests: tuple[str, ...]
    edits: tuple[Edit, ...]


def mutant(name: str, breaks: str, tests: str, *edits: tuple[str, str, str]) -> Mutant:
    """Make one; `tests` are separated by blanks, edits are (file, old, new)."""
    return Mutant(name, breaks, tuple(tests.split()), tuple(Edit(*edit) for edit in edits))
