"""A process raises its own limit of open files, and never lowers it."""

from collections.abc import Iterator

import pytest

from daemons.ops.openfiles import allow_open_files

resource = pytest.importorskip("resource")


@pytest.fixture
def hard() -> Iterator[int]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield before[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_it_is_raised_to_what_is_wanted_but_not_above_what_may_be(hard: int) -> None:
    most = 4096 if hard == resource.RLIM_INFINITY else min(hard, 4096)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    assert allow_open_files(most - 1) == most - 1
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (most - 1, hard)
    if hard != resource.RLIM_INFINITY:
        assert allow_open_files(hard + 1) == hard


def test_it_is_never_lowered(hard: int) -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (512, hard))
    assert allow_open_files(100) == 512
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (512, hard)
