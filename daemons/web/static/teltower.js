// All cars in the order of the race, and how far each is from ours.

import { keyed, tableOf } from "/static/keyed.js";
import { make, named, setText } from "/static/text.js";
import { gapText } from "/static/telwords.js";

export function openTower() {
  const table = tableOf("Cars", [["Pos", "place"], ["Car", "pilot"], ["Lap", "figure"], ["Gap", "figure"]], "tower");
  const nothing = make("p", "about");

  function begin() {
    const row = make("tr");
    row.cells_ = { place: make("td", "place"), who: named(""), about: make("span", "sub"), lap: make("td", "figure"), gap: make("td", "figure") };
    const name = make("th", "pilot", row.cells_.who, row.cells_.about);
    name.scope = "row";
    row.append(row.cells_.place, name, row.cells_.lap, row.cells_.gap);
    return row;
  }

  return {
    node: make("div", "", nothing, table),
    // `cars`: as a field has them; `own`: the index of our car; `lap_s`: how long a lap is about.
    show(cars, entries, own, lap_s, words) {
      setText(nothing, words);
      table.hidden = cars.length === 0;
      const sorted = [...cars].sort((a, b) => (a[3] ?? 999) - (b[3] ?? 999) || (b[6] ?? -1e9) - (a[6] ?? -1e9));
      const known = new Map(sorted.map((car) => [car[0], car]));
      keyed(table.body, sorted.map((car) => car[0]), begin, (row, index) => {
        const [, , lap, position, , isInPit, gap_s] = known.get(index);
        const entry = entries.get(index);
        setText(row.cells_.place, position === null ? "–" : String(position));
        setText(row.cells_.who, (entry ? "#" + entry.number + " " + entry.driver : "Car " + index));
        setText(row.cells_.about, [entry?.class, isInPit ? "in the pits" : ""].filter(Boolean).join(" · "));
        setText(row.cells_.lap, lap === null ? "–" : String(lap));
        setText(row.cells_.gap, index === own ? "ours" : gapText(gap_s, lap_s));
        row.classList.toggle("is-own", index === own);
      });
    },
  };
}
