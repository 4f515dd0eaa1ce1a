// One pilot: when he flies next and on which channel, and what he has flown.

import { serverNow } from "/static/clock.js";
import { untilText, whenText } from "/static/flight.js";
import { keyed, tableOf } from "/static/keyed.js";
import { starButton } from "/static/pilots.js";
import { bestOf, isByTime, laterText, paint, placeText } from "/static/racetable.js";
import { address, zone } from "/static/shown.js";
import { lapTime, linkTo, make, named, section, setAttribute, setText, timeText } from "/static/text.js";

export function openPilot(root, title, params) {
  const id = params.get("id") ?? "";
  const star = starButton(id, () => star.fill(title.textContent));
  const until = make("p", "hero-until");
  const when = make("p", "hero-when");
  const colour = make("span", "hero-colour");
  const channel = make("span", "hero-channel");
  const mhz = make("span", "sub");
  const where = make("p", "hero-where", colour, channel, mhz);
  const changed = make("p", "warning", "Not the channel of the last flight: change it before you go up.");
  const hero = make("section", "hero", until, when, where, changed);
  hero.setAttribute("aria-label", "Next flight");
  const bests = make("p", "bests");
  const list = tableOf("Races", [["Race", "pilot"], ["Pos", "place"], ["Laps", "figure"], ["Best", "figure"]], "flown");
  const flown = section("Races", list);
  root.append(star, hero, bests, flown);
  setText(title, "Pilot");

  function draw(tree, changes) {
    const pilot = tree.pilots?.[id];
    const isHis = (race_id) => changes.touch("now", "event") || changes.races.has(race_id);
    for (const node of [star, hero, bests, flown]) node.hidden = pilot === undefined;
    if (pilot === undefined) {
      setText(title, "This pilot is not in the event");
      return;
    }
    setText(title, pilot.name);
    document.title = pilot.name + (tree.event?.name ? " · " + tree.event.name : "");
    star.fill(pilot.name);
    const { next } = pilot;
    const words = next ? untilText(next, tree) : "No more races for now";
    setText(until, words.charAt(0).toUpperCase() + words.slice(1));
    const race = tree.races?.[next?.race];
    const row = race?.rows?.[id];
    const late = row?.handicap_s ? laterText(race, row) : "";
    setText(when, [race?.name, next?.expected ? whenText(next.expected) : "", late].filter(Boolean).join(", "));
    where.hidden = !next;
    setText(channel, next?.channel ?? "No channel yet");
    setText(mhz, next?.mhz ? next.mhz + " MHz" : "");
    paint(colour, next?.colour);
    changed.hidden = !next?.channel_changed || race?.state === "live";
    setText(bests, bestsText(pilot));
    const races = (pilot.races ?? []).filter((race_id) => tree.races?.[race_id] !== undefined);
    flown.hidden = races.length === 0;
    keyed(list.body, races, beginFlight, (line, race_id) => fillFlight(line, tree.races[race_id], id), isHis);
  }

  return { draw };
}

function bestsText(pilot) {
  const words = [];
  if (pilot.best_lap) words.push("Best lap " + lapTime(pilot.best_lap.s));
  if (pilot.best_run) words.push("best " + pilot.best_run.laps + " laps " + lapTime(pilot.best_run.s));
  return words.join(" · ");
}

function beginFlight() {
  const name = named("");
  const parts = {
    name,
    link: linkTo("", "plain", name),
    sub: make("span", "sub"),
    place: make("td", "place"),
    laps: make("td", "figure"),
    best: make("td", "figure"),
  };
  const head = make("th", "pilot", parts.link, parts.sub);
  head.scope = "row";
  const line = make("tr", "", head, parts.place, parts.laps, parts.best);
  line.parts = parts;
  return line;
}

function fillFlight(line, race, id) {
  const { name, link, sub, place, laps, best } = line.parts;
  const row = race.rows?.[id];
  const isFlown = race.state !== "pending" && row !== undefined;
  setText(name, race.name);
  setAttribute(link, "href", address("/race", { id: race.id }));
  const when = race.start ? timeText(race.start, zone(), serverNow()) : race.expected ? whenText(race.expected) : "";
  const times = isFlown ? (row.lap_times ?? []).slice(0, 12).map(lapTime).join("  ") : "";
  setText(sub, [race.state === "live" ? "on now" : when, row?.channel, times].filter(Boolean).join(" · "));
  setText(place, isFlown ? placeText(row) : "");
  setText(laps, isFlown ? String(row.laps) : "");
  setText(best, isFlown ? lapTime(isByTime(race) ? bestOf(race, row) : row.best) : "");
  setAttribute(line, "class", race.state);
}

