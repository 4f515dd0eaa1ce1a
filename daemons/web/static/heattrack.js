// The week as seven tracks: stretches of what holds, and a handle at every change, moved by finger, mouse or keys.

import { keyed } from "/static/keyed.js";
import { DAYS, movedEntry, STEP_MIN, stretches } from "/static/heatweek.js";
import { minutesText } from "/static/heattime.js";
import { make, setAttribute, setText } from "/static/text.js";

const DAY_MINUTES = 1440;
const KEY_STEPS = { ArrowLeft: -STEP_MIN, ArrowRight: STEP_MIN, PageUp: -60, PageDown: 60 };
const LOW_C = 10;
const HIGH_C = 24;

// `hear`: move(week, day, minute), choose(day, minute), add(day, minute), remove(day, minute), warmer(day, minute, direction),
// edit(); `wishOf(entry)` says what an entry is in words.
export function openTracks(hear, wishOf) {
  const node = make("div", "tracks");
  const rows = DAYS.map((name, day) => {
    const track = make("div", "track");
    track.addEventListener("click", (event) => {
      if (event.target.closest("[role=slider]")) return;
      hear.add(day, minuteAt(track, event.clientX));
    });
    const row = make("div", "track-row", make("span", "track-day", name.slice(0, 3)), track);
    row.track = track;
    return row;
  });
  const hours = make("div", "track-hours");
  hours.setAttribute("aria-hidden", "true");
  for (const hour of [0, 6, 12, 18, 24]) hours.append(make("span", "", String(hour)));
  node.append(...rows, hours);
  let week = [];
  let chosen = null;
  let dragged = null;

  function draw(newWeek, newChosen) {
    week = newWeek;
    chosen = newChosen;
    rows.forEach(({ track }, day) => drawDay(track, day));
  }

  function drawDay(track, day) {
    const parts = stretches(week, day);
    const own = week.filter((entry) => entry.day === day);
    const keys = [...parts.map((_, number) => "s" + number), ...own.map((_, number) => "h" + number)];
    const begin = (key) => (key[0] === "s" ? make("div", "stretch") : beginHandle(day, track));
    keyed(track, keys, begin, (found, key) => {
      const number = Number(key.slice(1));
      if (key[0] === "s") fillStretch(found, parts[number]);
      else fillHandle(found, own[number]);
    });
  }

  function fillStretch(found, { from, to, entry }) {
    setText(found, entry === null ? "" : wishOf(entry, true));
    found.style.left = share(from);
    found.style.width = share(to - from);
    const warmth = entry === null ? 0 : entry.celsius === undefined ? (entry.is_on ? 1 : 0) : (entry.celsius - LOW_C) / (HIGH_C - LOW_C);
    found.style.setProperty("--warmth", Math.round(Math.min(Math.max(warmth, 0), 1) * 100) + "%");
    found.classList.toggle("says-nothing", entry === null);
  }

  function beginHandle(day, track) {
    const found = make("div", "handle");
    found.tabIndex = 0;
    found.setAttribute("role", "slider");
    found.setAttribute("aria-valuemin", "0");
    found.setAttribute("aria-valuemax", String(DAY_MINUTES - STEP_MIN));
    const move = (to) => {
      const [moved, now] = movedEntry(week, day, found.minute, to);
      if (now !== found.minute) hear.move(moved, day, now);
    };
    found.addEventListener("focus", () => hear.choose(day, found.minute));
    found.addEventListener("keydown", (event) => {
      const step = KEY_STEPS[event.key];
      if (step !== undefined) move(found.minute + step);
      else if (event.key === "ArrowUp" || event.key === "ArrowDown") hear.warmer(day, found.minute, event.key === "ArrowUp" ? 1 : -1);
      else if (event.key === "Delete" || event.key === "Backspace") hear.remove(day, found.minute);
      else if (event.key === "Enter") hear.edit();
      else return;
      event.preventDefault();
    });
    found.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      found.setPointerCapture(event.pointerId);
      dragged = { found, by: event.clientX - track.getBoundingClientRect().left - (found.minute / DAY_MINUTES) * track.getBoundingClientRect().width };
      found.focus();
      event.preventDefault();
    });
    found.addEventListener("pointermove", (event) => {
      if (dragged?.found === found) move(minuteAt(track, event.clientX - dragged.by));
    });
    for (const end of ["pointerup", "pointercancel"]) found.addEventListener(end, () => (dragged = null));
    return found;
  }

  function fillHandle(found, entry) {
    found.minute = entry.minute;
    found.style.left = share(entry.minute);
    const words = DAYS[entry.day] + " from " + minutesText(entry.minute) + ": " + wishOf(entry);
    setAttribute(found, "aria-label", "Change on " + DAYS[entry.day]);
    setAttribute(found, "aria-valuenow", String(entry.minute));
    setAttribute(found, "aria-valuetext", words);
    found.title = words;
    found.classList.toggle("is-chosen", chosen !== null && chosen.day === entry.day && chosen.minute === entry.minute);
  }

  return {
    node,
    draw,
    focus(day, minute) {
      const own = week.filter((entry) => entry.day === day);
      const place = own.findIndex((entry) => entry.minute === minute);
      const handles = rows[day].track.querySelectorAll(".handle");
      handles[place]?.focus({ preventScroll: true });
    },
  };
}

const share = (minutes) => (minutes / DAY_MINUTES) * 100 + "%";

function minuteAt(track, x) {
  const { left, width } = track.getBoundingClientRect();
  const minute = Math.round((((x - left) / width) * DAY_MINUTES) / STEP_MIN) * STEP_MIN;
  return Math.min(Math.max(minute, 0), DAY_MINUTES - STEP_MIN);
}
