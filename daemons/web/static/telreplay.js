// A session again, as it was: the widgets of live, with pause, seek and speed.

import { followStream } from "/static/follow.js";
import { FEED_NAMES, team, teamNow, telemetryJson } from "/static/telshown.js";
import { newFeed } from "/static/telring.js";
import { openStage } from "/static/telstage.js";
import { make, setAttribute, setText } from "/static/text.js";
import { TRACE_SECONDS } from "/static/teltraces.js";
import { dayTime } from "/static/telwords.js";

const REPLAY_SPEEDS = [0.25, 0.5, 1, 2, 4, 8, 16];
const STEP_MS = 5000;

export function openReplay(root, title, query) {
  setText(title, "Replay");
  document.title = "Replay";
  const id = query.get("session") ?? "";
  const words = make("p", "about");
  words.setAttribute("role", "status");
  const play = make("button", "main", "Play");
  play.type = "button";
  const pace = make("select");
  for (const one of REPLAY_SPEEDS) {
    const option = make("option", "", one + "×");
    option.value = String(one);
    option.selected = one === 1;
    pace.append(option);
  }
  const slider = make("input", "seek");
  slider.type = "range";
  slider.step = "100";
  slider.setAttribute("aria-label", "When");
  const time = make("output", "seek-time");
  const tools = make("div", "tools replay-tools", play, make("label", "field", "Speed", pace), make("div", "seek-box", slider, time));
  root.append(words, tools);
  const cars = new Map(); // by driver
  const entries = new Map(); // of the session, by index
  let session = null;
  let stage = null;
  let stream = null;
  let at_ms = null;
  let driving = null;
  let isSliding = false;
  let isAsked = false;

  function oneOf(name) {
    if (!cars.has(name)) {
      const state = { name, number: "", car: session.car, track: session.track, session: session.kind, degree_words: "", waiting: null, loss: null, lost: 0, clock_error_s: null, place: null, car_index: session.car_index, lap_estimate_s: session.lap_estimate_s, driving: false };
      cars.set(name, { name, state, entries, feed: newFeed(FEED_NAMES, TRACE_SECONDS + 5) });
    }
    return cars.get(name);
  }

  function factsOf(one) {
    const isNow = one.name === driving;
    const newest = one.feed.lastTick;
    const soon = stream === null || newest === null ? newest : Math.min(one.feed.clock.now(performance.now()) ?? newest, newest + one.feed.rate * speed());
    return { isLive: isNow, age_ms: null, why: "Not driving then", note: isNow ? (stream === null ? "Paused" : "Replay") : "", tick: isNow ? soon : null };
  }

  const speed = () => Number(pace.value);

  function start() {
    stop();
    if (session === null) return;
    if (session.ended !== null && at_ms >= session.ended - 200) at_ms = session.started;
    setText(words, "");
    for (const one of cars.values()) one.feed.clear();
    const path = "/api/telemetry/sessions/" + encodeURIComponent(id) + "/replay?";
    stream = followStream(() => path + new URLSearchParams({ channels: FEED_NAMES.join(","), from: String(at_ms), speed: pace.value }), {
      chunk(told) {
        driving = told.driver;
        oneOf(told.driver).feed.take(told, performance.now(), speed());
        if (told.at !== null) at_ms = told.at;
        if (!isSliding) slider.value = String(at_ms);
        showTime(isSliding ? Number(slider.value) : at_ms);
      },
      track(told) {
        team.shapes.set(told.track, told);
      },
      entries(told) {
        for (const car of told.cars) entries.set(car.index, car);
      },
      end(told) {
        stop();
        setText(words, "This is " + told.words + ".");
      },
      lost() {
        setText(words, "No connection. Trying again …");
      },
      refused(status) {
        stop();
        setText(words, status === 404 ? "There is no such session here." : "You may not look at this session.");
      },
    });
    setText(play, "Pause");
  }

  function stop() {
    stream?.close();
    stream = null;
    setText(play, "Play");
    stage?.refresh();
  }

  function showTime(instant_ms) {
    const text = dayTime(instant_ms);
    setText(time, text);
    setAttribute(slider, "aria-valuetext", text);
  }

  function seek(instant_ms) {
    at_ms = Math.min(Math.max(instant_ms, Number(slider.min)), Number(slider.max));
    slider.value = String(at_ms);
    showTime(at_ms);
    if (stream !== null) start();
  }

  play.addEventListener("click", () => (stream === null ? start() : stop()));
  pace.addEventListener("change", () => stream !== null && start());
  slider.addEventListener("input", () => {
    isSliding = true;
    showTime(Number(slider.value));
  });
  slider.addEventListener("change", () => {
    isSliding = false;
    seek(Number(slider.value));
  });
  slider.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -STEP_MS, ArrowRight: STEP_MS, PageDown: -12 * STEP_MS, PageUp: 12 * STEP_MS }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    seek(at_ms + by);
  });

  async function ask() {
    try {
      session = await telemetryJson("/sessions/" + encodeURIComponent(id));
    } catch (error) {
      setText(words, error.message || "No answer.");
      return;
    }
    setText(title, "Replay · " + session.kind + " · " + session.track);
    document.title = "Replay · " + session.track;
    slider.min = String(session.started);
    slider.max = String(session.ended ?? teamNow() ?? Date.now());
    for (const name of session.drivers) oneOf(name);
    if (session.gaps.length > 0) root.insertBefore(make("p", "sub", "Not here: " + session.gaps.map((gap) => dayTime(gap.started) + " – " + dayTime(gap.ended)).join(", ")), tools.nextSibling);
    stage = openStage(root, { ones: () => [...cars.values()], factsOf, watched: () => cars.get(driving) ?? null });
    const from = Number(query.get("from"));
    seek(Number.isFinite(from) && from > 0 ? from : session.started);
    start();
  }

  return {
    draw() {
      if (isAsked) return;
      isAsked = true;
      ask();
    },
    close() {
      stream?.close();
      stream = null;
      stage?.close();
    },
  };
}
