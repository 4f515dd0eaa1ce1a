// One race, with every lap of every pilot.

import { raceClock, serverNow } from "/static/clock.js";
import { tableOf } from "/static/keyed.js";
import { openCard, shownRows } from "/static/racetable.js";
import { whenText } from "/static/flight.js";
import { ageNow, asked, isStale, shown, zone } from "/static/shown.js";
import { clockText, lapTime, make, named, scroller, section, setText, timeText } from "/static/text.js";

export function openRaceWhole(root, title, params) {
  const id = params.get("id") ?? "";
  const when = make("p", "about");
  const card = openCard();
  card.node.firstChild.hidden = true; // the page's own title has the name
  const holder = scroller("Lap by lap");
  const laps = section("Lap by lap", holder);
  const note = make("p", "about");
  const before = make("details", "round before", make("summary", "", make("h2", "", "Versions and proof")), note);
  root.append(when, card.node, laps, before);
  let versions = null; // loaded when somebody wants to see them

  async function openBefore() {
    if (!before.open) return;
    try {
      const { openVersions } = await import("/static/versions.js");
      setText(note, "");
      if (versions === null) versions = openVersions(before, asked, id, zone);
      else versions.open();
    } catch {
      setText(note, "No answer from here at the moment. Close this and open it again to try once more.");
    }
  }

  before.addEventListener("toggle", openBefore);
  setText(title, "Race");

  function draw(tree, changes) {
    const race = tree.races?.[id];
    for (const node of [when, card.node, before]) node.hidden = race === undefined;
    laps.hidden = race === undefined || shownRows(race).every((pilot) => (race.rows[pilot].lap_times ?? []).length === 0);
    if (race === undefined) {
      setText(title, "This race is not in the event");
      return;
    }
    setText(title, race.name);
    document.title = race.name + (tree.event?.name ? " · " + tree.event.name : "");
    card.fill(race);
    if (changes.isAll || changes.races.has(id)) {
      holder.replaceChildren(lapTable(race));
      versions?.changed();
    }
    tick();
  }

  function tick() {
    const race = shown.tree?.races?.[id];
    if (race === undefined) return;
    const length_s = raceClock(race, serverNow(), ageNow() ?? 0, isStale());
    const words = [];
    if (race.start) words.push("Started " + timeText(race.start, zone(), serverNow()));
    if (race.state === "pending" && race.expected) words.push("Expected " + whenText(race.expected));
    if (length_s !== null) words.push((race.state === "live" ? "on for " : "ended after ") + clockText(length_s));
    setText(when, words.join(" · "));
  }

  return { draw, tick, close: () => versions?.close() };
}

function lapTable(race) {
  const ids = shownRows(race);
  const table = tableOf("Laps of " + race.name, [["Lap", "place"]], "laps");
  const head = table.tHead.rows[0];
  for (const id of ids) {
    const cell = make("th", "figure", named(race.rows[id].pilot));
    cell.scope = "col";
    head.append(cell);
  }
  const rows = ids.map((id) => race.rows[id]);
  if (rows.some((row) => row.holeshot !== undefined)) table.body.append(line("Start", rows.map((row) => row.holeshot), rows));
  const most = Math.max(0, ...rows.map((row) => (row.lap_times ?? []).length));
  for (let lap = 0; lap < most; lap++) {
    table.body.append(line(String(lap + 1), rows.map((row) => row.lap_times?.[lap]), rows));
  }
  return table;
}

function line(name, times, rows) {
  const head = make("th", "place", name);
  head.scope = "row";
  const cells = times.map((lap_s, which) => {
    const isBest = lap_s !== undefined && name !== "Start" && lap_s === rows[which].best;
    return make("td", isBest ? "figure best" : "figure", lap_s === undefined ? "" : lapTime(lap_s));
  });
  return make("tr", "", head, ...cells);
}
