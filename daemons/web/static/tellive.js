// The team as it drives: every driver, the map, gaps, fuel and tyres of the team's cars.

import { followStream } from "/static/follow.js";
import { keyed } from "/static/keyed.js";
import { FEED_NAMES, ageOfDriver, driverOf, hearState, isLive, silence_s, team, teamNow, whyNot } from "/static/telshown.js";
import { openStage } from "/static/telstage.js";
import { carsOfTeam, openTeamCar } from "/static/telteam.js";
import { make, section, setAttribute, setText } from "/static/text.js";
import { stamp } from "/static/clock.js";
import { TRACE_SECONDS } from "/static/teltraces.js";

const PING_MS = 4000;
const FIRST_PINGS = 4;
const SEEN_A_CHUNK = 6;

// Follows all drivers. `changed()` is called when there is something new; `refused()` when we are not let in.
export function openTeamLink({ changed, refused }) {
  let pings = 0;
  let began = null; // the server's time when this stream began
  let timer = 0;
  let isOver = false;

  async function ping() {
    clearTimeout(timer);
    const asked_ms = performance.now();
    try {
      const answer = await fetch("/api/telemetry/clock", { cache: "no-store", signal: AbortSignal.timeout(5000) });
      const { now } = await answer.json();
      team.clock.hear(asked_ms, performance.now(), now);
    } catch {
      // the stream says whether there is a connection
    }
    pings++;
    if (!isOver) timer = setTimeout(ping, pings < FIRST_PINGS ? 100 : PING_MS);
  }

  function heard() {
    team.isConnected = true;
    team.heardAt = stamp();
  }

  const query = new URLSearchParams({ channels: FEED_NAMES.join(","), hz: "60", back: String(TRACE_SECONDS) });
  const stream = followStream(() => "/api/telemetry/live?" + query, {
    states(told) {
      heard();
      began ??= told.now;
      team.told = { server_ms: told.now, mono_ms: performance.now() };
      const names = new Set(told.drivers.map((one) => one.driver));
      for (const name of team.drivers.keys()) if (!names.has(name)) team.drivers.delete(name);
      for (const state of told.drivers) hearState(state);
      changed();
    },
    entries(told) {
      heard();
      driverOf(told.driver).entries = new Map(told.cars.map((car) => [car.index, car]));
    },
    track(told) {
      team.shapes.set(told.track, told);
    },
    chunk(told) {
      heard();
      const one = driverOf(told.driver);
      one.feed.take(told, told.at ?? told.now);
      if (one.state === null) return;
      if (told.at === null) one.state.heard = told.now; // newer than what the states said
      else {
        one.state.taken = told.at;
        // What was taken before we came is sent for the curve's past: its age says nothing of the way.
        if (began !== null && told.at > began) one.unseen = [...(one.unseen ?? []), [told.at, ((told.last - told.first) * 1000) / told.rate]].slice(-100);
      }
    },
    lost() {
      began = null;
      team.isConnected = false;
      changed();
    },
    refused,
  });
  ping();
  return {
    close() {
      isOver = true;
      clearTimeout(timer);
      stream.close();
    },
  };
}

export function openLive(root, title) {
  setText(title, "Live");
  document.title = "Live";
  const choose = make("select");
  const chooser = make("label", "field", "Map and gaps of", choose);
  const cars = make("div", "team-cars");
  const carSection = section("The team's cars", cars);
  const nobody = make("p", "about");
  root.append(nobody, carSection, make("div", "tools", chooser));
  const teamCars = new Map();
  let ticking = 0;

  function watched() {
    const chosen = team.drivers.get(choose.value);
    if (chosen !== undefined) return chosen;
    const live = [...team.drivers.values()].filter(isLive);
    return live.find((one) => one.state.driving) ?? live[0] ?? [...team.drivers.values()][0] ?? null;
  }

  function factsOf(one) {
    const now = teamNow();
    return { isLive: isLive(one), age_ms: ageOfDriver(one), why: whyNot(one), tick: now === null ? null : one.feed.clock.now(now) };
  }

  // A chunk is seen in the frame that is drawn now: how late its ticks are, is the whole way from the car to the eye. The
  // first tick of a chunk has waited for the last.
  function onFrame() {
    const now = teamNow();
    if (now === null || document.visibilityState !== "visible") return;
    for (const one of team.drivers.values()) {
      for (const [at, span_ms] of one.unseen ?? []) for (let i = 0; i < SEEN_A_CHUNK; i++) team.seen.add(now - at + (span_ms * i) / (SEEN_A_CHUNK - 1));
      one.unseen = [];
    }
  }

  const stage = openStage(root, { ones: () => [...team.drivers.values()].sort((a, b) => (a.name < b.name ? -1 : 1)), factsOf, watched, onFrame });

  function draw() {
    const p95 = team.seen.p95();
    setAttribute(root, "data-seen-p95", p95 === null ? null : p95.toFixed(1));
    setAttribute(root, "data-seen-count", String(team.seen.count()));
    const all = [...team.drivers.values()];
    setText(nobody, all.length > 0 ? "" : silence_s() < 5 ? "" : "There is no driver here yet.");
    keyed(choose, ["", ...all.map((one) => one.name)], (name) => {
      const option = make("option", "", name === "" ? "who drives" : name);
      option.value = name;
      return option;
    }, (option, name) => setText(option, name === "" ? "who drives" : team.drivers.get(name).state?.name ?? name));
    chooser.hidden = all.length < 2;
    const found = carsOfTeam(all);
    carSection.hidden = found.length === 0;
    keyed(cars, found.map((car) => car.title), (name) => {
      const car = openTeamCar();
      teamCars.set(name, car);
      return car.node;
    }, (node, name) => teamCars.get(name).show(found.find((car) => car.title === name)));
    stage.refresh();
  }

  return {
    draw,
    tick() {
      if (++ticking % 2 === 0) draw();
    },
    close: stage.close,
  };
}
