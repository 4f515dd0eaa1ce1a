// What goes over a video picture: a lower third or a leaderboard, by the address; live by the pages' own stream.

import { raceClock, serverNow } from "/static/clock.js";
import { keyed } from "/static/keyed.js";
import { openLink } from "/static/link.js";
import { bestOf, channelText, gapText, isByTime, paint, placeText, shownRows } from "/static/racetable.js";
import { ageNow, asked, isStale, shown, takeAge } from "/static/shown.js";
import { ageText, clockText, lapTime, make, named, setText } from "/static/text.js";

const at = (id) => document.getElementById(id);
document.body.className = location.pathname.split("/").pop();

function beginPlate() {
  const node = make("li");
  const parts = { bar: make("span", "bar"), place: make("span", "place"), name: named("", "name"), big: make("span", "big"), sub: make("span", "sub") };
  node.append(parts.bar, parts.place, parts.name, make("span", "figure", parts.big, parts.sub));
  node.parts = parts;
  return node;
}

function fillPlate(node, race, row, leader) {
  const { bar, place, name, big, sub } = node.parts;
  paint(bar, row.colour);
  setText(place, race.state === "pending" ? "" : placeText(row));
  place.hidden = race.state === "pending";
  setText(name, row.pilot);
  const [large, small] = figuresOf(race, row, leader);
  setText(big, large);
  setText(sub, small);
}

function figuresOf(race, row, leader) {
  if (race.state === "pending") return [channelText(row), row.mhz ? row.mhz + " MHz" : ""];
  if (isByTime(race)) return [lapTime(bestOf(race, row)), gapText(race, row, leader)];
  const target = race.type === "Race" && race.target_laps ? "/" + race.target_laps : "";
  return [row.laps + target, gapText(race, row, leader) || (row.last === undefined ? "" : lapTime(row.last))];
}

function draw() {
  const race = shown.tree?.races?.[shown.tree.now.race];
  at("overlay").hidden = race === undefined;
  if (race === undefined) return;
  setText(at("name"), race.state === "pending" ? "Next: " + race.name : race.name);
  const ranking = shownRows(race);
  keyed(at("rows"), ranking, beginPlate, (node, id) => fillPlate(node, race, race.rows[id], race.rows[ranking[0]]));
  tick();
}

function tick() {
  const race = shown.tree?.races?.[shown.tree.now.race];
  const age_s = ageNow();
  at("old").hidden = !isStale();
  if (isStale()) setText(at("old"), "Old data: " + ageText(age_s));
  const length_s = race === undefined ? null : raceClock(race, serverNow(), age_s ?? 0, isStale());
  setText(at("clock"), length_s === null ? "" : clockText(length_s));
  at("clock").classList.toggle("stopped", isStale());
}

function showTree(tree) {
  shown.tree = tree;
  draw();
}

openLink(asked, null, {
  sites(told) {
    if (told.site === null) showTree(null);
  },
  tree: showTree,
  patch: showTree,
  age: takeAge,
  lost() {},
});
setInterval(tick, 250);
