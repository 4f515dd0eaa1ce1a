// What is shown: a house, its state and its age, where all pages find them; and who may change it.

import { msSince, stamp } from "/static/clock.js";
import { degreesText } from "/static/heatunits.js";
import { ageText } from "/static/text.js";

const UNITS_KEY = "pitlink.heat.units";

export const home = {
  asked: new URLSearchParams(location.search).get("house") || null,
  name: null, // of the house that is shown
  house: null, // what is wished: plan and settings
  state: null, // what is
  commands: [],
  dead: [],
  age: null, // as it was told last
  toldAt: stamp(),
  isConnected: false, // to the server that these pages are from
  me: null,
  isF: readUnits(),
};

function readUnits() {
  try {
    return localStorage.getItem(UNITS_KEY) === "F";
  } catch {
    return false;
  }
}

export function setUnits(isF) {
  home.isF = isF;
  try {
    localStorage.setItem(UNITS_KEY, isF ? "F" : "C");
  } catch {
    // it holds for as long as this page
  }
}

export function hearAge(told) {
  home.age = told;
  home.toldAt = stamp();
  home.isConnected = true;
}

const sinceTold = () => msSince(home.toldAt) / 1000;

// Real seconds since the state was true, growing by themselves; null: not known.
export function stateAge() {
  return home.age === null || home.age.age_s === null ? null : home.age.age_s + sinceTold();
}

// The house's own UTC; null: not known.
export function houseNow() {
  return home.age === null || home.age.house_now === null ? null : home.age.house_now + sinceTold() * home.age.speed;
}

// For how long, in the house's seconds, what was read then is all that is known.
export function ageOf(read_at) {
  const age_s = stateAge();
  if (read_at === null || read_at === undefined || age_s === null || home.state === null) return null;
  return Math.max(0, home.state.at - read_at) + age_s * home.age.speed;
}

export function isOffline() {
  if (home.age === null) return false; // nothing was heard yet
  const age_s = stateAge();
  return age_s === null || age_s > home.age.stale_after_s || (home.isConnected && home.age.offline);
}

export function whyOffline() {
  if (!home.isConnected) return "No answer from the server of this page. Trying again …";
  if (home.age === null || home.age.age_s === null) return "Nothing was ever heard of this house.";
  const why = home.age.standing?.why;
  return why ? "No word from the house: " + why + "." : "No word from the house.";
}

export const zoneName = () => home.house?.time_zone ?? "UTC";

export function degrees(celsius) {
  return degreesText(celsius, home.isF);
}

export function oldText(age_s) {
  return age_s === null ? "never read" : ageText(age_s) + " old";
}

export function mayChange() {
  return home.me !== null && home.me.commands.includes(home.name);
}

export function zonePlan(id) {
  return home.house?.zones.find((zone) => zone.id === id) ?? null;
}

export function zoneState(id) {
  return home.state?.zones.find((zone) => zone.id === id) ?? null;
}

export function titleOf(id) {
  const titles = { burner: "Burner", pump: "Pump", boiler: "Boiler", house: "House", outdoor: "Outdoors" };
  return zonePlan(id)?.title ?? titles[id] ?? id;
}

// What a zone is to be, in words.
export function wishText(target) {
  if (target === null || target === undefined) return "nothing";
  if (target.celsius !== null && target.celsius !== undefined) return degrees(target.celsius);
  return target.is_on ? "on" : "off";
}

// The address of a page of ours, on the house that is shown.
export function heatAddress(path) {
  return home.asked === null ? path : path + "?" + new URLSearchParams({ house: home.asked });
}

export async function getJson(askedFor, path) {
  const answer = await askedFor("/api/houses/" + encodeURIComponent(home.name) + path, { cache: "no-cache", signal: AbortSignal.timeout(20000) });
  if (!answer.ok) throw new Error((await answer.json().catch(() => ({}))).words ?? "It was answered " + answer.status + ".");
  return answer.json();
}
