"""Rows out of memory that is written at the same time."""

import mmap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chaos.doubles.iracing.memory import BUFFERS_AT, MEMORY_BYTES, VARIABLES_AT, SimMemory
from daemons.telemetry.capture.memory import Changed, Memory
from protocol.irsdk import BadLayout, Header, Layout, Type, Variable
from tests.daemons.telemetry.capture.sim import INFO, LAYOUT, is_whole, layout, row, started


class Interrupted(mmap.mmap):
    """A mapping that lets something else happen before and after a row is copied out of it."""

    before: Callable[[], object] = staticmethod(lambda: None)
    after: Callable[[], object] = staticmethod(lambda: None)

    def __getitem__(self, part):  # type: ignore[no-untyped-def]
        is_row = isinstance(part, slice) and part.start is not None and part.start >= BUFFERS_AT
        if is_row:
            self.before()
        data = super().__getitem__(part)
        if is_row:
            self.after()
        return data


@contextmanager
def mapped(path: Path) -> Iterator[Interrupted]:
    with path.open("rb") as file, Interrupted(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        yield data


def ticks(memory: Memory) -> list[int]:
    rows = memory.new_rows()
    assert all(is_whole(found.data) for found in rows)
    return [int.from_bytes(found.data[8:12], "little") for found in rows]


@pytest.fixture(params=[True, False], ids=["since-2026", "before-2026"])
def sim(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SimMemory]:
    with started(tmp_path / "memory", since_2026=request.param) as simulator:
        yield simulator


def test_each_row_is_read_once_and_the_newest_first(sim: SimMemory) -> None:
    with mapped(sim.path) as data:
        memory = Memory(data)
        assert ticks(memory) == []  # nothing was written yet: a buffer of zeros is no row
        for tick in (100, 101):
            sim.publish(row(tick))
        assert ticks(memory) == [101]  # the first look has the newest only
        assert ticks(memory) == []
        for tick in (102, 103):
            sim.publish(row(tick))
            assert ticks(memory) == [tick]
        assert (memory.missed, memory.torn) == (0, 0)


def test_who_comes_late_catches_up_by_one_row_and_counts_the_others(sim: SimMemory) -> None:
    with mapped(sim.path) as data:
        memory = Memory(data)
        sim.publish(row(100))
        assert ticks(memory) == [100]
        sim.publish(row(101))
        sim.publish(row(102))
        assert ticks(memory) == [101, 102]
        for tick in range(103, 113):
            sim.publish(row(tick))
        assert ticks(memory) == [111, 112]  # 110 stands there, but is the next to be written over
        assert (memory.missed, memory.torn) == (8, 0)


def test_the_oldest_row_is_not_read_though_its_numbers_look_right(sim: SimMemory) -> None:
    """Of a public recording: the simulator fills the oldest buffer all through a tick."""
    with mapped(sim.path) as data:
        memory = Memory(data)
        for tick in range(100, 104):
            sim.publish(row(tick), coming=row(tick + 1)[:400].ljust(LAYOUT.row_bytes, b"\0"))
            assert ticks(memory) == [tick]
        for tick in range(104, 108):
            sim.publish(row(tick), coming=bytes(LAYOUT.row_bytes))
        assert ticks(memory) == [106, 107]


def test_a_half_written_row_is_left_and_read_when_it_is_whole(tmp_path: Path) -> None:
    with started(tmp_path / "memory") as sim, mapped(sim.path) as data:
        memory = Memory(data)
        sim.publish(row(100))
        assert ticks(memory) == [100]
        sim.publish(row(101))
        sim.tear(row(102), 600)
        assert ticks(memory) == []
        assert memory.torn > 0
        sim.mend()
        assert ticks(memory) == [102]
        assert memory.missed <= 1


@pytest.mark.parametrize("published", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("when", ["before", "after"])
def test_what_is_written_while_it_is_copied_is_whole_or_read_again(
    sim: SimMemory, published: int, when: str
) -> None:
    with mapped(sim.path) as data:
        memory = Memory(data)
        sim.publish(row(100))
        assert ticks(memory) == [100]
        sim.publish(row(101))
        tick = 101

        def writer() -> None:
            nonlocal tick
            setattr(data, when, lambda: None)  # once
            for _ in range(published):
                tick += 1
                sim.publish(row(tick), coming=bytes(LAYOUT.row_bytes))

        setattr(data, when, writer)
        first = ticks(memory)
        if published == 1:  # there still was time
            assert first == [101]
            assert memory.torn == 0
        else:  # it may be filled already though its numbers do not tell so yet
            assert first[-1] == tick
            assert memory.torn == 1
        tick += 1
        sim.publish(row(tick))
        assert ticks(memory)[-1] == tick
        assert memory.missed + len(first) + (1 if published > 1 else 2) + 1 >= tick - 100


@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 4)), min_size=1, max_size=40), st.booleans())
def test_rows_are_whole_in_order_and_all_accounted_for(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, int]], new: bool
) -> None:
    path = tmp_path_factory.getbasetemp() / "any"
    with started(path, since_2026=new) as sim, mapped(path) as data:
        memory, tick, seen = Memory(data), 100, [100]
        sim.publish(row(tick))
        assert ticks(memory) == [100]

        def write(count: int) -> None:
            nonlocal tick
            data.before = lambda: None
            for _ in range(count):
                tick += 1
                sim.publish(row(tick), coming=bytes(LAYOUT.row_bytes))

        for between, within in steps:
            write(between)
            data.before = lambda within=within: write(within)
            seen += ticks(memory)
            data.before = lambda: None
        seen += ticks(memory)
        assert seen == sorted(set(seen))
        assert seen[-1] == tick
        assert len(seen) + memory.missed == tick - 100 + 1


