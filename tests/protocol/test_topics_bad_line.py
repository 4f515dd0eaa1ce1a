"""State topics over a line that loses, doubles, reorders and breaks: both ends converge, honestly."""

from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.frames import (
    SyncRequest,
)
from tests.protocol.topic_pair import Link

KEYS = st.sampled_from(["a", "b", "c", "d", "ü", "long " * 20])
OPS = st.one_of(
    st.tuples(st.just("set"), KEYS, st.sampled_from([b"", b"1", b"2", b"3" * 2000, b"4" * 3000])),
    st.tuples(st.just("set"), KEYS, st.binary(max_size=3)),
    st.tuples(st.just("remove"), KEYS),
    st.tuples(st.just("read")),
    st.tuples(st.just("wait"), st.sampled_from([0.01, 0.1, 6.0, 31.0])),
    st.tuples(st.just("write")),
    st.tuples(st.just("deliver"), st.integers(1, 5)),
    st.tuples(st.just("drop"), st.booleans()),
    st.tuples(st.just("double"), st.booleans()),
    st.tuples(st.just("swap"), st.booleans()),
    st.tuples(st.just("connect")),
    st.tuples(st.just("restart_publisher")),
    st.tuples(st.just("restart_subscriber")),
)


@given(ops=st.lists(OPS, max_size=60), own_lane=st.booleans())
@settings(max_examples=300)
def test_both_ends_converge_over_a_bad_line(ops: list[tuple[object, ...]], own_lane: bool) -> None:
    link = Link(own_lane=own_lane)
    link.is_lossy = True
    for name, *arguments in ops:
        if name in ("drop", "double", "swap"):
            queue = link.down if arguments[0] else link.up
            if queue and name == "drop":
                queue.popleft()
            elif queue and name == "double":
                queue.append(queue[0])
            elif len(queue) > 1:
                queue[0], queue[1] = queue[1], queue[0]
        else:
            getattr(link, str(name))(*arguments)
        link.check()
    link.connect()
    link.read()
    link.settle()
    link.check_converged()
    assert link.subscriber.as_of_us == link.moment


@given(ops=st.lists(OPS.filter(lambda op: op[0] not in ("drop", "double", "swap")), max_size=60))
@settings(max_examples=150)
def test_a_line_that_only_breaks_never_needs_a_repair(ops: list[tuple[object, ...]]) -> None:
    link = Link()
    for name, *arguments in ops:
        getattr(link, str(name))(*arguments)
        link.check()
        assert not any(isinstance(frame, SyncRequest) for frame in link.up)
    link.read()
    link.settle()
    link.check_converged()
