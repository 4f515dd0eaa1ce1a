// Events: what happened, newest first, each with its cause.

import { asked } from "/static/heatlogin.js";
import { degrees, getJson, home, houseNow, titleOf, zoneName } from "/static/heatshown.js";
import { momentText } from "/static/heattime.js";
import { durationText } from "/static/heatunits.js";
import { make, named, setText } from "/static/text.js";

const AT_ONCE = 100;
const KIND_WORDS = { ON: "on", OFF: "off", ALARM: "alarm", CLEAR: "over", CHANGE: "changed", START: "started" };

export function openEvents(root, title) {
  setText(title, "Events");
  document.title = "Events";
  const source = make("select");
  const kind = make("select");
  for (const [value, words] of [["", "all kinds"], ...Object.entries(KIND_WORDS)]) kind.append(option(value, words));
  const again = make("button", "", "Look again");
  const older = make("button", "", "Older");
  for (const button of [again, older]) button.type = "button";
  const list = make("ol", "events");
  const words = make("p", "about");
  words.setAttribute("role", "status");
  root.append(make("div", "tools", make("label", "field", "Of", source), make("label", "field", "Kind", kind), again), words, list, make("p", "", older));
  older.hidden = true;
  let next = null;
  let turn = 0;

  async function ask(before) {
    const mine = ++turn;
    const query = new URLSearchParams({ limit: AT_ONCE });
    if (source.value) query.set("source", source.value);
    if (kind.value) query.set("kind", kind.value);
    if (before) query.set("before", before);
    try {
      const told = await getJson(asked, "/events?" + query);
      if (mine !== turn) return;
      const rows = told.events.map(row);
      if (before) list.append(...rows);
      else list.replaceChildren(...rows);
      next = told.next;
      older.hidden = next === null;
      setText(words, list.children.length === 0 ? "Nothing of this is known." : "");
    } catch (error) {
      if (mine === turn) setText(words, error.message || "No answer.");
    }
  }

  source.append(option("", "the whole house"));
  for (const select of [source, kind]) select.addEventListener("change", () => ask(null));
  again.addEventListener("click", () => ask(null));
  older.addEventListener("click", () => ask(next));
  let filled = false;

  return {
    draw() {
      if (filled) return;
      filled = true;
      for (const id of [...home.house.zones.map((zone) => zone.id), "burner", "pump", "boiler", "house"]) source.append(option(id, titleOf(id)));
      ask(null);
    },
  };
}

function option(value, words) {
  const node = make("option", "", words);
  node.value = value;
  return node;
}

function row(event) {
  const when = make("time", "", momentText(event.at, zoneName(), houseNow()));
  const kind = make("span", "tag " + event.kind.toLowerCase(), KIND_WORDS[event.kind] ?? event.kind);
  const facts = [];
  if (event.ran_s !== null) facts.push("after " + durationText(event.ran_s));
  if (event.celsius !== null) facts.push(degrees(event.celsius));
  if (event.supply !== null) facts.push("pipe " + degrees(event.supply));
  if (event.outdoor !== null) facts.push("outdoors " + degrees(event.outdoor));
  return make("li", "event", when, named(titleOf(event.source), "event-of"), kind, named(event.cause, "event-cause"), make("span", "sub", facts.join(" · ")));
}
