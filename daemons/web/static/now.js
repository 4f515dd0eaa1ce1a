// Now: the race that is on, with its clock; the pilots followed on this device; the next three; the last one.

import { raceClock, serverNow } from "/static/clock.js";
import { favourites } from "/static/device.js";
import { keyed } from "/static/keyed.js";
import { aboutRace, openCard, openTable, seat, shownRows } from "/static/racetable.js";
import { flightLine, whenText } from "/static/flight.js";
import { address, ageNow, isStale, shown, zone } from "/static/shown.js";
import { clockText, linkTo, make, named, section, setAttribute, setText, timeText } from "/static/text.js";

const PHASES = { live: "LIVE", done: "FINISHED", pending: "NEXT" };

export function openNow(root, title) {
  const tag = make("span", "tag");
  const about = make("p", "about");
  const clock = make("p", "clock");
  clock.setAttribute("role", "timer");
  const clockNote = make("p", "clock-note");
  const table = openTable();
  const withdrawn = make("p", "warning", "The timing program has withdrawn this result. Shown as it was last published.");
  const more = linkTo("", "more", "All laps");
  const current = make("section", "now", make("div", "clocks", tag, clock, clockNote), about, withdrawn, table.node, more);
  current.setAttribute("aria-label", "Current race");
  const mineList = make("ul", "flights");
  const mine = section("Your pilots", mineList);
  const nextList = make("ol", "nexts");
  const next = section("Coming up", nextList);
  const last = openCard("Last:");
  root.append(make("div", "columns", current, make("div", "aside", mine, next, last.node)));

  function draw(tree, changes) {
    const { now, races } = tree;
    const race = races?.[now.race];
    setText(title, now.headline ?? "");
    document.title = (now.headline ?? "Race") + (tree.event?.name ? " · " + tree.event.name : "");
    current.hidden = race === undefined;
    if (race !== undefined) {
      setText(tag, PHASES[race.state]);
      setAttribute(tag, "class", "tag " + race.state);
      setText(about, aboutRace(race));
      withdrawn.hidden = !race.from_memory;
      setAttribute(more, "href", address("/race", { id: race.id }));
      more.hidden = race.state === "pending";
      table.fill(race);
    }
    drawMine(tree, changes);
    const following = (now.next ?? []).filter((id) => races?.[id] !== undefined);
    next.hidden = following.length === 0;
    const isTouched = (id) => changes.isAll || changes.parts.has("now") || changes.races.has(id);
    keyed(nextList, following, beginNext, (node, id) => fillNext(node, races[id]), isTouched);
    const previous = races?.[now.previous];
    last.node.hidden = previous === undefined;
    if (previous !== undefined) last.fill(previous);
    tick();
  }

  function drawMine(tree, changes) {
    const ids = [...favourites()].filter((id) => tree.pilots?.[id] !== undefined);
    mine.hidden = ids.length === 0;
    const isTouched = (id) => changes.touch("now", "event") || changes.pilots.has(id);
    keyed(mineList, ids, flightLine, (node, id) => node.fill(tree.pilots[id], tree), isTouched);
  }

  function tick() {
    const race = shown.tree?.races?.[shown.tree.now.race];
    if (race === undefined) return;
    const length_s = raceClock(race, serverNow(), ageNow() ?? 0, isStale());
    const stopped = race.state === "live" && isStale();
    clock.hidden = length_s === null;
    setText(clock, length_s === null ? "" : clockText(length_s));
    clock.classList.toggle("stopped", stopped);
    setText(clockNote, length_s === null ? expectedText(race) : stopped ? "when last heard of" : "");
  }

  return { draw, tick };
}

function expectedText(race) {
  return race.state === "pending" && race.expected ? whenText(race.expected) : "";
}

function beginNext() {
  const node = make("li", "next");
  const name = named("");
  const link = linkTo("", "plain", name);
  const when = make("span", "when");
  const pilots = make("p", "lineup");
  node.append(make("div", "next-head", link, when), pilots);
  node.parts = { name, link, when, pilots };
  return node;
}

function fillNext(node, race) {
  const { name, link, when, pilots } = node.parts;
  setText(name, race.name);
  setAttribute(link, "href", address("/race", { id: race.id }));
  setText(when, race.expected ? whenText(race.expected) : race.state === "done" ? timeText(race.start, zone(), serverNow()) : "");
  pilots.replaceChildren(...shownRows(race).map((id) => seat(race.rows[id])));
}
