// Having something done: the order is sent, and what becomes of it is told below until it is decided.

import { asked, isSignedIn, openSignIn, refusalOf } from "/static/heatlogin.js";
import { home, mayChange, titleOf, wishText, zoneName } from "/static/heatshown.js";
import { momentText } from "/static/heattime.js";
import { make, setText } from "/static/text.js";

const DECIDED = ["DONE", "FAILED", "EXPIRED"];
const STATES_OF_ORDERS = {
  QUEUED: "waits for the house",
  SENT: "the house has it",
  UNKNOWN: "nothing was heard of it",
  DONE: "done",
  FAILED: "not done",
  EXPIRED: "too late, not done",
};
const SPAN_CHOICES = [["", "as is usual"], ["30", "30 seconds"], ["3600", "an hour"], ["86400", "a day"], ["604800", "a week"]];
const OWN_MS = 10000;
const followed = new Map(); // orders of this page that are not decided, and what they change
const changedAt = new Map(); // when this page last changed something itself
const told = document.getElementById("told");
let tellTimer = 0;

export function tell(words) {
  setText(told, words);
  clearTimeout(tellTimer);
  tellTimer = setTimeout(() => setText(told, ""), 8000);
}

export function statusText(order) {
  const words = STATES_OF_ORDERS[order.status] ?? order.status;
  return order.words ? words + ": " + order.words : words;
}

export function actionText(action) {
  const zone = action.zone === "*" ? "Every room" : action.zone ? titleOf(action.zone) : "";
  const wish = wishText({ celsius: action.celsius ?? null, is_on: action.is_on ?? null });
  switch (action.do) {
    case "heat.override":
      if (action.end === "until") return zone + " to " + wish + " until " + momentText(action.until, zoneName(), null);
      return zone + " to " + wish + (action.end === "permanent" ? " for good" : " until its week changes");
    case "heat.resume": return zone + " back to its week";
    case "heat.mode":
      if (action.mode === "manual") return zone + " by hand" + (wish === "nothing" ? "" : ": " + wish);
      return zone + (action.mode === "auto" ? " by its week" : " by its wall thermostat");
    case "heat.week": return "The week of " + zone;
    case "heat.preset": return "The preset “" + action.name + "”";
    case "heat.use_preset": return action.name ? "Everything by “" + action.name + "”" : "Every zone by its own week";
    case "heat.switch": return action.is_on ? "Heating on" : "Heating off";
    case "heat.unlock": return "Reset the lock-out of " + titleOf(action.what);
    default: return action.do ?? "?";
  }
}

const changes = (action) => action.zone ?? action.what ?? "the house";

// Is what would be another version than the one shown this page's own doing? Then it is no other's change.
function isOwn(what) {
  return [...followed.values()].includes(what) || performance.now() - (changedAt.get(what) ?? -OWN_MS) < OWN_MS;
}

// Sends an order; true when it was taken. What it was decided against is the version of the settings that is shown.
export async function order(action, { lifetime_s = null, against = home.house?.settings?.version ?? 0 } = {}) {
  const what = changes(action);
  const value = { house: home.name, action, against: isOwn(what) ? 0 : against };
  if (lifetime_s !== null) value.lifetime_s = lifetime_s;
  tell(actionText(action) + ": being sent …");
  try {
    const options = { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(value), signal: AbortSignal.timeout(20000) };
    const answer = await asked("/api/commands", options);
    const refused = await refusalOf(answer);
    if (refused !== null) {
      tell(actionText(action) + ": " + refused);
      return false;
    }
    const taken = await answer.json();
    tell(actionText(action) + ": " + statusText(taken));
    changedAt.set(what, performance.now());
    if (!DECIDED.includes(taken.status)) followed.set(taken.id, what);
    return taken.status !== "FAILED";
  } catch {
    tell(actionText(action) + ": no answer; look under Orders whether it was taken");
    return false;
  }
}

// The orders as they stand now: those of this page that are decided are told.
export function followOrders(orders) {
  for (const one of orders) {
    if (!followed.has(one.id) || !DECIDED.includes(one.status)) continue;
    changedAt.set(followed.get(one.id), performance.now());
    followed.delete(one.id);
    tell(actionText(one.action) + ": " + statusText(one));
  }
}

// Does `act()` when somebody is signed in who may; asks first else.
export function asOperator(act) {
  if (mayChange()) return act();
  if (isSignedIn() && home.me !== null) return tell(home.me.name + " may look at this house, and not change it.");
  return openSignIn(document.getElementById("asking"), () => window.dispatchEvent(new Event("signed-in")));
}

// How long the house is tried for, where orders wait in a queue; null at the boiler itself.
export function spanField() {
  if (home.house?.here) return null;
  const select = make("select");
  for (const [value, words] of SPAN_CHOICES) {
    const option = make("option", "", words);
    option.value = value;
    select.append(option);
  }
  const label = make("label", "field", "If the house does not answer, try for", select);
  label.span = () => (select.value === "" ? null : Number(select.value));
  return label;
}

// A question before something that cannot be taken back.
export function question(words, yes, act) {
  const dialog = document.getElementById("asking");
  const heading = make("h2", "", words);
  heading.id = "asking-title";
  const go = make("button", "main", yes);
  const no = make("button", "", "No");
  for (const button of [go, no]) button.type = "button";
  go.addEventListener("click", () => {
    dialog.close();
    act();
  });
  no.addEventListener("click", () => dialog.close());
  dialog.setAttribute("aria-labelledby", "asking-title");
  dialog.replaceChildren(heading, make("p", "buttons", go, no));
  dialog.showModal();
  no.focus();
}