def test_other_variables_are_noticed_at_the_next_row_even_where_the_header_is_the_same(
    sim: SimMemory,
) -> None:
    with mapped(sim.path) as data:
        memory = Memory(data)
        sim.publish(row(100))
        assert ticks(memory) == [100]
        sim.change(layout("Throttle"), INFO)  # as many, as long: pyirsdk would go on with the old names
        assert memory.changed()
        sim.publish(row(101))
        with pytest.raises(Changed):
            memory.new_rows()
        memory = Memory(data)
        memory.skip()  # the row that stands there may be one of the old variables
        assert "Throttle" in memory.layout
        assert ticks(memory) == []
        sim.publish(row(102))
        assert ticks(memory) == [102]
        sim.change(layout("Throttle", 300), INFO)
        sim.publish(row(103, of=layout("Throttle", 300)))
        with pytest.raises(Changed):
            memory.new_rows()


def floats(last: str) -> Layout:
    """A hundred of them: more than are compared at once."""
    names = [f"Value{at}" for at in range(99)] + [last]
    return Layout(tuple(Variable(name, Type.FLOAT, 4 * at) for at, name in enumerate(names)), 400)


def test_all_variables_are_compared_when_the_session_info_changed(tmp_path: Path) -> None:
    with started(tmp_path / "memory", floats("Speed")) as sim, mapped(sim.path) as data:
        memory = Memory(data)
        sim.publish(bytes(400))
        assert len(memory.new_rows()) == 1
        sim.change(floats("Throttle"), INFO)
        sim.publish(bytes(400))
        with pytest.raises(Changed):
            memory.new_rows()


def test_a_header_that_changed_alone_is_noticed(tmp_path: Path) -> None:
    with started(tmp_path / "memory", floats("Speed")) as sim, mapped(sim.path) as data:
        memory = Memory(data)
        sim._map[36:40] = (396).to_bytes(4, "little")  # the length of a row
        sim.publish(bytes(400))
        with pytest.raises(Changed):
            memory.new_rows()


