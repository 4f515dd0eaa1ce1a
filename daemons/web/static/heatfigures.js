// Figures: what every zone called for and ran, what the burner did, how cold it was.

import { tableOf } from "/static/keyed.js";
import { asked } from "/static/heatlogin.js";
import { spanOf } from "/static/heatplot.js";
import { degrees, getJson, home, houseNow, titleOf, zoneName } from "/static/heatshown.js";
import { dateText } from "/static/heattime.js";
import { durationText, shownKelvin } from "/static/heatunits.js";
import { make, named, scroller, setText } from "/static/text.js";

const SPANS = [["day", "Today"], ["week", "7 days"], ["month", "30 days"], ["year", "a year"]];
const HEADINGS = [["Zone", "pilot"], ["Calls", "figure"], ["Ran", "figure"], ["a call", "figure"], ["Share", "figure"], ["Mean", "figure"], ["Least", "figure"], ["Most", "figure"]];

export function openFigures(root, title) {
  setText(title, "Figures");
  document.title = "Figures";
  const select = make("select");
  for (const [value, words] of SPANS) {
    const option = make("option", "", words);
    option.value = value;
    select.append(option);
  }
  const head = make("dl", "boiler-figures");
  const table = tableOf("Calls and run times", HEADINGS, "figures-table");
  const words = make("p", "about");
  words.setAttribute("role", "status");
  root.append(make("div", "tools", make("label", "field", "Span", select)), words, head, scroller("Figures of every zone", table), make("p", "about", "Share: of the time that is known, how much it was on. Degree-days: by how many degrees each whole day was colder outdoors than the heating limit."));
  let told = null;
  let turn = 0;

  async function ask() {
    const now = houseNow();
    if (now === null) return;
    const mine = ++turn;
    const { from, to } = spanOf(select.value, now, zoneName(), 0);
    try {
      const found = await getJson(asked, "/metrics?" + new URLSearchParams({ from, to }));
      if (mine !== turn) return;
      told = found;
      setText(words, "From " + dateText(from, zoneName(), true) + " on.");
      fill();
    } catch (error) {
      if (mine === turn) setText(words, error.message || "No answer.");
    }
  }

  function fill() {
    const days = told.degree_days === null ? "not known" : shownKelvin(told.degree_days, home.isF).toFixed(1) + (home.isF ? " °F·d" : " K·d");
    const facts = [["Degree-days", days, told.days_known + " of " + told.days + " days known"], ["Heating limit", degrees(told.heating_limit), ""]];
    head.replaceChildren(...facts.map(([name, value, note]) => make("div", "", make("dt", "", name), make("dd", "", value, make("span", "sub", note)))));
    const ids = [...home.house.zones.map((zone) => zone.id), "burner", "outdoor"].filter((id) => told.sources[id]);
    table.body.replaceChildren(...ids.map((id) => row(id, told.sources[id])));
  }

  function row(id, figures) {
    const share = figures.duty === null ? "–" : (figures.duty * 100).toFixed(1) + " %";
    const isWatched = figures.watched_s > 0;
    const first = make("th", "pilot", named(titleOf(id)));
    first.scope = "row";
    const cells = [isWatched ? String(figures.calls) : "–", isWatched ? durationText(figures.ran_s) : "–", durationText(figures.run_s), share, degrees(figures.mean), degrees(figures.lowest), degrees(figures.highest)];
    return make("tr", "", first, ...cells.map((text) => make("td", "figure", text)));
  }

  select.value = "week";
  select.addEventListener("change", ask);
  let asked_ = false;
  const draw = () => {
    if (asked_ || houseNow() === null) return;
    asked_ = true;
    ask();
  };
  return { draw, tick: draw, units: () => told !== null && fill() };
}
