// What is shown: the team's drivers and what is heard of them, where all rooms find it.

import { msSince, stamp } from "/static/clock.js";
import { asked } from "/static/heatlogin.js";
import { newSeen, newServerClock } from "/static/telclock.js";
import { newFeed } from "/static/telring.js";
import { TRACE_NAMES, TRACE_SECONDS } from "/static/teltraces.js";

export const FEED_NAMES = [...TRACE_NAMES, "position", "lap"];

export const team = {
  me: null,
  isConnected: false, // to the server that these pages are from
  heardAt: stamp(),
  clock: newServerClock(),
  seen: newSeen(), // ms from the car to the screen, of every chunk
  drivers: new Map(), // by name: {state, feed, entries}
  shapes: new Map(), // by track
  told: null, // mono ms of the last states, for ages while the clock is not known
};

export function driverOf(name) {
  let one = team.drivers.get(name);
  if (one === undefined) {
    one = { name, state: null, entries: new Map(), feed: newFeed(FEED_NAMES, TRACE_SECONDS + 5) };
    team.drivers.set(name, one);
  }
  return one;
}

// The server's time, ms; before its clock is known, what it said last and the time since.
export function teamNow() {
  const known = team.clock.now(performance.now());
  if (known !== null) return known;
  return team.told === null ? null : team.told.server_ms + (performance.now() - team.told.mono_ms);
}

export const silence_s = () => msSince(team.heardAt) / 1000;

// How old a driver's newest value is, in ms, growing by itself; null: there is none.
export function ageOfDriver(one) {
  const now = teamNow();
  return now === null || one.state === null || one.state.taken === null ? null : Math.max(0, now - one.state.taken);
}

const LIVE_MS = 2000;

// Whether what is shown of a driver is now: the server says so, we hear the server, and it is not old since.
// While the driver's clock is not known, what was heard a moment ago is live, and has no age.
export function isLive(one) {
  const now = teamNow();
  if (!team.isConnected || now === null || one.state === null || !one.state.connected) return false;
  const newest = one.state.taken ?? one.state.heard;
  return newest !== null && now - newest < LIVE_MS;
}

// A PC that does not drive is told neither fuel nor tyres: what it told last is kept, with its age.
export function hearState(state) {
  const one = driverOf(state.driver);
  const before = one.state;
  if (before !== null && before.car === state.car && before.number === state.number) {
    state.fuel ??= before.fuel;
    state.tyres ??= before.tyres;
  }
  if (before !== null && before.recording === state.recording && before.taken > state.taken) state.taken = before.taken; // a chunk was quicker
  one.state = state;
}

// Why a driver is not live, in words.
export function whyNot(one) {
  if (!team.isConnected) return "No connection to the server of this page";
  if (one.state === null) return "Nothing was heard yet";
  if (!one.state.connected) return one.state.why || "Not there";
  if (one.state.heard === null) return one.state.why || "The simulator does not run";
  return one.state.why || "Nothing comes from the simulator";
}

export async function telemetryJson(path) {
  const answer = await asked("/api/telemetry" + path, { cache: "no-cache", signal: AbortSignal.timeout(20000) });
  if (!answer.ok) throw new Error((await answer.json().catch(() => ({}))).words ?? "It was answered " + answer.status + ".");
  return answer.json();
}
