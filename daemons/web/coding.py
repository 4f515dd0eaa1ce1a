"""Content codings: which of those that ready answers are made in a client takes (RFC 9110 §12.5.3)."""

__all__ = ["IDENTITY", "best_coding"]

IDENTITY = "identity"
_BEST_FIRST = ("zstd", "gzip")


def best_coding(accept_encoding: str | None) -> str:
    """Return the best coding that the client takes, IDENTITY when there is none.

    What is refused (`q=0`) is not taken; other preferences among codings are not asked for by any client.
    """
    taken = set()
    for part in (accept_encoding or "").split(","):
        name, _, weight = part.partition(";")
        if weight.replace(" ", "").lower().removeprefix("q=").strip("0.") or not weight.strip():
            taken.add(name.strip().lower())
    return next((coding for coding in _BEST_FIRST if coding in taken), IDENTITY)
