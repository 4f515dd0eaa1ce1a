"""The process that fuzzes: `python -m tests.fuzz.harness FOLDER [libFuzzer's arguments]`. It ends with libFuzzer's exit."""

import sys
from pathlib import Path

import atheris
import trio

from daemons.ops.logs import LogLevel, configure_logs

with atheris.instrument_imports(include=["protocol", "daemons.link"], enable_loader_override=False):
    from tests.fuzz.inputs import messages_from
    from tests.fuzz.session import open_sessions


async def fuzz(folder: Path, arguments: list[str]) -> None:
    """Fuzz until libFuzzer has had enough. It does not give the loop back: nothing else of Trio runs."""
    async with open_sessions(folder) as sessions:

        def one(data: bytes) -> None:
            session = sessions.begin()
            for message in messages_from(data):
                if not session.take(message):
                    return

        atheris.Setup([sys.argv[0], *arguments], one)
        atheris.Fuzz()


if __name__ == "__main__":
    configure_logs(LogLevel.ERROR)
    trio.run(fuzz, Path(sys.argv[1]), sys.argv[2:])
