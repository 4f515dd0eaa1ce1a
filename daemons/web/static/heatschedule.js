// The week of a zone, to be edited: a draft on this device until it is saved. Days and zones are copied, presets kept and used.

import { asOperator, order, question, spanField, tell } from "/static/heatorder.js";
import { degrees, home, houseNow, wishText, zoneName, zonePlan } from "/static/heatshown.js";
import { fieldInstant, minutesText } from "/static/heattime.js";
import { openTracks } from "/static/heattrack.js";
import { fieldText, stepped } from "/static/heatunits.js";
import { changedEntry, copiedDay, DAYS, fromSettings, holdsAt, sameWeek, STEP_MIN, withEntry, withoutEntry } from "/static/heatweek.js";
import { targetField } from "/static/heatzone.js";
import { make, section, setText } from "/static/text.js";

const NEW_C = 20;

export function openWeek(root, title) {
  setText(title, "Week");
  document.title = "Week";
  const zoneSelect = make("select");
  const whichSelect = make("select");
  const tracks = openTracks({ move: moved, choose, add, remove, warmer, edit: () => time.focus() }, (entry, isShort) => {
    if (entry.celsius === undefined) return entry.is_on ? "on" : "off";
    return isShort ? fieldText(entry.celsius, home.isF) + "°" : degrees(entry.celsius);
  });
  const time = make("input");
  time.type = "time";
  time.step = STEP_MIN * 60;
  const chosenTitle = make("p", "entry-day");
  const wishPlace = make("div");
  const panel = make("fieldset", "entry-panel", make("legend", "unseen", "The chosen change"), chosenTitle, make("label", "field", "From", time), wishPlace, action("Remove it", () => chosen && remove(chosen.day, chosen.minute)));
  const state = make("p", "about");
  state.setAttribute("role", "status");
  const save = action("Save", () => asOperator(saveDraft), "main");
  const undo = action("Undo changes", () => load(true));
  const addButton = action("Add a change", () => addFree());
  root.append(
    make("div", "tools", make("label", "field", "Zone", zoneSelect), make("label", "field", "Which", whichSelect)),
    make("p", "about", "Tap a day to add a change there; drag a handle, or use the arrow keys: left and right move it, up and down make it warmer or colder, Delete removes it."),
    tracks.node, panel, make("p", "buttons start", addButton, save, undo), state,
  );
  const dayCopy = openDayCopy((from, days) => edit(copiedDay(draft.week, from, days)));
  const zoneCopy = openZoneCopy(() => draft);
  const presets = openPresets(() => draft);
  root.append(dayCopy.node, zoneCopy.node, presets.node);

  let draft = null; // {zone, preset, week, saved, version}
  let chosen = null;
  zoneSelect.addEventListener("change", () => load(true));
  whichSelect.addEventListener("change", () => load(true));
  time.addEventListener("change", () => {
    const found = /^(\d\d):(\d\d)$/.exec(time.value);
    if (found === null || chosen === null) return;
    const to = Math.round((Number(found[1]) * 60 + Number(found[2])) / STEP_MIN) * STEP_MIN;
    const entry = entryOf(chosen.day, chosen.minute);
    if (!entry || to >= 1440 || entryOf(chosen.day, to)) return fillPanel();
    chosen = { day: chosen.day, minute: to };
    return edit(withEntry(withoutEntry(draft.week, entry.day, entry.minute), { ...entry, minute: to }));
  });

  const entryOf = (day, minute) => draft.week.find((entry) => entry.day === day && entry.minute === minute);

  function load(isForced) {
    const zone = zoneSelect.value;
    const preset = whichSelect.value;
    const { settings } = home.house;
    if (settings === null || !zone) return;
    const stored = preset === "" ? settings.zones[zone]?.week : settings.presets[preset]?.[zone];
    const week = fromSettings(stored);
    const isDirty = draft !== null && !sameWeek(draft.week, draft.saved);
    if (!isForced && isDirty && draft.zone === zone && draft.preset === preset) {
      if (!sameWeek(week, draft.saved)) setText(state, sameWeek(week, draft.week) ? "Saved." : "Somebody else has changed this week: undo to see it. Yours would be refused.");
      if (sameWeek(week, draft.week)) draft = { ...draft, saved: week, version: settings.version };
      show();
      return;
    }
    draft = { zone, preset, week, saved: week, version: settings.version };
    if (isForced || chosen === null || !entryOf(chosen.day, chosen.minute)) chosen = null;
    show();
  }

  function edit(week) {
    draft = { ...draft, week };
    show();
  }

  function show() {
    tracks.draw(draft.week, chosen);
    const isDirty = !sameWeek(draft.week, draft.saved);
    save.disabled = undo.disabled = !isDirty;
    if (isDirty) setText(state, "Not saved yet.");
    else if (state.textContent === "Not saved yet.") setText(state, "");
    fillPanel();
    dayCopy.choose(chosen?.day ?? 0);
  }

  function fillPanel() {
    const entry = chosen && entryOf(chosen.day, chosen.minute);
    panel.hidden = !entry;
    if (!entry) return;
    setText(chosenTitle, DAYS[entry.day]);
    if (document.activeElement !== time) time.value = minutesText(entry.minute);
    const kind = entry.celsius === undefined ? "water" : "room";
    if (wishPlace.kind !== kind || wishPlace.zone !== draft.zone || wishPlace.isF !== home.isF) {
      wishPlace.replaceChildren(kind === "room" ? roomWish() : waterWish());
      Object.assign(wishPlace, { kind, zone: draft.zone, isF: home.isF });
    }
    wishPlace.fill(entry);
  }

  function roomWish() {
    const field = targetField(zonePlan(draft.zone), null, NEW_C);
    const take = () => {
      const found = field.read();
      if (found.wrong) tell(found.wrong);
      else if (chosen) edit(changedEntry(draft.week, chosen.day, chosen.minute, found.wish));
    };
    field.input.addEventListener("change", take);
    wishPlace.fill = (entry) => {
      if (document.activeElement !== field.input || field.read().wish?.celsius !== entry.celsius) field.input.value = fieldText(entry.celsius, home.isF);
    };
    return field.node;
  }

  function waterWish() {
    const button = action("", () => chosen && warmer(chosen.day, chosen.minute, 1));
    wishPlace.fill = (entry) => setText(button, "Hot water " + wishText(entry) + ": switch");
    return button;
  }

  function choose(day, minute) {
    if (chosen?.day === day && chosen.minute === minute) return;
    chosen = { day, minute };
    show();
  }

  function moved(week, day, minute) {
    chosen = { day, minute };
    edit(week);
  }

  function add(day, minute) {
    if (!entryOf(day, minute)) {
      const isWater = zonePlan(draft.zone).kind === "dhw";
      const holds = holdsAt(draft.week, day, minute) ?? (isWater ? { is_on: true } : { celsius: NEW_C });
      edit(withEntry(draft.week, { ...holds, day, minute }));
    }
    chosen = { day, minute };
    show();
    tracks.focus(day, minute);
  }

  // At noon of the chosen day, or the next quarter of an hour that is free.
  function addFree() {
    const day = chosen?.day ?? 0;
    for (let step = 0; step < 1440; step += STEP_MIN) {
      const minute = (720 + step) % 1440;
      if (!entryOf(day, minute)) return add(day, minute);
    }
    return undefined;
  }

  function remove(day, minute) {
    chosen = null;
    edit(withoutEntry(draft.week, day, minute));
    const rest = draft.week.find((entry) => entry.day === day);
    if (rest) tracks.focus(day, rest.minute);
    else addButton.focus();
  }

  function warmer(day, minute, direction) {
    const entry = entryOf(day, minute);
    const plan = zonePlan(draft.zone);
    const wish = entry.celsius === undefined ? { is_on: !entry.is_on } : { celsius: stepped(entry.celsius, direction, home.isF, plan.lowest, plan.highest) };
    edit(changedEntry(draft.week, day, minute, wish));
  }

  async function saveDraft() {
    const { zone, preset, week, version } = draft;
    const action_ = preset === "" ? { do: "heat.week", zone, entries: week } : { do: "heat.preset", name: preset, weeks: { ...presetWeeks(preset), [zone]: week } };
    if (await order(action_, { against: version })) setText(state, "Sent. It is saved when the house has it.");
  }

  function draw() {
    fillSelect(zoneSelect, home.house.zones.map((zone) => [zone.id, zone.title]));
    const names = Object.keys(home.house.settings?.presets ?? {});
    fillSelect(whichSelect, [["", "its own week"], ...names.map((name) => [name, "preset “" + name + "”"])]);
    zoneCopy.fill();
    presets.fill();
    load(false);
  }

  return { draw };
}

