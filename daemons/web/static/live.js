// The live page. Everything shown comes from the event stream at /events; text is only ever set as text.
//
// Three kinds of events: "sites" (which fields there are), "board" (the race, whole), "age" (how old the board is by
// the server's reckoning). The phone's own clock is never read as a time of day, only for how long ago an event came.
"use strict";

const SILENCE_MS = 20000; // the server speaks at least every 5 s: longer silence is a dead connection
const RETRY_MS = 1500;

const asked = new URLSearchParams(location.search).get("site");
const at = (id) => document.getElementById(id);

let stream = null;
let heardAt = stamp();
let isConnected = false;
let retryTimer = 0;
let age = null; // {age_s, stale_after_s, why} as it came, and when
let ageAt = stamp();
let hasBoard = false;
let lapsShown = new Map(); // pilot in race -> laps, to mark what is new

// Some phones stop the monotonic clock while they sleep: take whichever clock has moved further.
function stamp() {
  return { mono: performance.now(), wall: Date.now() };
}

function msSince(then) {
  return Math.max(performance.now() - then.mono, Date.now() - then.wall, 0);
}

// --- the stream ---

function connect() {
  clearTimeout(retryTimer);
  if (stream !== null) stream.close();
  heardAt = stamp();
  stream = new EventSource(asked ? "/events?site=" + encodeURIComponent(asked) : "/events");
  stream.addEventListener("sites", (event) => heard(() => showSites(JSON.parse(event.data))));
  stream.addEventListener("board", (event) => heard(() => showBoard(JSON.parse(event.data))));
  stream.addEventListener("age", (event) => heard(() => takeAge(JSON.parse(event.data))));
  stream.addEventListener("error", () => {
    isConnected = false;
    showAge();
    // The browser comes back by itself unless the server answered with an error: then it gives up, and we do not.
    if (stream.readyState === EventSource.CLOSED) retry();
  });
}

function retry() {
  clearTimeout(retryTimer);
  retryTimer = setTimeout(connect, RETRY_MS * (0.5 + Math.random())); // not all phones at once
}

function heard(act) {
  heardAt = stamp();
  isConnected = true;
  act();
}

function wake() {
  if (document.visibilityState === "visible" && msSince(heardAt) > SILENCE_MS / 2) connect();
}

// --- age ---

function takeAge(told) {
  age = told;
  ageAt = stamp();
  showAge();
}

function inWords(seconds) {
  if (seconds < 100) return Math.floor(seconds) + " s";
  const minutes = Math.floor(seconds / 60);
  if (minutes < 100) return minutes + " min";
  return Math.floor(minutes / 60) + " h";
}

function showAge() {
  const known = age !== null && age.age_s !== null;
  const seconds = known ? age.age_s + msSince(ageAt) / 1000 : 0;
  const isStale = known && seconds > age.stale_after_s;
  const why = !isConnected && age !== null ? "No connection. Trying again …" : (age && age.why) || "";
  let words = "";
  if (known) words = seconds < 2 ? "up to date" : inWords(seconds) + " old";
  if (why && !isStale) words = words ? why + " · " + words : why;
  setText(at("age"), words);
  document.body.classList.toggle("is-stale", isStale);
  at("stale").hidden = !isStale;
  if (isStale) {
    setText(at("stale-age"), inWords(seconds) + " old");
    setText(at("stale-why"), why || "Nothing new has come from the field.");
  }
}

// --- the board ---

function setText(node, text) {
  if (node.textContent !== text) node.textContent = text; // an unchanged text is not read out again
}

function make(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined && text !== null) node.textContent = text;
  return node;
}

function showSites(told) {
  const choose = told.site === null;
  at("sites").hidden = !choose || told.sites.length === 0;
  at("other-sites").hidden = choose || told.sites.length < 2;
  if (!choose) return;
  age = null;
  hasBoard = false;
  for (const id of ["race", "next", "previous"]) at(id).hidden = true;
  setText(at("event"), "");
  showAge();
  let headline = "Which field?";
  if (told.sites.length === 0) headline = "No field has connected yet";
  else if (asked) headline = "There is no field called “" + asked + "” here";
  setText(at("headline"), headline);
  at("sites-list").replaceChildren(...told.sites.map((name) => {
    const link = make("a", "", name);
    link.href = "/?site=" + encodeURIComponent(name);
    link.dir = "auto";
    const item = make("li");
    item.append(link);
    return item;
  }));
}

