// The house: alarms, the boiler, and every zone with its temperature, what it is to be, why, and how old that is.

import { keyed } from "/static/keyed.js";
import { asOperator, order, question, tell } from "/static/heatorder.js";
import { ageOf, degrees, home, houseNow, isOffline, oldText, titleOf, wishText, zoneName, zonePlan, zoneState } from "/static/heatshown.js";
import { momentText } from "/static/heattime.js";
import { durationText } from "/static/heatunits.js";
import { openZone } from "/static/heatzone.js";
import { make, named, section, setAttribute, setText } from "/static/text.js";

const RESET_BY_HAND = ["welded", "stuck", "cycling"]; // what is held against a zone until somebody has looked
const MODES = { auto: "by its week", manual: "by hand", thermostat: "by its wall thermostat" };

export function openHouse(root, title) {
  const alarmList = make("ul", "alarms");
  const alarms = section("Alarms", alarmList);
  alarms.setAttribute("role", "region");
  alarms.setAttribute("aria-label", "Alarms");
  const boiler = openBoiler();
  const zoneList = make("ul", "zones");
  const zones = section("Zones", zoneList);
  root.append(alarms, boiler.node, zones);

  function draw() {
    setText(title, home.house.title);
    document.title = home.house.title;
    const { state } = home;
    alarms.hidden = !state || state.alarms.length === 0;
    if (state) keyed(alarmList, state.alarms.map((one) => one.code + " " + one.of), beginAlarm, (node, key) => fillAlarm(node, state.alarms.find((one) => one.code + " " + one.of === key)));
    boiler.fill();
    keyed(zoneList, home.house.zones.map((zone) => zone.id), beginZone, (node, id) => fillZone(node, id));
    tick();
  }

  function tick() {
    for (const node of zoneList.children) tickZone(node);
    boiler.tick();
  }

  return { draw, tick };
}

function openBoiler() {
  const word = make("p", "boiler-word");
  const cause = make("p", "about");
  const figures = make("dl", "boiler-figures");
  const cells = new Map();
  const figure = (name) => {
    const value = make("dd");
    const row = make("div", "", make("dt", "", name), value);
    figures.append(row);
    cells.set(name, { row, value });
  };
  for (const name of ["Outdoors", "Flow", "Return", "Flow to be", "Pump", "Starts today"]) figure(name);
  const locked = make("p", "warning");
  const unlock = make("button", "", "Reset the lock-out …");
  const power = make("button");
  for (const button of [unlock, power]) button.type = "button";
  unlock.addEventListener("click", () => asOperator(() => question("Reset the lock-out? Only if somebody has looked at the boiler.", "Reset it", () => order({ do: "heat.unlock", what: "boiler" }))));
  power.addEventListener("click", () => asOperator(() => {
    const isOn = !home.house.settings.is_on;
    const words = isOn ? "Heating on: rooms follow their weeks again." : "Heating off? Then nothing but frost duty and hot water.";
    question(words, isOn ? "Heating on" : "Heating off", () => order({ do: "heat.switch", is_on: isOn }));
  }));
  const node = make("section", "boiler", make("h2", "unseen", "Boiler"), word, cause, figures, locked, make("p", "buttons start", unlock, power));

  function fill() {
    const { state } = home;
    const known = state?.boiler;
    node.classList.toggle("is-burning", known?.is_burning === true);
    setText(cause, known?.cause ?? "");
    const plan = home.house.boiler;
    show("Flow", plan?.has_flow, degrees(known?.flow));
    show("Return", plan?.has_return, degrees(known?.back));
    show("Flow to be", known?.target !== null && known?.target !== undefined, degrees(known?.target));
    show("Pump", plan?.has_pump, known ? (known.pump_on ? "on" : "off") : "–");
    show("Starts today", Boolean(known), String(known?.starts ?? "–"));
    locked.hidden = unlock.hidden = !known?.locked_out;
    if (known?.locked_out) setText(locked, "Locked out: " + known.locked_out);
    setText(power, home.house.settings?.is_on === false ? "Heating on …" : "Heating off …");
    power.hidden = home.house.settings === null;
  }

  function show(name, isThere, text) {
    const { row, value } = cells.get(name);
    row.hidden = !isThere;
    if (value.firstChild?.nodeType !== 3 || value.firstChild.data !== text) value.replaceChildren(text);
  }

  function tick() {
    const known = home.state?.boiler;
    const state = known ? capital(known.state) + (known.is_burning === null ? " (not known whether it burns)" : "") : "Not known";
    setText(word, known && isOffline() ? state + ", when last heard of" : state);
    const { row, value } = cells.get("Outdoors");
    row.hidden = !home.house?.has_outdoor;
    const age_s = ageOf(home.state?.outdoor_read_at);
    const text = degrees(home.state?.outdoor);
    if (value.children.length === 0) value.replaceChildren(make("span", "", text), make("span", "sub"));
    setText(value.firstChild, text);
    setText(value.lastChild, oldText(age_s));
  }

  return { node, fill, tick };
}

