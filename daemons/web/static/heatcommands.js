// Orders: what the house was told to do, how that stands, what can still be taken back; and what could not be done.

import { keyed } from "/static/keyed.js";
import { asked, refusalOf } from "/static/heatlogin.js";
import { actionText, asOperator, question, statusText, tell } from "/static/heatorder.js";
import { home, zoneName } from "/static/heatshown.js";
import { momentText } from "/static/heattime.js";
import { count, make, named, section, setAttribute, setText } from "/static/text.js";

const OPEN_ORDERS = ["QUEUED", "SENT", "UNKNOWN"];

export function openCommands(root, title) {
  setText(title, "Orders");
  document.title = "Orders";
  const list = make("ol", "orders");
  const none = make("p", "about", "Nobody has told the house anything yet.");
  const deadList = make("ol", "orders");
  const dead = section("Could not be done", make("p", "about", "What came and could not be applied. Try it again, or drop it."), deadList);
  root.append(none, list, dead);

  function draw() {
    const orders = new Map(home.commands.map((one) => [one.id, one]));
    const letters = new Map(home.dead.map((one) => [String(one.id), one]));
    none.hidden = orders.size > 0;
    dead.hidden = letters.size === 0;
    keyed(list, [...orders.keys()], beginOrder, (node, id) => fillOrder(node, orders.get(id)));
    keyed(deadList, [...letters.keys()], beginLetter, (node, id) => fillLetter(node, letters.get(id)));
  }

  return { draw };
}

async function deed(path, words) {
  try {
    const answer = await asked("/api/houses/" + encodeURIComponent(home.name) + path, { method: "POST", signal: AbortSignal.timeout(20000) });
    tell((await refusalOf(answer)) ?? words);
  } catch {
    tell("No answer from here at the moment.");
  }
}

function button(words, act) {
  const node = make("button", "", words);
  node.type = "button";
  node.addEventListener("click", act);
  return node;
}

function beginOrder(id) {
  const parts = { what: named("", "order-what"), state: make("span", "tag"), words: make("p", "order-words"), sub: make("p", "sub") };
  parts.withdraw = button("Take it back", () => asOperator(() => deed("/commands/" + encodeURIComponent(id) + "/withdraw", "Asked to take it back.")));
  const node = make("li", "order", make("p", "order-head", parts.what, parts.state), parts.words, parts.sub, parts.withdraw);
  node.parts = parts;
  return node;
}

function fillOrder(node, order) {
  const { what, state, words, sub, withdraw } = node.parts;
  const at = (utc) => momentText(utc, zoneName(), null);
  setText(what, actionText(order.action));
  setText(state, order.status);
  setAttribute(state, "class", "tag is-" + order.status.toLowerCase());
  setText(words, statusText(order));
  const tries = order.attempts?.length ?? 0;
  const about = ["by " + order.issuer, at(order.issued_at), tries > 0 ? "tried " + count(tries, "time") : "not tried yet"];
  if (OPEN_ORDERS.includes(order.status)) about.push("good until " + at(order.expires_at));
  setText(sub, about.join(" · "));
  withdraw.hidden = !OPEN_ORDERS.includes(order.status);
}

function beginLetter(id) {
  const parts = { what: named("", "order-what"), words: named("", "order-words"), sub: make("p", "sub") };
  const path = "/dead/" + encodeURIComponent(id);
  const again = button("Try again", () => asOperator(() => deed(path + "/requeue", "It is tried again.")));
  const drop = button("Drop …", () => asOperator(() => question("Drop it for good?", "Drop it", () => deed(path + "/drop", "It is dropped."))));
  const node = make("li", "order", parts.what, parts.words, parts.sub, make("p", "buttons start", again, drop));
  node.parts = parts;
  return node;
}

function fillLetter(node, letter) {
  setText(node.parts.what, letter.action ? actionText(letter.action) : (letter.type ?? "A message"));
  setText(node.parts.words, letter.words ?? "");
  setText(node.parts.sub, momentText(letter.at, zoneName(), null));
}
