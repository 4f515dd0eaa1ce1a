// A week as it is edited: entries {day, minute, celsius | is_on}, sorted, no two at the same time. Nothing here is drawn
// or sent; every function returns a new week.

export const DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
export const STEP_MIN = 15;
const DAY_MIN = 1440;

const byTime = (one, other) => one.day - other.day || one.minute - other.minute;

export function sortedWeek(week) {
  const times = new Map();
  for (const entry of week) times.set(entry.day * DAY_MIN + entry.minute, entry);
  return [...times.values()].sort(byTime);
}

// What a week of settings says, as it is edited.
export function fromSettings(week) {
  return sortedWeek((week ?? []).map(({ day, minute, target }) => ({ day, minute, ...wishOf(target) })));
}

function wishOf(target) {
  return target.celsius === null || target.celsius === undefined ? { is_on: target.is_on } : { celsius: target.celsius };
}

export function sameWeek(one, other) {
  const text = (week) => JSON.stringify(week.map(({ day, minute, celsius, is_on }) => [day, minute, celsius ?? null, is_on ?? null]));
  return text(one) === text(other);
}

// What holds at this minute of this day: the entry before it, over the end of the week; null when the week is empty.
export function holdsAt(week, day, minute) {
  if (week.length === 0) return null;
  const before = week.filter((entry) => entry.day < day || (entry.day === day && entry.minute <= minute));
  return before.length > 0 ? before[before.length - 1] : week[week.length - 1];
}

// The stretches of a day: [{from, to, entry}], entry null where the week says nothing.
export function stretches(week, day) {
  const own = week.filter((entry) => entry.day === day);
  const starts = [...new Set([0, ...own.map((entry) => entry.minute)])].sort((one, other) => one - other);
  return starts.map((from, number) => ({ from, to: starts[number + 1] ?? DAY_MIN, entry: holdsAt(week, day, from) }));
}

export function withEntry(week, entry) {
  return sortedWeek([...week, entry]);
}

export function withoutEntry(week, day, minute) {
  return week.filter((entry) => entry.day !== day || entry.minute !== minute);
}

// Moves an entry within its day, between its neighbours; returns [week, where it is now].
export function movedEntry(week, day, minute, to) {
  const own = week.filter((entry) => entry.day === day);
  const place = own.findIndex((entry) => entry.minute === minute);
  if (place < 0) return [week, minute];
  const lowest = place > 0 ? own[place - 1].minute + STEP_MIN : 0;
  const highest = place < own.length - 1 ? own[place + 1].minute - STEP_MIN : DAY_MIN - STEP_MIN;
  const snapped = Math.round(to / STEP_MIN) * STEP_MIN;
  const wanted = Math.min(Math.max(snapped, lowest), highest);
  if (lowest > highest || wanted === minute) return [week, minute];
  return [withEntry(withoutEntry(week, day, minute), { ...own[place], minute: wanted }), wanted];
}

export function changedEntry(week, day, minute, wish) {
  return week.map((entry) => (entry.day === day && entry.minute === minute ? { day, minute, ...wish } : entry));
}

// The days become what one of them is, from midnight on: what held over it too.
export function copiedDay(week, from, days) {
  const own = week.filter((entry) => entry.day === from);
  const first = holdsAt(week, from, 0);
  if (first !== null && (own.length === 0 || own[0].minute > 0)) own.unshift({ ...first, minute: 0 });
  const others = week.filter((entry) => !days.includes(entry.day) || entry.day === from);
  const copies = days.filter((day) => day !== from).flatMap((day) => own.map((entry) => ({ ...entry, day })));
  return sortedWeek([...others, ...copies]);
}
