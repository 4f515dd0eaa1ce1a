// What a graph is made of, before anything is drawn: where lines break, what the scales are, what was when.

import { dateText, dayStart, localParts, minutesText } from "/static/heattime.js";

const HOURLY_S = 2 * 86400;
const DAILY_S = 15 * 86400;
const MONTHLY_S = 100 * 86400;

// The stretches of a curve without a gap: [first, last] of indices where `values` are known and no step is missing.
export function pieces(at, values, step_s) {
  const found = [];
  let first = -1;
  for (let i = 0; i <= at.length; i++) {
    const isKnown = i < at.length && values[i] !== null;
    const follows = first >= 0 && isKnown && at[i] - at[i - 1] <= 1.5 * step_s;
    if (first >= 0 && !follows) {
      found.push([first, i - 1]);
      first = -1;
    }
    if (isKnown && first < 0) first = i;
  }
  return found;
}

// Whole steps around all that is known: {low, high, step}. Of nothing: room temperatures.
export function scaleOf(lists) {
  let low = Infinity;
  let high = -Infinity;
  for (const list of lists) {
    for (const value of list) {
      if (value === null || value === undefined) continue;
      if (value < low) low = value;
      if (value > high) high = value;
    }
  }
  if (low > high) [low, high] = [15, 25];
  const step = [1, 2, 5, 10, 20, 50, 100].find((one) => (high - low) / one <= 7) ?? 200;
  low = Math.floor(low / step) * step;
  high = Math.ceil(high / step) * step;
  return high > low ? { low, high, step } : { low: low - step, high: high + step, step };
}

// The marks of the time axis: [[instant, words]].
export function ticksOf(from, to, zone) {
  const marks = [];
  const span_s = to - from;
  if (span_s <= HOURLY_S) {
    for (let at = dayStart(from, zone); at <= to; at += 3600) {
      const { hour, minute } = localParts(at, zone);
      if (at >= from && hour % 6 === 0) marks.push([at, minutesText(hour * 60 + minute)]);
    }
    return marks;
  }
  for (let at = dayStart(from, zone); at <= to; at = dayStart(at + 3600, zone, 1)) {
    const { day } = localParts(at, zone);
    const isMark = span_s <= DAILY_S ? true : span_s <= MONTHLY_S ? (day - 1) % 5 === 0 && day < 31 : day === 1;
    if (at >= from && isMark) marks.push([at, span_s <= MONTHLY_S ? dateText(at, zone) : dateText(at, zone).slice(2)]);
  }
  return marks;
}

// The index of the step that an instant is in or next to; -1 of none.
export function indexAt(at, step_s, instant) {
  if (at.length === 0) return -1;
  let low = 0;
  let high = at.length - 1;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (at[middle] <= instant) low = middle;
    else high = middle - 1;
  }
  if (low + 1 < at.length && at[low + 1] - instant < instant - at[low] - step_s) return low + 1;
  return low;
}

// Which span is asked for: {from, to}, whole local days; `back`: so many of the same before.
export function spanOf(kind, now_s, zone, back) {
  const days = { day: 1, week: 7, month: 30, year: 365 }[kind];
  return { from: dayStart(now_s, zone, 1 - days * (back + 1)), to: dayStart(now_s, zone, 1 - days * back) };
}
