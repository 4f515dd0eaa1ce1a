"""`pitlink chaos drill`: play faults on purpose, and see whether what must hold holds."""

import os
import platform
import secrets
import shlex
import sys
import tomllib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, redirect_stdout
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Annotated, Final

import trio
from attrs import evolve, frozen
from cyclopts import Parameter

from chaos.carrier import CarrierError
from chaos.drills.daemoncarrier import DaemonCarrier
from chaos.drills.drill import Drill, DrillError, read_drill
from chaos.drills.ground import Ground
from chaos.drills.herald import Herald
from chaos.drills.joined import JoinedCarriers
from chaos.drills.judge import WORDS
from chaos.drills.library import shipped_text
from chaos.drills.record import Record, Verdict
from chaos.drills.relaycarrier import RelayCarrier
from chaos.drills.report import write_reports
from chaos.drills.runner import LIVE, Runner
from chaos.drills.show import timeline_lines
from chaos.drills.watch import read_labels
from chaos.drills.words import figure
from chaos.inside.catalogue import HERE
from chaos.scenario import Deed
from daemons.commands.drillagainst import read_ground
from daemons.commands.place import printable
from daemons.commands.unread import hush
from daemons.ops.ask import Place
from daemons.ops.client import AdminClient, AdminError, Unreachable
from daemons.ops.errors import ConfigError, Problem, RefusedToStart
from daemons.ops.groups import leaves

__all__ = ["drill"]

HEAL_WORD: Final = "heal"
_NO_DRILL: Final = (CarrierError, RefusedToStart, Unreachable, AdminError)


def drill(
    which: Annotated[str, Parameter(help="A drill's file, or the name of a shipped one.")],
    /,
    *,
    seed: Annotated[int | None, Parameter(help="The same seed makes the same draws.")] = None,
    against: Annotated[
        Path | None,
        Parameter(help="A file that names running daemons; without it the drill has a ground of its own."),
    ] = None,
    dry_run: Annotated[bool, Parameter(negative="", help="Show what would be done, and do nothing.")] = False,
    arm: Annotated[
        str, Parameter(help="What you would be asked to type: that you mean these daemons, and now.")
    ] = "",
    heal: Annotated[
        bool, Parameter(negative="", help="End what an earlier drill left behind, without asking.")
    ] = False,
    report: Annotated[
        Path | None, Parameter(help="Write the record here: JSON, JUnit, Markdown, a picture.")
    ] = None,
    as_json: Annotated[
        bool,
        Parameter(
            name="--json",
            negative="",
            help="Print how it stands as lines of JSON; ends when nobody reads them.",
        ),
    ] = False,
) -> int:
    """Play a drill. Ends with 0 passed, 1 failed, 2 invalid (nothing was shown), 3 aborted, 4 not restored."""
    found = _find(which)
    ground = None if against is None else read_ground(against, os.environ)
    if against is not None:
        _check_deeds(found, against)
    if dry_run:
        if ground is not None:
            print(f"on {printable(ground.words)}:")
        print("\n".join(map(printable, timeline_lines(found))))
        return 0
    if report is not None:
        _make_folder(report)
    if seed is None:
        seed = secrets.randbelow(2**32) if found.seed is None else found.seed
    replay = ["pitlink", "chaos", "drill", which, "--seed", str(seed)]
    if against is not None:
        replay += ["--against", str(against)]
    asked = _Asked(found, seed, against, arm, heal, shlex.join(replay), as_json)
    try:
        record = trio.run(partial(_run, asked), restrict_keyboard_interrupt_to_checkpoints=True)
    except (KeyboardInterrupt, BaseExceptionGroup, *_NO_DRILL) as exc:
        return _explain(exc)
    written = [] if report is None else _write(record, report)
    try:
        with redirect_stdout(sys.stderr if as_json else sys.stdout):
            _print(record)
            for path in written:
                print(path)
        sys.stdout.flush()
    except OSError:  # nobody reads it: the verdict is what it is
        hush()
    return record.verdict.exit_code


