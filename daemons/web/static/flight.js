// When does a pilot fly? In words, the same on every page.

import { serverNow } from "/static/clock.js";
import { dot, pilotLink } from "/static/racetable.js";
import { zone } from "/static/shown.js";
import { count, make, setText, spreadText, timeText } from "/static/text.js";

// "about 14:05 ± 3 min"; what was expected for a time gone by is due.
export function whenText(expected) {
  const now_ms = serverNow();
  if (Date.parse(expected.at) < now_ms) return "any moment";
  return ["about", timeText(expected.at, zone(), now_ms), spreadText(expected.spread_s ?? 0)].filter(Boolean).join(" ");
}

export function untilText(next, tree) {
  const race = tree.races?.[next.race];
  if (race?.state === "live") return "flying now";
  if (next.races_until === 0) return "in the next race";
  if (next.races_until === 1) return tree.now.phase === "live" ? "after this race" : "after the next race";
  return "in " + count(next.races_until, "race");
}

// A list's line about a pilot who is followed or listed: who, when, where.
export function flightLine(id) {
  const node = make("li", "flight");
  const until = make("span", "until");
  const when = make("span", "when");
  const where = make("span", "where");
  const head = make("span", "who");
  node.append(head, until, when, where);
  node.fill = (pilot, tree) => {
    const { next } = pilot;
    if (head.textContent !== pilot.name || head.firstChild === null) head.replaceChildren(pilotLink(id, pilot.name, "plain"));
    setText(until, next ? untilText(next, tree) : "no more races");
    setText(when, next?.expected ? whenText(next.expected) : "");
    where.hidden = !next;
    if (next) where.replaceChildren(...whereNodes(next, tree.races?.[next.race]));
  };
  return node;
}

function whereNodes(next, race) {
  const changed = next.channel_changed && race?.state !== "live" ? make("strong", "changed", "new channel") : null;
  return [dot(next.colour), make("span", "", next.channel ?? "no channel yet"), changed].filter(Boolean);
}