const capital = (text) => text.slice(0, 1).toUpperCase() + text.slice(1);

function beginAlarm() {
  const parts = { kind: make("span", "alarm-kind"), words: named(""), since: make("span", "sub"), reset: make("button", "", "Reset it …") };
  parts.reset.type = "button";
  const node = make("li", "", parts.kind, parts.words, parts.since, parts.reset);
  parts.reset.addEventListener("click", () => asOperator(() => {
    const words = "Reset “" + titleOf(node.of) + "”? Only if somebody has looked at its valve and its relay.";
    question(words, "Reset it", () => order({ do: "heat.unlock", what: node.of }));
  }));
  node.parts = parts;
  return node;
}

function fillAlarm(node, alarm) {
  setAttribute(node, "class", "alarm " + (alarm.severity === "safety" ? "safety" : "warn"));
  setText(node.parts.kind, alarm.severity === "safety" ? "DANGER" : "Warning");
  setText(node.parts.words, alarm.words);
  node.of = alarm.of;
  node.parts.reset.hidden = !(RESET_BY_HAND.includes(alarm.code) && zonePlan(alarm.of) !== null);
  setText(node.parts.since, titleOf(alarm.of) + ", since " + momentText(alarm.since, zoneName(), houseNow()));
}

function beginZone(id) {
  const name = named("");
  const parts = {
    name,
    heat: make("span", "heat-tag"),
    now: make("span", "zone-now"),
    to: make("span", "zone-to"),
    cause: make("p", "zone-cause"),
    over: make("p", "zone-over"),
    sub: make("p", "sub"),
    change: make("button", "zone-change", "Change"),
  };
  parts.change.type = "button";
  parts.change.addEventListener("click", () => asOperator(() => openZone(id, tell)));
  const head = make("div", "zone-head", make("h3", "", name), parts.heat);
  const node = make("li", "zone", head, make("p", "zone-figures", parts.now, parts.to), parts.cause, parts.over, parts.sub, parts.change);
  node.parts = parts;
  node.zone = id;
  return node;
}

function fillZone(node, id) {
  const { name, now, to, cause, over, change } = node.parts;
  const plan = zonePlan(id);
  const state = zoneState(id);
  const isWater = plan.kind === "dhw";
  setText(name, plan.title);
  change.setAttribute("aria-label", "Change " + plan.title);
  node.classList.toggle("is-on", state?.is_on === true);
  node.classList.toggle("is-faulty", Boolean(state) && !["good", "none"].includes(state.sense));
  const figure = isWater ? null : (state?.celsius ?? null);
  setText(now, isWater && state ? "hot water " + wishText(state.target) : figure === null && state?.fault ? "no temperature" : degrees(figure));
  now.classList.toggle("no-figure", figure === null && !isWater);
  now.classList.toggle("is-wish", isWater);
  setText(to, isWater || !state || state.target === null ? "" : "to " + wishText(state.target));
  setText(cause, state?.cause ?? "Nothing is known of it.");
  setText(over, !state ? "" : overText(state));
}

// Who drives it, and until when.
function overText(state) {
  const now = houseNow();
  const zone = zoneName();
  const next = state.next_at === null ? "" : "; next " + wishText(state.next_target) + " at " + momentText(state.next_at, zone, now);
  if (state.override !== null) {
    const { end, ends_at, by } = state.override;
    const until = end === "permanent" ? "for good" : ends_at !== null ? "until " + momentText(ends_at, zone, now) : "until its week changes";
    return "Overridden " + until + " by " + by;
  }
  return capital(MODES[state.mode] ?? state.mode) + (state.mode === "auto" ? next : "");
}

function tickZone(node) {
  const state = zoneState(node.zone);
  const plan = zonePlan(node.zone);
  if (!state || !plan) return setText(node.parts.sub, "");
  const now = houseNow();
  const parts = [];
  if (plan.has_room) parts.push(state.celsius === null && state.read_at !== null ? "last read " + oldText(ageOf(state.read_at)).replace(" old", " ago") : oldText(ageOf(state.read_at)));
  if (plan.has_supply) parts.push("pipe " + degrees(state.supply));
  if (state.since !== null && now !== null) parts.push((state.is_on ? "on" : "off") + " for " + durationText(Math.max(0, now - state.since)));
  if (state.call === true) parts.push("thermostat calls");
  setText(node.parts.heat, (isOffline() ? "was " : "") + (state.is_on ? "heating" : "off"));
  node.classList.toggle("is-old", isOffline());
  return setText(node.parts.sub, parts.join(" · "));
}
