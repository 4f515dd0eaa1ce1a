"""Page 5: messages that could not be applied, why, and what becomes of them; and the commands to sites."""

import json
from typing import ClassVar

from textual.binding import Binding, BindingType

from tui.app.columns import Column
from tui.app.looks import Cell, Key, Kind, Row
from tui.app.row_controls import dead_deeds, withdraw_deeds
from tui.app.view import View
from tui.model import CommandRow, DeadLetter
from tui.model.words import counted, printable, size, utc_time

__all__ = ["CommandsView"]

_KINDS = {"DONE": Kind.GOOD, "FAILED": Kind.BAD, "EXPIRED": Kind.NOTICE, "UNKNOWN": Kind.NOTICE}


class CommandsView(View):
    """Dead letters first: they wait for somebody. Then commands, the newest first."""

    columns = (
        Column("What", 8),
        Column("When", 8),
        Column("Site", 12),
        Column("Type", 16),
        Column("State", 8),
        Column("Why", 20, grows=True),
        Column("By", 14, 3),
        Column("Id", 12, 4),
    )
    empty = "no commands and no dead letters"
    can_tag = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("r", "dead(True)", "requeue the dead letter", id="dead.requeue"),
        Binding("x", "dead(False)", "drop the dead letter, withdraw the command", id="dead.drop"),
    ]

    @property
    def target(self) -> tuple[str, str] | None:
        key = self.table.chosen
        return None if key is None else (key[1], key[2])

    def target_of(self, key: Key) -> tuple[str, str] | None:
        return key[1], key[2]

    def rows(self) -> list[Row]:
        model = self.desk.model
        letters = [_letter(letter) for found in model.dead.values() for letter in found]
        commands = [command for found in model.commands.values() for command in found]
        commands.sort(key=lambda command: command.issued_utc, reverse=True)
        return [*letters, *map(_command, commands)]

    def heading(self) -> str:
        letters = sum(map(len, self.desk.model.dead.values()))
        return f"{letters} dead letters, {sum(map(len, self.desk.model.commands.values()))} commands"

    def looks_at(self) -> frozenset[tuple[str, str]]:
        return frozenset(self.desk.model.sites)

    def paint(self) -> None:
        """Sites that came meanwhile are looked at too."""
        if self.screen.is_current:
            self.desk.look_at(self.looks_at())
        super().paint()

    def choose(self, key: Key) -> None:
        letter = self._letter_of(key)
        if letter is not None:
            lines = [
                f"site {letter.site}, channel {letter.channel}, number {letter.seq}, {utc_time(letter.at_utc)} UTC",
                f"type {letter.type}, {size(letter.size_bytes)}",
                f"why  {letter.error}",
            ]
            self._read(f"Dead letter {letter.id}", lines)
            return
        for command in self.desk.model.commands.get((key[1], key[2]), ()):
            if command.id == key[3]:
                lines = [
                    f"{command.status} {command.words}",
                    f"by {command.issuer}, {utc_time(command.issued_utc)} UTC, holds until {utc_time(command.expires_utc)}",
                    json.dumps(dict(command.action), ensure_ascii=False, default=str),
                ]
                self._read(f"Command {command.id} to site {command.site}", lines)

    def action_dead(self, requeue: bool) -> None:
        """Ask about the one under the cursor, or all that are tagged."""
        letters = [letter for key in self.acted_upon if (letter := self._letter_of(key)) is not None]
        if letters:
            found = dead_deeds(self.desk.model, letters, requeue=requeue)
            self.post_message(self.Asked(found, "dead letters"))
        elif not requeue and (commands := self._commands_of(self.acted_upon)):
            waiting = [command for command in commands if command.decided_utc is None]
            if waiting:
                self.post_message(self.Asked(withdraw_deeds(self.desk.model, waiting), "commands"))
            else:
                self.post_message(self.Told("it has been run, or refused: there is nothing to withdraw"))

    def _commands_of(self, keys: list[Key]) -> list[CommandRow]:
        wanted = set(keys)
        return [
            command
            for found in self.desk.model.commands.values()
            for command in found
            if ("command", command.daemon, command.site, command.id) in wanted
        ]

    def _letter_of(self, key: Key) -> DeadLetter | None:
        if key[0] != "dead":
            return None
        found = self.desk.model.dead.get((key[1], key[2]), ())
        return next((letter for letter in found if str(letter.id) == key[3]), None)

    def _read(self, title: str, lines: list[str]) -> None:
        self.post_message(self.Read(printable(title), [printable(line) for line in lines]))


def _letter(letter: DeadLetter) -> Row:
    return Row(
        ("dead", letter.daemon, letter.site, str(letter.id)),
        (
            Cell("! dead", Kind.NOTICE),
            Cell(utc_time(letter.at_utc), Kind.DIM),
            Cell(printable(letter.site)),
            Cell(printable(letter.type)),
            Cell("failed", Kind.NOTICE),
            Cell(printable(letter.error)),
            Cell(printable(letter.channel)),
            Cell(str(letter.id), Kind.DIM),
        ),
    )


def _command(command: CommandRow) -> Row:
    return Row(
        ("command", command.daemon, command.site, command.id),
        (
            Cell("command"),
            Cell(utc_time(command.issued_utc), Kind.DIM),
            Cell(printable(command.site)),
            Cell(printable(str(command.action.get("do", "")))),
            Cell(printable(command.status.lower()), _KINDS.get(command.status, Kind.PLAIN)),
            Cell(printable(command.words or _tried(command))),
            Cell(printable(command.issuer)),
            Cell(printable(command.id[:12]), Kind.DIM),
        ),
    )


def _tried(command: CommandRow) -> str:
    """Return how often a command was tried that nobody has decided; "" where that is not told."""
    if command.decided_utc is not None or command.attempts is None:
        return ""
    return f"{counted(command.attempts, 'attempt')} to deliver it"
