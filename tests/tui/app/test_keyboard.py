"""What a terminal sends, as keys: whether it comes at once or a byte at a time, an Esc is an Esc."""

import os
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual import events
from textual.message import Message

from tui.app.keyboard import KeyParser, read_keys

KEYS = {
    "\x1b": "escape", "1": "1", "j": "j", "Q": "Q", ":": "colon", "\r": "enter", " ": "space", "\x0c": "ctrl+l", "é": "é",
    "\x1b[A": "up", "\x1b[1;5C": "ctrl+right", "\x1bOP": "f1", "\x1bf": "ctrl+right", "\x1b\x7f": "ctrl+w",
    "\x1b[Z": "shift+tab",
}  # fmt: skip


def keys(*parts: str) -> list[str]:
    """The keys of what came in these parts, long after the last."""
    parser = KeyParser()
    found = [message for part in parts for message in parser.feed(part)]
    if parser._timeout_time is not None:
        parser._timeout_time = 0.0
        found += parser.tick()
    return [message.key for message in found if isinstance(message, events.Key)]


@pytest.mark.parametrize(
    ("sent", "meant"),
    [
        ("\x1b1", ["escape", "1"]),  # ¡ to Textual
        ("\x1b:al\r", ["escape", "colon", "a", "l", "enter"]),  # without the Esc
        ("\x1bj\x1b", ["escape", "j", "escape"]),  # ^ and j
        ("\x1b\x1b1", ["escape", "escape", "1"]),
        ("\x1b\x1b[A", ["escape", "up"]),
        ("\x1b1\x1b[A", ["escape", "1", "up"]),
        ("\x1bb\x1bf", ["ctrl+left", "ctrl+right"]),
        ("\x1b[?2026;1$yq", ["q"]),
    ],
)
def test_an_esc_and_what_came_with_it(sent: str, meant: list[str]) -> None:
    assert keys(sent) == meant
    assert keys(*sent) == meant


@given(st.lists(st.sampled_from(sorted(KEYS)), max_size=12), st.data())
def test_however_it_is_cut_the_keys_are_those_typed(sent: list[str], data: st.DataObject) -> None:
    text = "".join(sent)
    cuts = sorted(data.draw(st.sets(st.integers(1, max(1, len(text) - 1)), max_size=6)))
    parts = [
        text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True) if text[start:end]
    ]
    assert keys(*parts) == [KEYS[one] for one in sent]


def test_letters_in_halves_and_bytes_of_nothing() -> None:
    reading, writing = os.pipe()
    found: list[str] = []
    is_over = threading.Event()

    def take(message: Message) -> None:
        assert isinstance(message, events.Key)
        found.append(message.key)
        if message.key == "q":
            is_over.set()

    try:
        reader = threading.Thread(target=read_keys, args=(reading, is_over, take))
        reader.start()
        for data in (b"\xc3", b"\xa9", b"\xffj\x1b", b"q"):
            os.write(writing, data)
        reader.join(30)
        assert not reader.is_alive()
    finally:
        os.close(reading)
        os.close(writing)
    assert found[0] == "é" and found[-3:] == ["j", "escape", "q"]


def test_a_terminal_that_ends_ends_the_reading() -> None:
    reading, writing = os.pipe()
    os.close(writing)
    try:
        read_keys(reading, threading.Event(), lambda message: None)
    finally:
        os.close(reading)