def _make_folder(report: Path) -> None:
    """See that there is a folder for the record, before anything is broken for it. Raises ConfigError."""
    try:
        report.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise ConfigError([Problem("--report", f"there can be no folder {report}: {exc.strerror}")]) from exc
    if not os.access(report, os.W_OK | os.X_OK):
        raise ConfigError([Problem("--report", f"nothing may be written into {report}")])


def _write(record: Record, report: Path) -> Sequence[Path]:
    try:
        return write_reports(record, report)
    except OSError as exc:
        print(f"pitlink: the record is not, or not all, written: {exc}", file=sys.stderr)
        return ()


def _explain(exc: BaseException) -> int:
    """Say in words why there was no drill; what is no such reason is raised."""
    rest = [leaf for leaf in leaves(exc) if not isinstance(leaf, KeyboardInterrupt)]
    if not all(isinstance(leaf, _NO_DRILL) for leaf in rest):
        raise exc
    for leaf in rest:
        print(f"pitlink: {printable(str(leaf))}", file=sys.stderr)
    if rest:
        return Verdict.INVALID.exit_code
    print("pitlink: ended before anything was done", file=sys.stderr)
    return Verdict.ABORTED.exit_code


def _find(which: str) -> Drill:
    """Return a drill by its file or name. Raises ConfigError."""
    path = Path(which)
    name = path.stem
    try:
        if path.suffix == ".toml" or "/" in which or path.is_file():
            text = path.read_text(encoding="utf-8")
        else:
            name = which
            text = shipped_text(which)
    except (FileNotFoundError, KeyError) as exc:
        raise ConfigError([Problem(which, "there is no such drill", "see: pitlink chaos drills")]) from exc
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigError([Problem(which, f"cannot be read: {exc}")]) from exc
    try:
        return read_drill(tomllib.loads(text), name)
    except tomllib.TOMLDecodeError as exc:
        raise ConfigError([Problem(which, f"is no TOML: {exc}")]) from exc
    except DrillError as exc:
        raise ConfigError([Problem(which, words) for words in exc.problems]) from exc


def _check_deeds(found: Drill, against: Path) -> None:
    """See that nobody else's machines are to be killed, before anything is done. Raises ConfigError."""
    problems = [
        Problem(
            step.name, f"{step.kind} of {step.target} is for a ground of the drill's own: without --against"
        )
        for step in found.scenario.timeline
        if isinstance(step.fault, Deed) and step.kind not in HERE
    ]
    if problems:
        raise ConfigError([Problem(str(against), "names running daemons, and no machines"), *problems])


@frozen
class _Asked:
    drill: Drill
    seed: int
    against: Path | None
    arm: str
    heal: bool
    replay: str
    as_json: bool


async def _run(asked: _Asked) -> Record:
    async with _open(asked) as ground:
        ground = evolve(ground, versions=await _versions(ground))
        may_race = await _arm(asked, ground)

        async def may_heal(left: Sequence[str]) -> bool:
            if asked.heal or ground.is_throwaway:
                return True
            return await _typed(f"End what an earlier drill left? Type {HEAL_WORD}: ") == HEAL_WORD

        runner = Runner(
            asked.drill,
            ground,
            asked.seed,
            replay=asked.replay,
            may_race=may_race,
            may_heal=may_heal,
            herald=Herald([ground.site, ground.hub], sys.stdout if asked.as_json else None),
        )
        return await runner.run()


@asynccontextmanager
async def _open(asked: _Asked) -> AsyncIterator[Ground]:
    """Give the daemons that were named, or some of the drill's own."""
    if asked.against is not None:
        yield read_ground(asked.against, os.environ)
        return
    from daemons.commands.drillground import PROXIES, SITE, GroundOptions, open_ground

    print("pitlink: starting a site and a hub to drill on …", file=sys.stderr, flush=True)
    wanted = asked.drill
    options = GroundOptions(
        seed=asked.seed,
        speed=wanted.speed,
        laps=int(wanted.laps),
        torn_s=wanted.torn_s,
        small_disks=any(step.kind == "disk_full" for step in wanted.scenario.timeline),
    )
    async with open_ground(options) as made:
        proxies = {name: name for name in PROXIES} | {f"uplink:{SITE}": "uplink"}
        site, hub = AdminClient(made.site_admin), AdminClient(made.hub_admin)
        places = f"--connect {made.site_admin.parent} --connect {made.hub_admin.parent}"
        print(f"pitlink: to watch them: pitlink tui {places}", file=sys.stderr, flush=True)
        relay = RelayCarrier(Place(made.relay_api), proxies)
        inside = DaemonCarrier({"site": site, "hub": hub}, SITE)
        yield Ground(
            words="a throw-away site and hub",
            site_name=SITE,
            site=site,
            hub=hub,
            carrier=JoinedCarriers([relay, made.machines, inside]),
            is_throwaway=True,
            pages={"site": made.site_url, "hub": made.hub_url},
        )


