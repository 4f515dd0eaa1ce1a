"""A broken database at the start: put aside and begun anew; what is merely held or locked is not."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from daemons.heating.config import BoilerConfig
from daemons.heating.primary.aside import Ground, open_ground
from daemons.heating.primary.kept import read_settings, write_settings
from daemons.heating.settings import Settings
from daemons.store import StorageError, StorageFault
from daemons.store.archive import take_backup

from .parts import MIGRATIONS, START

SETTINGS = Settings(version=7, is_on=False)


def config(folder: Path) -> BoilerConfig:
    return BoilerConfig(site="lodge", state_dir=folder)


def broken(path: Path) -> bytes:
    """Make garbage of a file's middle; return what it then is."""
    text = bytearray(path.read_bytes())
    text[len(text) // 4 : len(text) // 2] = b"\xff" * (len(text) // 2 - len(text) // 4)
    path.write_bytes(text)
    return bytes(text)


async def kept(ground: Ground) -> Settings:
    return await ground.store.read(read_settings)


async def lived_in(folder: Path) -> None:
    """Make a state folder with settings."""
    async with open_ground(config(folder), "boiler", MIGRATIONS, lambda: START, inline=True) as ground:
        assert ground.words == []
        await ground.store.transact(lambda conn: write_settings(conn, SETTINGS, START))


async def test_a_sound_folder_is_as_it_was(tmp_path: Path) -> None:
    await lived_in(tmp_path)
    async with open_ground(config(tmp_path), "boiler", MIGRATIONS, lambda: START, inline=True) as ground:
        assert (ground.words, await kept(ground)) == ([], SETTINGS)


async def test_a_broken_file_is_put_aside_whole_and_begun_anew(tmp_path: Path) -> None:
    await lived_in(tmp_path)
    garbage = broken(tmp_path / "boiler.db")
    with capture_logs() as logs:
        async with open_ground(config(tmp_path), "boiler", MIGRATIONS, lambda: START, inline=True) as ground:
            assert await kept(ground) == Settings()
    assert ["without settings" in words for words in ground.words] == [True]
    assert [log["event"] for log in logs if log["log_level"] == "error"] == ["store.put_aside"]
    (aside,) = tmp_path.glob("boiler.db.broken-*")
    assert aside.read_bytes() == garbage


async def test_settings_come_from_the_newest_backup(tmp_path: Path) -> None:
    await lived_in(tmp_path)
    take_backup(tmp_path, config(tmp_path).backup.into(tmp_path), at=START - 3600, reserve=0)
    broken(tmp_path / "boiler.db")
    with capture_logs():
        async with open_ground(config(tmp_path), "boiler", MIGRATIONS, lambda: START, inline=True) as ground:
            assert await kept(ground) == SETTINGS
    assert "with the settings of the backup of 20" in ground.words[0]


async def test_people_and_keys_are_put_aside_too(tmp_path: Path) -> None:
    await lived_in(tmp_path)
    broken(tmp_path / "authority.db")
    with capture_logs():
        async with open_ground(config(tmp_path), "boiler", MIGRATIONS, lambda: START, inline=True) as ground:
            assert await kept(ground) == SETTINGS
    assert ["nobody can sign in" in words for words in ground.words] == [True]


async def test_what_is_held_by_another_is_left_alone(tmp_path: Path) -> None:
    await lived_in(tmp_path)
    async with open_ground(config(tmp_path), "boiler", MIGRATIONS, lambda: START, inline=True):
        with pytest.raises(StorageError) as caught:
            async with open_ground(config(tmp_path), "boiler", MIGRATIONS, lambda: START, inline=True):
                pass
    assert caught.value.fault is not StorageFault.CORRUPT
    assert not list(tmp_path.glob("*.broken-*"))


@contextmanager
def read_only(state: Path) -> Iterator[None]:
    """Have nobody write to the files of a folder, as on a card that turned read-only: for root a mode alone is nothing."""
    files = [str(path) for path in state.iterdir()]
    if os.geteuid():
        state.chmod(0o500)
        (state / "lock").chmod(0o400)
    elif subprocess.run(["chattr", "+i", str(state), *files], capture_output=True, check=False).returncode:
        pytest.skip("this file system cannot make files immutable")
    try:
        yield
    finally:
        if os.geteuid():
            state.chmod(0o700)
        else:
            subprocess.run(["chattr", "-i", str(state), *files], check=True)


async def test_a_folder_that_cannot_be_written_is_lived_in_from_memory(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    await lived_in(state)
    before = {path.name: path.read_bytes() for path in state.iterdir()}
    with read_only(state), capture_logs() as logs:
        async with open_ground(config(state), "boiler", MIGRATIONS, lambda: START, inline=True) as ground:
            lived = ground.config.state_dir
            assert lived != state
            assert await kept(ground) == SETTINGS
            await ground.store.transact(lambda conn: write_settings(conn, Settings(version=8), START))
            assert (await kept(ground)).version == 8
    assert ["heated from memory" in words for words in ground.words] == [True]
    assert [log["event"] for log in logs if log["log_level"] == "error"] == ["store.left"]
    assert not lived.exists()
    assert {path.name: path.read_bytes() for path in state.iterdir()} == before


async def test_a_folder_that_cannot_be_made_is_begun_anew_in_memory(tmp_path: Path) -> None:
    (tmp_path / "card").write_bytes(b"")
    state = tmp_path / "card" / "state"  # below a file: no folder can be there
    with capture_logs() as logs:
        async with open_ground(config(state), "boiler", MIGRATIONS, lambda: START, inline=True) as ground:
            assert await kept(ground) == Settings()
    assert ["heated from memory" in words for words in ground.words] == [True]
    assert "store.left" in [log["event"] for log in logs]
