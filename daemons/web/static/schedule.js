// Schedule: every race of the day in the order it is run, by round.

import { serverNow } from "/static/clock.js";
import { whenText } from "/static/flight.js";
import { keyed } from "/static/keyed.js";
import { seat, shownRows } from "/static/racetable.js";
import { address, zone } from "/static/shown.js";
import { linkTo, make, named, setAttribute, setText, timeText } from "/static/text.js";

const STATES = { live: "live", done: "done", pending: "" };

export function openSchedule(root, title) {
  const note = make("p", "about");
  const rounds = make("div", "rounds");
  root.append(note, rounds);
  setText(title, "Schedule");
  let wasFound = false;

  function draw(tree, changes) {
    const races = tree.races ?? {};
    const order = (tree.order ?? []).filter((id) => races[id] !== undefined);
    setText(note, order.length === 0 ? "No races yet." : zoneNote());
    const byRound = new Map();
    for (const id of order) {
      const round = races[id].round ?? "";
      if (!byRound.has(round)) byRound.set(round, []);
      byRound.get(round).push(id);
    }
    const next = tree.now.phase === "pending" ? tree.now.race : tree.now.next?.[0];
    const isTouched = (id) => changes.touch("now", "order") || changes.races.has(id);
    keyed(rounds, byRound.keys(), beginRound, (node, round) => {
      const ids = byRound.get(round);
      const done = ids.filter((id) => races[id].state === "done").length;
      setText(node.parts.name, tree.rounds?.[round]?.name ?? "Races");
      setText(node.parts.done, done === ids.length ? "all flown" : done + " of " + ids.length + " flown");
      if (node.isNew) node.open = done < ids.length;
      node.isNew = false;
      keyed(node.parts.list, ids, beginRace, (line, id) => fillRace(line, races[id], id === next), isTouched);
    });
    if (!wasFound) wasFound = find(rounds);
  }

  return { draw };
}

// A long day is opened where it stands.
function find(rounds) {
  const here = rounds.querySelector(".next[aria-current]") ?? rounds.querySelector(".tag.pending:not([hidden])")?.closest(".next");
  if (here && here.getBoundingClientRect().bottom > window.innerHeight - 80) here.scrollIntoView({ block: "center" });
  return Boolean(here);
}

function zoneNote() {
  const here = Intl.DateTimeFormat().resolvedOptions().timeZone;
  return zone() && zone() !== here ? "Times are those of the field: " + zone().replaceAll("_", " ") + "." : "";
}

function beginRound() {
  const name = named("");
  const done = make("span", "sub");
  const list = make("ol", "races");
  const node = make("details", "round", make("summary", "", make("h2", "", name), done), list);
  node.parts = { name, done, list };
  node.isNew = true;
  return node;
}

function beginRace() {
  const name = named("");
  const parts = { name, link: linkTo("", "plain", name), when: make("span", "when"), state: make("span", "tag"), pilots: make("p", "lineup") };
  const node = make("li", "next", make("div", "next-head", parts.link, parts.state, parts.when), parts.pilots);
  node.parts = parts;
  return node;
}

function fillRace(node, race, isNext) {
  const { name, link, when, state, pilots } = node.parts;
  setText(name, race.name);
  setAttribute(link, "href", address("/race", { id: race.id }));
  const words = isNext ? "next" : STATES[race.state];
  setText(state, words);
  state.hidden = words === "";
  setAttribute(state, "class", "tag " + (isNext ? "pending" : race.state));
  setAttribute(node, "aria-current", race.state === "live" ? "true" : null);
  setText(when, race.start ? timeText(race.start, zone(), serverNow()) : race.expected ? whenText(race.expected) : "");
  pilots.replaceChildren(...shownRows(race).map((id) => seat(race.rows[id])));
}
