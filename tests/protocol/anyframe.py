"""Hypothesis strategies: any frame that a peer may send."""

from typing import Any

from hypothesis import strategies as st

from protocol.frames import (
    Ack,
    Arrived,
    Batch,
    Bye,
    Cancel,
    Chunk,
    ClockSample,
    Credit,
    Datagrams,
    Error,
    Fill,
    Filled,
    Frame,
    Fresh,
    Hello,
    InPosition,
    Limits,
    Message,
    Offer,
    OutPosition,
    Ping,
    Pong,
    Push,
    Received,
    Refuse,
    Request,
    Response,
    Skip,
    StateAck,
    SyncPart,
    SyncRequest,
    TopicPosition,
    Update,
    Wish,
)

counts = st.integers(0, 2**63 - 1) | st.integers(0, 300)
signed = st.integers(-(2**63), 2**63 - 1) | st.integers(-300, 300)
names = st.text(min_size=1, max_size=64) | st.sampled_from(["event", "command", "result"])
texts = st.text(max_size=80)
digests = st.binary(min_size=8, max_size=8)
bodies = st.binary(max_size=300)
stream_ids = st.binary(min_size=1, max_size=32)
tables = st.dictionaries(texts, bodies, max_size=4)
free = st.dictionaries(
    texts,
    st.recursive(
        st.none()
        | st.booleans()
        | signed
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.binary(max_size=30)
        | texts,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
        max_leaves=8,
    ),
    max_size=4,
)


def _few(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    return st.lists(strategy, max_size=4)


clocks = st.builds(ClockSample, signed, signed, st.binary(max_size=64), st.booleans())
hellos = st.builds(
    Hello,
    major_min=counts,
    major_max=counts,
    minor=counts,
    role=names,
    site=names,
    instance=st.binary(min_size=8, max_size=32),
    attempt=counts,
    software=texts,
    clock=clocks,
    features=_few(names),
    limits=st.builds(Limits) | st.builds(Limits, counts, counts, counts, counts, counts),
    out=_few(st.builds(OutPosition, names, counts, counts, counts)),
    committed=_few(st.builds(InPosition, names, counts, counts)),
    topics=_few(st.builds(TopicPosition, names, counts, counts, digests)),
    nonce=st.text(max_size=64),
)
opening: st.SearchStrategy[Frame] = st.one_of(
    hellos, st.builds(Refuse, counts, texts, counts), st.builds(Bye, counts, texts, counts)
)
hot_frames: st.SearchStrategy[Frame] = st.one_of(
    st.builds(Message, names, counts, counts, names, counts, bodies),
    st.builds(Ack, names, counts, counts),
    st.builds(Chunk, signed, counts, bodies),
    st.builds(Received, counts, counts),
)
frames: st.SearchStrategy[Frame] = st.one_of(
    opening,
    hot_frames,
    st.builds(Ping, counts, signed),
    st.builds(Pong, counts, signed, signed, signed),
    st.builds(Skip, names, counts, counts, counts, texts),
    st.builds(Update, names, counts, counts, tables, _few(texts), digests, signed, counts),
    st.builds(StateAck, names, counts, counts),
    st.builds(Fresh, names, counts, counts, signed),
    st.builds(SyncRequest, names, texts),
    st.builds(
        SyncPart, names, counts, counts, counts, st.booleans(), tables, digests | st.just(b""), signed, counts
    ),
    st.builds(Request, counts, names, counts, free),
    st.builds(Response, counts, free, counts, bodies),
    st.builds(Error, counts, names, texts),
    st.builds(Cancel, signed),
    st.builds(Push, st.integers(-(2**63), -1), names, free, counts, bodies),
    st.builds(Credit, signed, counts),
    st.builds(Batch, stream_ids, counts, counts, signed, counts, counts, bodies),
    st.builds(Fill, stream_ids, counts, counts, signed, counts, counts, bodies, counts),
    st.builds(Offer, stream_ids),
    st.builds(Filled, stream_ids, counts, texts, counts),
    st.builds(Wish, names, bodies),
    st.builds(Datagrams, counts, st.binary(min_size=8, max_size=8), st.binary(min_size=32, max_size=32)),
    st.builds(Arrived, counts),
)