async def _versions(ground: Ground) -> dict[str, str]:
    """Return what takes part, by name. Raises Unreachable and AdminError."""
    found = {"pitlink": metadata.version("pitlink"), "python": platform.python_version()}
    for name, client in (("site", ground.site), ("hub", ground.hub)):
        labels = read_labels(await client.metrics(), "pitlink_build_info")
        found[name] = f"{labels.get('daemon', '?')} {labels.get('version', '?')}"
    return found


# --- being asked -------------------------------------------------------------------------------------------------------


async def _arm(asked: _Asked, ground: Ground) -> bool:
    """See that whoever asks means it; return whether a race may be on. Raises RefusedToStart."""
    if ground.is_throwaway:
        return True
    status = await ground.hub.status()
    member = status["sites"].get(ground.site_name)
    if member is None:
        raise RefusedToStart(f"the hub knows no site {ground.site_name!r}")
    breaks_hub = any(step.target == "hub" for step in asked.drill.scenario.timeline)
    racing = [name for name, one in status["sites"].items() if one.get("phase") == LIVE]
    is_live = bool(racing) if breaks_hub else ground.site_name in racing
    for_race = f"{ground.site_name} {LIVE}"
    word = for_race if is_live else ground.site_name
    if asked.arm == for_race:
        return True  # races begin and end while one decides
    if asked.arm != word:
        for line in timeline_lines(asked.drill):
            print(printable(line), file=sys.stderr)
        print(f"This is done to {printable(ground.words)}.", file=sys.stderr)
        if is_live:
            print(f"A RACE IS ON: {printable(', '.join(racing))}.", file=sys.stderr)
        if await _typed(f'Type "{word}" to go on: ') != word:
            raise RefusedToStart(f'not armed: nothing was done (--arm "{word}" says it beforehand)')
    return is_live


async def _typed(question: str) -> str:
    """Return what is typed; "" where nobody can be asked."""
    if not sys.stdin.isatty():
        return ""
    print(question, end="", file=sys.stderr, flush=True)
    line: str = await trio.to_thread.run_sync(sys.stdin.readline, abandon_on_cancel=True)
    return line.strip()


# --- telling -----------------------------------------------------------------------------------------------------------


def _print(record: Record) -> None:
    for run in record.faults:
        if run.from_s is not None:
            print(f"  {run.step:24} {run.words}, met {run.touched}")
    for check in record.checks:
        measured = figure(check.measured, check.unit)
        words = f" ({printable(check.words)})" if check.words and not check.ok else ""
        print(
            f"  {'ok  ' if check.ok else 'FAIL'} {check.kind:11} {check.name}: {measured}, {check.limit}{words}"
        )
    told: set[tuple[object, ...]] = set()
    for one in record.recoveries:
        figures = (one.detect_s, one.reconnect_s, one.drained_s, one.fresh_s)
        counts = [f"{getattr(one, what)} {WORDS[what]}" for what in ("lost", "doubled", "late", "dead")]
        if (figures, *counts) in told:
            continue
        told.add((figures, *counts))
        times = [
            f"{what} {figure(value, 's')}"
            for what, value in zip(("noticed", "connected", "drained", "fresh"), figures, strict=True)
            if value is not None
        ]
        print(f"  {one.step}: {', '.join([*times, *counts])}")
    print(f"{record.verdict}: {record.drill}" + (f": {printable(record.why)}" if record.why else ""))
    print(f"Again: {record.replay}")
