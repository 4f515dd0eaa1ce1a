// One zone, to be changed: what it is to be and until when, who drives it.

import { order, spanField } from "/static/heatorder.js";
import { degrees, home, houseNow, zoneName, zonePlan, zoneState } from "/static/heatshown.js";
import { fieldInstant, localField, momentText } from "/static/heattime.js";
import { degreesText, fieldText, stepOf, stepped, toCelsius } from "/static/heatunits.js";
import { make, named, setText } from "/static/text.js";

const HOUR_S = 3600;

export function openZone(id) {
  const dialog = document.getElementById("asking");
  const plan = zonePlan(id);
  const state = zoneState(id);
  const isWater = plan.kind === "dhw";
  const heading = make("h2", "", named(plan.title));
  heading.id = "asking-title";
  const wish = isWater ? waterField(state) : targetField(plan, state);
  const end = endField(state);
  const span = spanField();
  const wrong = make("p", "warning");
  wrong.hidden = true;
  wrong.setAttribute("role", "alert");
  const set = make("button", "main", "Set");
  const form = make("form", "form", heading, wish.node, end.node, ...(span ? [span] : []), wrong, make("p", "buttons start", set));
  const more = make("div", "form zone-more");
  const options = () => ({ lifetime_s: span?.span() ?? null });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const found = wish.read();
    const until = end.read();
    const refused = found.wrong ?? until.wrong;
    wrong.hidden = refused === undefined;
    if (refused !== undefined) return setText(wrong, refused);
    dialog.close();
    return order({ do: "heat.override", zone: id, ...found.wish, ...until.end }, options());
  });
  if (state?.override) more.append(deed("Back to its week", () => order({ do: "heat.resume", zone: id }, options())));
  for (const [mode, words] of modesOf(plan)) {
    const button = deed(words, () => {
      const found = mode === "manual" ? wish.read() : { wish: {} };
      if (found.wrong === undefined) order({ do: "heat.mode", zone: id, mode, ...found.wish }, options());
    });
    button.setAttribute("aria-pressed", String(state?.mode === mode));
    more.append(button);
  }
  more.append(deed("Close", () => {}));
  dialog.setAttribute("aria-labelledby", "asking-title");
  dialog.replaceChildren(form, more);
  dialog.showModal();
  wish.focus();

  function deed(words, act) {
    const button = make("button", "", words);
    button.type = "button";
    button.addEventListener("click", () => {
      dialog.close();
      act();
    });
    return button;
  }
}

function modesOf(plan) {
  const modes = [["auto", "By its week"], ["manual", "By hand, at this"]];
  return plan.has_thermostat ? [...modes, ["thermostat", "By its wall thermostat"]] : modes;
}

// A temperature between a step down and a step up; arrow keys step too.
export function targetField(plan, state, celsius = state?.target?.celsius ?? state?.celsius ?? 20) {
  const input = make("input", "target");
  input.type = "text";
  input.inputMode = "decimal";
  input.value = fieldText(celsius, home.isF);
  input.setAttribute("aria-label", "Temperature in " + (home.isF ? "°F" : "°C"));
  const bounds = degrees(plan.lowest) + " to " + degrees(plan.highest);
  const step = (direction) => {
    const now = toCelsius(input.value, home.isF);
    const from = Number.isNaN(now) ? celsius : now;
    input.value = fieldText(stepped(from, direction, home.isF, plan.lowest, plan.highest), home.isF);
    input.dispatchEvent(new Event("change"));
  };
  const button = (sign, direction, words) => {
    const found = make("button", "step", sign);
    found.type = "button";
    found.setAttribute("aria-label", stepOf(home.isF) + "° " + words);
    found.addEventListener("click", () => step(direction));
    return found;
  };
  input.addEventListener("keydown", (event) => {
    if (event.key !== "ArrowUp" && event.key !== "ArrowDown") return;
    event.preventDefault();
    step(event.key === "ArrowUp" ? 1 : -1);
  });
  const node = make("div", "stepper", button("−", -1, "colder"), input, button("+", 1, "warmer"), make("span", "sub", bounds));
  return {
    node,
    input,
    focus: () => input.select(),
    read() {
      const value = toCelsius(input.value, home.isF);
      if (Number.isNaN(value)) return { wrong: "Type a temperature." };
      if (value < plan.lowest - 0.01 || value > plan.highest + 0.01) return { wrong: "It takes " + bounds + ", not " + degreesText(value, home.isF) + "." };
      return { wish: { celsius: Math.min(Math.max(value, plan.lowest), plan.highest) } };
    },
  };
}

function waterField(state) {
  const choices = choice("water", "Hot water", [["on", "On"], ["off", "Off"]], state?.target?.is_on === false ? "off" : "on");
  return { node: choices.node, focus: choices.focus, read: () => ({ wish: { is_on: choices.value() === "on" } }) };
}

function endField(state) {
  const now = houseNow();
  const zone = zoneName();
  const first = make("input");
  first.type = "datetime-local";
  first.setAttribute("aria-label", "Until, in the time of the house");
  if (now !== null) first.value = localField(now + 3 * HOUR_S, zone);
  const next = state?.next_at ? " (" + momentText(state.next_at, zone, now) + ")" : "";
  const choices = choice("end", "For how long", [["boundary", "Until its week changes" + next], ["until", "Until"], ["permanent", "For good"]], "boundary");
  choices.labels.get("until").append(first);
  first.addEventListener("input", () => choices.choose("until"));
  return {
    node: choices.node,
    read() {
      const end = choices.value();
      if (end !== "until") return { end: { end } };
      const until = fieldInstant(first.value, zone);
      if (Number.isNaN(until)) return { wrong: "Say until when." };
      if (now !== null && until <= houseNow()) return { wrong: "That is past in the house already." };
      return { end: { end, until } };
    },
  };
}

function choice(name, legend, options, chosen) {
  const labels = new Map();
  const inputs = new Map();
  for (const [value, words] of options) {
    const input = make("input");
    input.type = "radio";
    input.name = name;
    input.value = value;
    input.checked = value === chosen;
    inputs.set(value, input);
    labels.set(value, make("label", "", input, make("span", "", words)));
  }
  const node = make("fieldset", "choice", make("legend", "", legend), ...labels.values());
  return {
    node,
    labels,
    focus: () => inputs.get(chosen).focus(),
    choose: (value) => (inputs.get(value).checked = true),
    value: () => [...inputs].find(([, input]) => input.checked)[0],
  };
}