function showBoard(board) {
  at("sites").hidden = true;
  setText(at("event"), board.event ? board.event.name : "");
  setText(at("headline"), board.headline);
  document.body.classList.toggle("live", board.phase === "live");
  document.title = board.event ? board.headline + " · " + board.event.name : "Live race";
  const before = lapsShown;
  lapsShown = new Map();
  fill(at("race"), board.race, null, before);
  fill(at("next"), board.next, "Next: ", before);
  fill(at("previous"), board.previous, "Last: ", before);
  hasBoard = true;
}

function fill(section, race, title, before) {
  section.hidden = race === null;
  if (race === null) {
    section.replaceChildren();
    return;
  }
  const parts = [];
  if (title !== null) parts.push(make("h2", "", title + race.name));
  const about = aboutOf(race);
  if (about) parts.push(make("p", "about", about));
  parts.push(race.state === "pending" ? lineUp(race) : standings(race, before));
  section.replaceChildren(...parts);
}

function aboutOf(race) {
  const words = [];
  if (race.state !== "done" && race.type === "Race" && race.target_laps) words.push(race.target_laps + " laps");
  if (race.state === "done") words.push(race.official ? "Official result" : "Not official yet");
  if (race.results_from_memory) words.push("the timing program has withdrawn it; as last published");
  if (race.rows.length === 0) words.push("no pilots yet");
  return words.join(" · ");
}

function tableOf(caption, headings, rows) {
  const table = make("table");
  table.append(make("caption", "", caption));
  const head = make("tr");
  for (const [text, className] of headings) {
    const cell = make("th", className, text);
    cell.scope = "col";
    head.append(cell);
  }
  const body = make("tbody");
  body.append(...rows);
  const top = make("thead");
  top.append(head);
  table.append(top, body);
  return table;
}

function pilotCell(row) {
  const cell = make("th", "pilot");
  cell.scope = "row";
  const name = make("bdi", "", row.pilot);
  cell.append(name, channelOf(row));
  return cell;
}

function channelOf(row) {
  const channel = make("span", "channel");
  const swatch = make("span", "swatch");
  if (row.colour) swatch.style.backgroundColor = row.colour;
  channel.append(swatch, make("bdi", "", row.channel || "no channel"));
  if (row.mhz) channel.title = row.mhz + " MHz";
  return channel;
}

function lineUp(race) {
  const rows = race.rows.map((row) => {
    const line = make("tr");
    line.append(pilotCell(row), make("td", "", row.mhz ? row.mhz + " MHz" : ""));
    return line;
  });
  return tableOf("Line-up of " + race.name, [["Pilot and channel", "pilot"], ["Frequency", ""]], rows);
}

function seconds(value) {
  if (value === null) return "–";
  if (value < 60) return value.toFixed(2);
  const minutes = Math.floor(value / 60);
  return minutes + ":" + (value - 60 * minutes).toFixed(2).padStart(5, "0");
}

function standings(race, before) {
  const target = race.type === "Race" && race.target_laps ? "/" + race.target_laps : "";
  const rows = race.rows.map((row) => {
    const line = make("tr");
    const key = race.id + row.id;
    lapsShown.set(key, row.lap_times.length);
    if (hasBoard && before.has(key) && before.get(key) < row.lap_times.length) line.className = "fresh";
    const place = row.dnf ? "DNF" : row.position === null ? "–" : String(row.position);
    const pilot = pilotCell(row);
    if (row.lap_times.length > 0) {
      pilot.append(make("span", "laps-flown", row.lap_times.slice(-5).map(seconds).join("  ")));
    }
    const laps = make("td", "", row.laps + target);
    if (row.over_target > 0) laps.append(" ", make("span", "over", "+" + row.over_target));
    line.append(
      make("td", row.dnf ? "place dnf" : "place", place),
      pilot,
      laps,
      make("td", "", seconds(row.last)),
      make("td", "", seconds(row.best)),
    );
    return line;
  });
  const headings = [["Pos", "place"], ["Pilot", "pilot"], ["Laps", ""], ["Last", ""], ["Best", ""]];
  return tableOf(race.name, headings, rows);
}

document.addEventListener("visibilitychange", wake);
window.addEventListener("pageshow", wake);
window.addEventListener("online", connect);
setInterval(() => {
  showAge();
  if (msSince(heardAt) > SILENCE_MS) {
    isConnected = false;
    connect();
  }
}, 500);
connect();
