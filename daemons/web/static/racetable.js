// One race as a table: who flies on which channel, and how it stands.

import { keyed, tableOf } from "/static/keyed.js";
import { address } from "/static/shown.js";
import { count, lapTime, linkTo, make, named, setAttribute, setText } from "/static/text.js";

const BY_TIME = new Set(["Time Trial", "Practice", "Casual Practice", "Training"]);

// A race in words: "3 laps · official result". Warnings are told apart.
export function aboutRace(race) {
  const words = [];
  if (race.state !== "done" && race.type === "Race" && race.target_laps) words.push(count(race.target_laps, "lap"));
  if (race.type !== "Race") words.push(race.type);
  if (race.bracket && race.bracket !== "None") words.push("Bracket " + race.bracket);
  if (race.state === "done") words.push(race.official ? "Official result" : "Not official yet");
  if (shownRows(race).length === 0) words.push("no pilots yet");
  return words.join(" · ");
}

export function shownRows(race) {
  const rows = race.rows ?? {};
  return (race.ranking ?? Object.keys(rows)).filter((id) => rows[id] !== undefined);
}

// Whoever flies for time is ranked by the best run, or by the best lap.
export function isByTime(race) {
  return BY_TIME.has(race.type);
}

export function bestOf(race, row) {
  return race.best_run_of > 1 ? row.best_run : row.best;
}

function flownFor_s(row, laps) {
  const times = row.lap_times ?? [];
  if (laps > times.length) return null;
  return times.slice(0, laps).reduce((sum, lap_s) => sum + lap_s, row.holeshot ?? 0);
}

// How far behind the leader: seconds at the lap both have flown, laps, or "" when that cannot be told.
export function gapText(race, row, leader) {
  if (row === leader || leader === undefined) return "";
  if (isByTime(race)) {
    const [mine, best] = [bestOf(race, row), bestOf(race, leader)];
    return mine === undefined || best === undefined ? "" : "+" + lapTime(mine - best);
  }
  const behind = leader.laps - row.laps;
  if (behind > 0) return "−" + count(behind, "lap");
  if (behind < 0 || row.laps === 0 || row.handicap_s || leader.handicap_s) return ""; // whose laps count from where?
  const [mine, best] = [flownFor_s(row, row.laps), flownFor_s(leader, row.laps)];
  return mine === null || best === null || mine < best ? "" : "+" + lapTime(mine - best);
}

export function placeText(row) {
  if (row.dnf) return "DNF";
  return row.position === undefined ? "–" : String(row.position);
}

export function channelText(row) {
  return row.channel ?? "no channel";
}

export function paint(node, colour) {
  node.style.backgroundColor = colour ?? "transparent";
}

// A dot in the pilot's colour; the channel's name always stands beside it.
export function dot(colour) {
  const node = make("span", "dot");
  paint(node, colour);
  return node;
}

export function pilotLink(id, name, className = "") {
  return linkTo(address("/pilot", { id }), className, named(name));
}

// Who sits where, in a line.
export function seat(row) {
  const channel = make("span", "sub", row.channel ?? "");
  return make("span", "seat", dot(row.colour), pilotLink(row.id, row.pilot, "plain"), channel);
}

function headings(race) {
  if (race.state === "pending") return ["", "Pilot", "Channel", ""];
  if (isByTime(race)) return ["Pos", "Pilot", race.best_run_of > 1 ? "Best " + race.best_run_of : "Best", "Laps"];
  return ["Pos", "Pilot", "Laps", race.state === "live" ? "Last lap" : "Best lap"];
}

// Who has flown, or flies, has changed it.
function isToChange(race, row) {
  return row.channel_changed && race.state === "pending";
}

export function laterText(race, row) {
  return (race.state === "pending" ? "starts " : "started ") + lapTime(row.handicap_s) + " s later";
}

function subText(race, row) {
  const words = [];
  if (race.state !== "pending") words.push(channelText(row));
  if (isToChange(race, row)) words.push("new channel");
  if (row.handicap_s) words.push(laterText(race, row));
  if (race.state === "done" && row.points !== undefined) words.push(count(row.points, "point"));
  if (row.over_target > 0) words.push(count(row.over_target, "lap") + " more");
  return words.join(" · ");
}

