// What time it is at the server, and how long ago things were. A phone's clock may be wrong by hours: it is never
// read as a time of day, only for how much time has passed.

// Some phones stop the monotonic clock while they sleep: whichever clock has moved further is right.
export function stamp() {
  return { mono: performance.now(), wall: Date.now() };
}

export function msSince(then) {
  return Math.max(performance.now() - then.mono, Date.now() - then.wall, 0);
}

const SAMPLES = 8;
const ahead = []; // the server's clock less our monotonic one, as each message told it; the least delayed is largest

export function hearServerTime(utc) {
  const now = Date.parse(utc);
  if (Number.isNaN(now)) return;
  ahead.push(now - performance.now());
  if (ahead.length > SAMPLES) ahead.shift();
}

// Milliseconds UTC. Before the server has spoken there is only the device's own clock.
export function serverNow() {
  return ahead.length === 0 ? Date.now() : performance.now() + Math.max(...ahead);
}

const AHEAD_MS = 3000;

// Seconds a race has been on without its pauses, or null. It stops at the race's end, and where we last heard of it when that is long ago:
// the race may be over. A start that is still to come was told by a clock that is wrong, or plays a day in haste.
export function raceClock(race, now_ms, age_s, isStale) {
  const start = Date.parse(race.start ?? "");
  if (Number.isNaN(start) || race.state === "pending") return null;
  const end = race.state === "done" ? Date.parse(race.end ?? "") : now_ms - (isStale ? age_s * 1000 : 0);
  return Number.isNaN(end) || end < start - AHEAD_MS ? null : Math.max(0, (end - start) / 1000 - (race.paused_s ?? 0));
}