def test_variables_that_change_with_nothing_else_are_noticed_soon(tmp_path: Path) -> None:
    many = floats("Speed")
    with started(tmp_path / "memory", many) as sim, mapped(sim.path) as data:
        memory = Memory(data)
        for _ in range(20):
            sim.publish(bytes(400))
            assert len(memory.new_rows()) == 1
        sim._map[VARIABLES_AT + 99 * 144 + 16] = ord("X")

        def looks() -> None:
            for _ in range(8):
                sim.publish(bytes(400))
                memory.new_rows()

        with pytest.raises(Changed):
            looks()


def test_a_simulator_that_begins_again_in_the_same_memory_is_followed(sim: SimMemory) -> None:
    with mapped(sim.path) as data:
        memory = Memory(data)
        for tick in range(100, 110):
            sim.publish(row(tick))
        assert ticks(memory) == [109]
        sim.start(INFO)
        assert ticks(memory) == []
        for tick in range(5, 8):
            sim.publish(row(tick))
            assert ticks(memory) == [tick]
        assert memory.missed == 0


def test_old_and_higher_numbers_that_still_stand_there_hide_no_new_rows(sim: SimMemory) -> None:
    with mapped(sim.path) as data:
        memory = Memory(data)
        for tick in range(100, 110):
            sim.publish(row(tick))
        assert ticks(memory) == [109]
        sim.tick = 1  # it counts from the beginning, and has not cleared its buffers
        for tick in range(5, 12):
            sim.publish(row(tick))
            assert ticks(memory) == [tick]
        assert memory.missed == 0


def test_its_end_is_read_from_its_own_word(sim: SimMemory) -> None:
    with mapped(sim.path) as data:
        memory = Memory(data)
        assert memory.connected
        sim.exit()
        assert not memory.connected


def test_session_info_that_changes_while_it_is_copied_is_not_taken(sim: SimMemory) -> None:
    with mapped(sim.path) as data:
        memory = Memory(data)
        update = memory.info_update
        assert memory.info() == INFO
        sim.set_info(INFO + b"more")
        assert memory.info_update != update
        assert memory.info() == INFO + b"more"

    class Changing(bytearray):
        def find(self, *args):  # type: ignore[no-untyped-def]
            self[12:16] = b"\xff\0\0\0"
            return super().find(*args)

    assert Memory(Changing(sim.path.read_bytes())).info() is None


@pytest.mark.parametrize(
    ("name", "header", "words"),
    [
        ("recording", {"buffers": 1}, "one row buffer"),
        ("rows outside", {"offset": MEMORY_BYTES}, "outside"),
        ("info outside", {"session_info_at": MEMORY_BYTES}, "session info"),
        ("variables outside", {"variables_at": MEMORY_BYTES - 10}, "variables"),
        ("no variables", {"variables": 0}, "no variables"),
        ("cut", {"cut": 600_000}, "outside"),
        ("empty", {"cut": 0}, "header"),
    ],
)
def test_what_is_not_the_memory_is_refused_in_words(
    sim: SimMemory, name: str, header: dict[str, int], words: str
) -> None:
    from attrs import evolve

    data = bytearray(sim.path.read_bytes())
    read = Header.read(bytes(data))
    if "buffers" in header:
        read = evolve(read, buffers=read.buffers[:1])
    if "offset" in header:
        read = evolve(read, buffers=(evolve(read.buffers[0], offset=header["offset"]), *read.buffers[1:]))
    read = evolve(
        read, **{key: value for key, value in header.items() if hasattr(read, key) and key != "buffers"}
    )
    data[:112] = read.pack()
    with pytest.raises(BadLayout, match=words):
        Memory(data[: header.get("cut", len(data))])


def test_real_memories_read_without_error(samples: Path) -> None:
    dumps = sorted((samples / "iracing").glob("*.bin"))
    if not dumps:
        pytest.skip("no memory of the simulator among the recordings")
    for dump in dumps:
        memory = Memory(dump.read_bytes())
        assert memory.connected
        [newest] = memory.new_rows()
        assert len(newest.data) == memory.layout.row_bytes
        assert newest.data.strip(b"\0")
        assert (memory.info() or b"").startswith(b"---\nWeekendInfo:\n")
        # nothing is new in memory that stands still
        assert memory.new_rows() == []
        assert memory.torn == 0
