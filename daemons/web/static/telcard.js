// A driver: who, how well he is heard, his inputs in figures and as curves that move.

import { make, named, setAttribute, setText } from "/static/text.js";
import { TRACE_NAMES, drawTraces } from "/static/teltraces.js";
import { clockWords, figure, gearText, lossText, oldness, steeringText } from "/static/telwords.js";

const WORDS = {
  speed: ["Speed", (value) => figure(value) + (value === null ? "" : " km/h")],
  throttle: ["Throttle", (value) => figure(value) + (value === null ? "" : " %")],
  brake: ["Brake", (value) => figure(value) + (value === null ? "" : " %")],
  steering: ["Steering", steeringText],
  gear: ["Gear", gearText],
  rpm: ["RPM", (value) => figure(value)],
};

// Returns {node, words(one, facts), paint(feed, nowTick)}. `facts`: isLive, age_ms, why, note.
export function openCard(driver) {
  const title = named(driver);
  const about = make("p", "sub");
  const tag = make("span", "tag");
  const canvas = make("canvas", "traces");
  canvas.setAttribute("aria-hidden", "true");
  const values = new Map(TRACE_NAMES.map((name) => [name, make("dd")]));
  const figures = make("dl", "inputs", ...TRACE_NAMES.map((name) => make("div", "input of-" + name, make("dt", "", WORDS[name][0]), values.get(name))));
  const absent = make("p", "absent");
  const health = make("p", "health sub");
  const degree = make("p", "degree");
  const place = make("p", "place-words sub");
  const node = make("article", "driver", make("div", "driver-head", make("h2", "", title), tag), about, absent, figures, canvas, degree, health, place);
  node.dataset.driver = driver;
  let isSeen = true;
  const watching = new IntersectionObserver((entries) => (isSeen = entries.at(-1).isIntersecting), { rootMargin: "100px" });
  watching.observe(canvas);

  return {
    node,
    words(one, { isLive, age_ms, why, note = "" }) {
      const { state } = one;
      setText(title, state?.name ?? driver);
      setText(tag, note || (isLive ? (state.driving ? "Driving" : "Live") : "Not there"));
      tag.classList.toggle("live", isLive && !note);
      node.classList.toggle("is-away", !isLive);
      const car = state === null ? [] : [state.number ? "#" + state.number : "", state.car, state.track, state.session];
      setText(about, car.filter(Boolean).join(" · "));
      setText(absent, isLive ? "" : why + (age_ms === null ? "." : "; the newest value is " + oldness(age_ms) + "."));
      if (state === null) return;
      setText(degree, isLive ? state.degree_words : "");
      const facts = [isLive ? oldness(age_ms) : "", lossText(state), clockWords(state.clock_error_s)];
      if (state.waiting > 0) facts.push("the last " + state.waiting + " ticks are still on the way");
      if (one.feed.skipped > 0) facts.push(one.feed.skipped + " ticks were too many for this page");
      setText(health, note ? "" : facts.filter(Boolean).join(" · "));
      const at = isLive ? state.place : null;
      setText(place, at === null ? "" : "Estimated from the track: " + at.latitude.toFixed(5) + ", " + at.longitude.toFixed(5));
    },
    // The figures of now: "–" for what is not known now, whatever it was before.
    figures(feed, isLive, nowTick) {
      for (const [name, cell] of values) setText(cell, WORDS[name][1](isLive ? feed.value(name, nowTick) : null));
    },
    paint(feed, nowTick) {
      if (!isSeen) return;
      setAttribute(canvas, "data-samples", String(drawTraces(canvas, feed, nowTick)));
    },
    close: () => watching.disconnect(),
  };
}