function presetWeeks(name) {
  return Object.fromEntries(Object.entries(home.house.settings.presets[name] ?? {}).map(([zone, week]) => [zone, fromSettings(week)]));
}

function action(words, act, className = "") {
  const button = make("button", className, words);
  button.type = "button";
  button.addEventListener("click", act);
  return button;
}

function fillSelect(select, options) {
  const key = JSON.stringify(options);
  if (select.key === key) return;
  select.key = key;
  const before = select.value;
  select.replaceChildren(...options.map(([value, words]) => {
    const option = make("option", "", words);
    option.value = value;
    return option;
  }));
  if (options.some(([value]) => value === before)) select.value = before;
}

function boxes(legend, options) {
  const inputs = options.map(([value, words]) => {
    const input = make("input");
    input.type = "checkbox";
    input.value = value;
    return [input, make("label", "", input, make("span", "", words))];
  });
  const node = make("fieldset", "boxes", make("legend", "", legend), ...inputs.map(([, label]) => label));
  return { node, chosen: () => inputs.filter(([input]) => input.checked).map(([input]) => input.value) };
}

function openDayCopy(copy) {
  const from = make("select");
  fillSelect(from, DAYS.map((name, day) => [String(day), name]));
  const to = boxes("To", DAYS.map((name, day) => [String(day), name.slice(0, 3)]));
  const node = make("details", "more-tools", make("summary", "", "Copy a day"), make("label", "field", "From", from), to.node, action("Copy the day", () => copy(Number(from.value), to.chosen().map(Number))));
  return { node, choose: (day) => (from.value = String(day)) };
}

