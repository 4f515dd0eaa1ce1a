// What is shown: the tree and its age, where all pages find them, and the addresses between the pages.

import { hearServerTime, msSince, stamp } from "/static/clock.js";

const STALE_AFTER_S = 45; // until the server has said

export const asked = new URLSearchParams(location.search).get("site") || null;

export const shown = {
  tree: null,
  isConnected: false,
  why: "", // what is wrong, if anything
  age_s: null, // when it was told
  toldAt: stamp(),
  staleAfter_s: STALE_AFTER_S,
};

export function takeAge(told) {
  if (told.now) hearServerTime(told.now);
  shown.age_s = told.age_s ?? null;
  shown.toldAt = stamp();
  shown.staleAfter_s = told.stale_after_s ?? STALE_AFTER_S;
  shown.why = told.why ?? "";
}

// Seconds, growing by themselves; null while nothing is known.
export function ageNow() {
  return shown.age_s === null ? null : shown.age_s + msSince(shown.toldAt) / 1000;
}

export function isStale() {
  const age_s = ageNow();
  return age_s !== null && age_s > shown.staleAfter_s;
}

// The address of a page of ours, on the site that is shown.
export function address(path, params = {}) {
  const query = new URLSearchParams(params);
  if (asked !== null) query.set("site", asked);
  const text = query.toString();
  return text ? path + "?" + text : path;
}

export function zone() {
  return shown.tree?.event?.time_zone;
}
