"""What ended a nursery, out of the groups that nurseries wrap it in."""

__all__ = ["leaves"]


def leaves(exc: BaseException | None) -> list[BaseException]:
    """Return the plain exceptions inside nested groups, in their order; one that is no group is its own only leaf."""
    if exc is None:
        return []
    if isinstance(exc, BaseExceptionGroup):
        return [leaf for inner in exc.exceptions for leaf in leaves(inner)]
    return [exc]