function openZoneCopy(draftNow) {
  const place = make("div");
  let to = null;
  let key = "";
  const copy = action("Copy this week to them …", () => asOperator(() => {
    const { week, zone, version } = draftNow();
    const zones = to.chosen().filter((id) => id !== zone);
    if (zones.length === 0) return tell("Choose zones first.");
    return question("Give " + zones.map((id) => zonePlan(id).title).join(", ") + " this week?", "Copy it", async () => {
      for (const id of zones) if (!(await order({ do: "heat.week", zone: id, entries: week }, { against: version }))) return;
      tell("Sent to " + zones.length + " zones.");
    });
  }));
  const node = make("details", "more-tools", make("summary", "", "Copy to other zones"), place, copy);
  return {
    node,
    fill() {
      const rooms = home.house.zones.filter((zone) => zone.kind !== "dhw").map((zone) => [zone.id, zone.title]);
      if (key === JSON.stringify(rooms)) return;
      key = JSON.stringify(rooms);
      to = boxes("Rooms", rooms);
      place.replaceChildren(to.node);
    },
  };
}

function openPresets(draftNow) {
  const which = make("select");
  const until = make("input");
  until.type = "datetime-local";
  const span = make("div");
  const name = make("input");
  name.maxLength = 60;
  const use = action("Use it", () => asOperator(() => {
    const at = until.value === "" ? null : fieldInstant(until.value, zoneName());
    if (at !== null && at <= houseNow()) return tell("That is past in the house already.");
    return order({ do: "heat.use_preset", name: which.value, until: which.value === "" ? null : at }, { lifetime_s: span.firstChild?.span() ?? null });
  }));
  const keep = action("Keep all weeks under this name", () => asOperator(() => {
    if (name.value.trim() === "") return tell("Give it a name first.");
    const weeks = Object.fromEntries(home.house.zones.map((zone) => [zone.id, fromSettings(home.house.settings.zones[zone.id]?.week)]).filter(([, week]) => week.length > 0));
    const { zone, preset, week } = draftNow();
    if (preset === "" && week.length > 0) weeks[zone] = week;
    return order({ do: "heat.preset", name: name.value.trim(), weeks });
  }));
  const forget = action("Forget it …", () => asOperator(() => {
    if (which.value === "") return tell("Choose a preset first.");
    return question("Forget the preset “" + which.value + "”?", "Forget it", () => order({ do: "heat.preset", name: which.value, weeks: {} }));
  }));
  const now = make("p", "about");
  const node = section("Presets", now, make("div", "tools", make("label", "field", "Everything by", which), make("label", "field", "Until (empty: until changed)", until)), span, make("p", "buttons start", use, forget), make("div", "tools", make("label", "field", "Name", name)), make("p", "buttons start", keep));
  return {
    node,
    fill() {
      const { settings } = home.house;
      fillSelect(which, [["", "their own weeks"], ...Object.keys(settings?.presets ?? {}).map((one) => [one, one])]);
      if (span.firstChild === null && !home.house.here) span.append(spanField());
      setText(now, settings?.preset ? "Now everything goes by “" + settings.preset + "”." : "Now every zone goes by its own week.");
    },
  };
}
