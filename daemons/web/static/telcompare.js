// Laps beside each other, by where on the track they are; a cursor by mouse, finger and keys reads them out.

import { cornersOf } from "/static/telcorners.js";
import { drawLaps } from "/static/tellaps.js";
import { nearest } from "/static/telplot.js";
import { telemetryJson } from "/static/telshown.js";
import { linkTo, make, named, setAttribute, setText } from "/static/text.js";
import { tableOf } from "/static/keyed.js";
import { figure, gearText, lapText, signed, steeringText } from "/static/telwords.js";

const CURSOR_KEYS = { ArrowLeft: -1, ArrowRight: 1, PageUp: -25, PageDown: 25, Home: -1e6, End: 1e6 };

export function openCompare(root, title, query) {
  setText(title, "Laps compared");
  document.title = "Laps compared";
  let ids = (query.get("laps") ?? "").split(",").filter(Boolean);
  const words = make("p", "about");
  words.setAttribute("role", "status");
  const canvas = make("canvas", "curve");
  canvas.setAttribute("aria-hidden", "true");
  const plot = make("div", "plot laps-plot", canvas);
  plot.tabIndex = 0;
  plot.setAttribute("role", "slider");
  plot.setAttribute("aria-label", "Place on the track; arrow keys read the laps there");
  const where = make("p", "readout");
  const table = tableOf("The laps at the cursor", [["Lap", "pilot"], ["Time", "figure"], ["Lost", "figure"], ["Speed", "figure"], ["Throttle", "figure"], ["Brake", "figure"], ["Steering", "figure"], ["Gear", "figure"]], "laps-at");
  const wide = make("div", "scroller", table);
  wide.tabIndex = 0;
  wide.setAttribute("role", "group");
  wide.setAttribute("aria-label", "The laps at the cursor");
  const corners = make("div");
  root.append(words, plot, where, wide, corners);
  let told = null;
  let cursor = -1;
  let places = null;
  let willPaint = false;
  let isOver = false;

  async function ask() {
    plot.hidden = wide.hidden = where.hidden = ids.length === 0;
    if (ids.length === 0) {
      words.replaceChildren("Choose laps of a session: ", linkTo("/sessions", "", "to the sessions"), ".");
      words.querySelector("a").dataset.path = "/sessions";
      return;
    }
    try {
      const points = String(Math.min(Math.max(Math.round(plot.clientWidth), 300), 2000));
      told = await telemetryJson("/compare?" + new URLSearchParams({ laps: ids.join(","), points }));
      if (isOver) return;
      setText(words, told.laps.length === 1 ? "One lap: choose another one beside it to see what is lost where." : "Lost: against the first lap; above zero is slower.");
      fill();
      corners.replaceChildren(cornersOf(told));
      paint();
    } catch (error) {
      setText(words, error.message || "No answer.");
    }
  }

  function fill() {
    table.body.replaceChildren(...told.laps.map(({ lap }, i) => {
      const mark = make("span", "lap-mark lap-" + i);
      const name = make("th", "pilot", mark, named(lap.driver), " · lap " + lap.number);
      name.scope = "row";
      if (lap.invalid.length > 0) name.append(make("span", "sub", "does not count: " + lap.invalid.join(", ")));
      if (i > 0) {
        const first = make("button", "small", "Compare with this");
        first.type = "button";
        first.addEventListener("click", () => {
          ids = [ids[i], ...ids.filter((_, n) => n !== i)];
          history.replaceState(null, "", "/compare?" + new URLSearchParams({ laps: ids.join(",") }));
          ask();
        });
        name.append(make("span", "sub", first));
      }
      const row = make("tr", "", name, make("td", "figure", lapText(lap.time_s)));
      for (let n = 0; n < 6; n++) row.append(make("td", "figure"));
      return row;
    }));
  }

  function paint() {
    if (willPaint) return;
    willPaint = true;
    requestAnimationFrame(() => {
      willPaint = false;
      if (told === null || isOver) return;
      places = drawLaps(canvas, told, cursor);
      setAttribute(plot, "data-points", String(told.position.length));
      read();
    });
  }

  function read() {
    const at = cursor < 0 ? told.position.length - 1 : cursor;
    setAttribute(plot, "aria-valuemin", "0");
    setAttribute(plot, "aria-valuemax", "100");
    setAttribute(plot, "aria-valuenow", (100 * told.position[at]).toFixed(1));
    const place = (100 * told.position[at]).toFixed(1) + " % of the lap";
    const lost = told.laps.slice(1).map(({ lap, delta }) => lap.driver + " lap " + lap.number + " " + (delta[at] === null ? "not known" : signed(delta[at], 3) + " s"));
    setAttribute(plot, "aria-valuetext", [place, ...lost].join("; "));
    setText(where, cursor < 0 ? "At the end of the lap" : place);
    told.laps.forEach(({ delta, columns }, i) => {
      const cells = table.body.rows[i].cells;
      const one = (name) => columns[name]?.[at] ?? null;
      const texts = [
        i === 0 ? "–" : delta[at] === null ? "not known" : signed(delta[at], 3), figure(one("speed"), 1), figure(one("throttle")), figure(one("brake")),
        steeringText(one("steering")), gearText(one("gear")),
      ];
      texts.forEach((text, n) => setText(cells[n + 2], text));
    });
  }

  function point(event) {
    if (told === null || places === null) return;
    const next = nearest(told.position.length, places.share(event.clientX - canvas.getBoundingClientRect().left));
    if (next === cursor) return;
    cursor = next;
    paint();
  }

  plot.addEventListener("pointermove", point);
  plot.addEventListener("pointerdown", point);
  plot.addEventListener("keydown", (event) => {
    const by = CURSOR_KEYS[event.key];
    if (by === undefined || told === null) return;
    event.preventDefault();
    cursor = Math.min(Math.max((cursor < 0 ? told.position.length - 1 : cursor) + by, 0), told.position.length - 1);
    paint();
  });
  const sized = new ResizeObserver(paint);
  sized.observe(plot);
  const dark = matchMedia("(prefers-color-scheme: dark)");
  dark.addEventListener("change", paint);
  return {
    draw() {
      if (told === null) ask();
    },
    close() {
      isOver = true;
      sized.disconnect();
      dark.removeEventListener("change", paint);
    },
  };
}
