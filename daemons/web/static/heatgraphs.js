// Graphs of a day, a week, a month, a year: made smaller by the server, read out by finger, mouse and keys.

import { drawCurve } from "/static/heatcurve.js";
import { asked } from "/static/heatlogin.js";
import { indexAt, spanOf } from "/static/heatplot.js";
import { degrees, getJson, home, houseNow, titleOf, zoneName } from "/static/heatshown.js";
import { dateText, momentText } from "/static/heattime.js";
import { durationText } from "/static/heatunits.js";
import { make, setText } from "/static/text.js";

const KINDS = ["day", "week", "month", "year"];
const REFRESH_MS = 60000;

export function openGraphs(root, title, query) {
  setText(title, "Graphs");
  document.title = "Graphs";
  const select = make("select");
  const kinds = make("div", "kinds");
  kinds.setAttribute("role", "group");
  kinds.setAttribute("aria-label", "Span");
  const buttons = new Map(KINDS.map((one) => [one, button(one[0].toUpperCase() + one.slice(1), () => go({ kind: one, back: 0 }))]));
  kinds.append(...buttons.values());
  const earlier = button("‹ Earlier", () => go({ back: asking.back + 1 }));
  const later = button("Later ›", () => go({ back: Math.max(0, asking.back - 1) }));
  const span = make("strong", "span-words");
  const withSupply = check("Pipe");
  const withOutdoor = check("Outdoors");
  const canvas = make("canvas", "curve");
  canvas.setAttribute("aria-hidden", "true");
  const plot = make("div", "plot", canvas);
  plot.tabIndex = 0;
  plot.setAttribute("role", "slider");
  plot.setAttribute("aria-label", "Time; arrow keys read the values");
  const readout = make("p", "readout");
  const words = make("p", "about");
  words.setAttribute("role", "status");
  root.append(
    make("div", "tools", make("label", "field", "Of", select), kinds),
    make("div", "tools", earlier, span, later),
    plot, readout, words,
    make("div", "tools", withOutdoor.node, withSupply.node),
    make("ul", "legend", ...[["curve", "Temperature, with its least and greatest"], ["wished", "Wished"], ["outside", "Outdoors"], ["pipe", "Pipe"], ["heat", "Heating"]].map(([kind, text]) => make("li", "", make("span", "mark of-" + kind), text))),
  );
  let asking = { kind: KINDS.includes(query.get("span")) ? query.get("span") : "day", back: 0 };
  let told = null;
  let outdoor = null;
  let cursor = -1;
  let places = null;
  let turn = 0;
  let askedAt = 0;
  let filled = false;
  let willPaint = false;

  function go(changes) {
    asking = { ...asking, ...changes };
    ask();
  }

  async function ask() {
    const now = houseNow();
    if (now === null || !select.value) return;
    const mine = ++turn;
    askedAt = performance.now();
    const { from, to } = spanOf(asking.kind, now, zoneName(), asking.back);
    for (const [kind, one] of buttons) one.setAttribute("aria-pressed", String(kind === asking.kind));
    later.disabled = asking.back === 0;
    setText(span, asking.kind === "day" ? dateText(from, zoneName(), true) : dateText(from, zoneName()) + " – " + dateText(to - 3600, zoneName(), true));
    const points = Math.min(Math.max(Math.round(plot.clientWidth / 2), 100), asking.kind === "year" ? 360 : 600); // of a year a day each
    const path = (zone) => "/series?" + new URLSearchParams({ zone, from: String(from), to: String(to), points: String(points) });
    try {
      const wantsOutdoor = home.house.has_outdoor && select.value !== "outdoor" && withOutdoor.input.checked;
      const [series, outside] = await Promise.all([getJson(asked, path(select.value)), wantsOutdoor ? getJson(asked, path("outdoor")) : null]);
      if (mine !== turn) return;
      told = series;
      outdoor = outside;
      cursor = -1;
      setText(words, series.at.length === 0 ? "Nothing is known of this time." : "");
      paint();
    } catch (error) {
      if (mine === turn) setText(words, error.message || "No answer.");
    }
  }

  function paint() {
    if (willPaint) return;
    willPaint = true;
    requestAnimationFrame(() => {
      willPaint = false;
      if (told === null || !plot.isConnected) return;
      places = drawCurve(canvas, told, { outdoor, withSupply: withSupply.input.checked, zone: zoneName(), isF: home.isF, cursor });
      plot.dataset.points = String(told.at.length);
      read();
    });
  }

  function read() {
    const last = Math.max(told.at.length - 1, 0);
    plot.setAttribute("aria-valuemin", "0");
    plot.setAttribute("aria-valuemax", String(last));
    plot.setAttribute("aria-valuenow", String(cursor < 0 ? last : cursor));
    const text = cursor < 0 ? "" : textAt(cursor);
    plot.setAttribute("aria-valuetext", text || "no value chosen");
    setText(readout, text);
  }

  function textAt(i) {
    const facts = [momentText(told.at[i], zoneName(), null)];
    if (told.celsius[i] === null) facts.push("no temperature");
    else if (told.highest[i] - told.lowest[i] >= 0.1) facts.push(degrees(told.celsius[i]) + " (" + degrees(told.lowest[i]) + " to " + degrees(told.highest[i]) + ")");
    else facts.push(degrees(told.celsius[i]));
    if (told.target[i] !== null) facts.push("wished " + degrees(told.target[i]));
    if (withSupply.input.checked && told.supply[i] !== null) facts.push("pipe " + degrees(told.supply[i]));
    if (told.watched_s[i] > 0) facts.push("on for " + durationText(told.ran_s[i]) + " of " + durationText(told.watched_s[i]));
    return facts.join(" · ");
  }

  function point(event) {
    if (told === null || places === null || told.at.length === 0) return;
    const next = indexAt(told.at, told.step_s, places.instant(event.clientX - canvas.getBoundingClientRect().left));
    if (next === cursor) return;
    cursor = next;
    paint();
  }

  plot.addEventListener("pointermove", point);
  plot.addEventListener("pointerdown", point);
  plot.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -1, ArrowRight: 1, PageUp: -12, PageDown: 12, Home: -1e6, End: 1e6 }[event.key];
    if (by === undefined || told === null || told.at.length === 0) return;
    event.preventDefault();
    const from = cursor < 0 ? told.at.length - 1 : cursor;
    cursor = Math.min(Math.max(from + by, 0), told.at.length - 1);
    paint();
  });
  select.addEventListener("change", ask);
  withOutdoor.input.addEventListener("change", ask);
  withSupply.input.addEventListener("change", paint);
  const sized = new ResizeObserver(paint);
  sized.observe(plot);
  const scheme = matchMedia("(prefers-color-scheme: dark)");
  scheme.addEventListener("change", paint);

  function button(text, act) {
    const node = make("button", "", text);
    node.type = "button";
    node.addEventListener("click", act);
    return node;
  }

  return {
    draw() {
      if (!filled && houseNow() !== null) {
        filled = true;
        for (const id of [...home.house.zones.map((zone) => zone.id), "burner", ...(home.house.has_outdoor ? ["outdoor"] : [])]) {
          const option = make("option", "", titleOf(id));
          option.value = id;
          select.append(option);
        }
        withOutdoor.node.hidden = !home.house.has_outdoor;
        ask();
      }
    },
    tick() {
      if (!filled) this.draw();
      else if (asking.back === 0 && performance.now() - askedAt > REFRESH_MS && cursor < 0) ask();
    },
    units: paint,
    close() {
      sized.disconnect();
      scheme.removeEventListener("change", paint);
    },
  };
}

function check(words) {
  const input = make("input");
  input.type = "checkbox";
  return { input, node: make("label", "check", input, make("span", "", words)) };
}