// The two figures of a row, each large with a small one below.
function figures(race, row, leader) {
  if (race.state === "pending") return [channelText(row), row.mhz ? row.mhz + " MHz" : "", "", ""];
  const gap = gapText(race, row, leader);
  if (isByTime(race)) {
    return [lapTime(bestOf(race, row)), gap, String(row.laps), row.last === undefined ? "" : "last " + lapTime(row.last)];
  }
  const laps = row.laps + (race.type === "Race" && race.target_laps ? "/" + race.target_laps : "");
  if (race.state === "done") return [laps, gap, lapTime(row.best), ""];
  return [laps, gap, lapTime(row.last), row.best === undefined ? "" : "best " + lapTime(row.best)];
}

function beginRow(id) {
  const line = make("tr");
  const parts = {
    place: make("td", "place"),
    bar: make("span", "bar"),
    link: linkTo(address("/pilot", { id }), "plain"),
    name: named(""),
    sub: make("span", "sub"),
    cells: [make("td", "figure"), make("td", "figure")],
    big: [make("span", "big"), make("span", "big")],
    small: [make("span", "sub"), make("span", "sub")],
  };
  const pilot = make("th", "pilot", parts.bar, parts.link, parts.sub);
  pilot.scope = "row";
  parts.link.append(parts.name);
  parts.cells.forEach((cell, which) => cell.append(parts.big[which], parts.small[which]));
  line.append(parts.place, pilot, ...parts.cells);
  line.parts = parts;
  line.addEventListener("animationend", () => line.classList.remove("fresh"));
  return line;
}

function fillRow(line, race, row, leader) {
  const { parts } = line;
  setText(parts.place, race.state === "pending" ? "" : placeText(row));
  parts.place.classList.toggle("dnf", row.dnf);
  paint(parts.bar, row.colour);
  setText(parts.name, row.pilot);
  setText(parts.sub, subText(race, row));
  parts.sub.classList.toggle("changed", isToChange(race, row));
  const told = figures(race, row, leader);
  [0, 1].forEach((which) => {
    setText(parts.big[which], told[2 * which]);
    setText(parts.small[which], told[2 * which + 1]);
  });
  const flown = (row.lap_times ?? []).length;
  if (line.race !== race.id) line.classList.remove("fresh"); // the pilot's lap was one of another race
  else if (flown > line.flown) line.classList.add("fresh");
  line.race = race.id;
  line.flown = flown;
}

// A table that `fill(race)` keeps up to date.
export function openTable() {
  const table = tableOf("", [["", "place"], ["", "pilot"], ["", "figure"], ["", "figure"]], "race");
  const heads = [...table.tHead.rows[0].cells];

  function fill(race) {
    const rows = race.rows ?? {};
    const ranking = shownRows(race);
    table.classList.toggle("pending", race.state === "pending");
    table.hidden = ranking.length === 0;
    setText(table.caption, (race.state === "pending" ? "Line-up of " : "Standings of ") + race.name);
    headings(race).forEach((text, which) => setText(heads[which], text));
    keyed(table.body, ranking, beginRow, (line, id) => fillRow(line, race, rows[id], rows[ranking[0]]));
  }

  return { node: table, fill };
}

// A table under the race's name, which leads to all about it.
export function openCard(lead = "") {
  const name = named("");
  const link = linkTo("", "plain", name);
  const about = make("p", "about");
  const withdrawn = make("p", "warning", "The timing program has withdrawn this result. Shown as it was last published.");
  const table = openTable();
  const title = make("h2", "", lead ? make("span", "lead", lead + " ") : null, link);
  const node = make("section", "card", title, about, withdrawn, table.node);

  function fill(race) {
    setText(name, race.name);
    setAttribute(link, "href", address("/race", { id: race.id }));
    setText(about, aboutRace(race));
    withdrawn.hidden = !race.from_memory;
    table.fill(race);
  }

  return { node, fill };
}
