// Corner by corner: how each lap was driven there, and what it lost against the first one.

import { tableOf } from "/static/keyed.js";
import { make, named, scroller, section } from "/static/text.js";
import { figure, signed } from "/static/telwords.js";

// Where something was done, against where it was done in the first lap.
function placeText(at_m, first_m, isFirst) {
  if (at_m === null) return "–";
  if (isFirst || first_m === null) return figure(at_m) + " m";
  const by = Math.round(at_m - first_m);
  return by === 0 ? "same" : Math.abs(by) + " m " + (by > 0 ? "later" : "earlier");
}

export function cornersOf(told) {
  if (told.corners === null) return section("Corners", make("p", "", "No corners can be found in the first lap: it has a hole, or was not finished."));
  const headings = [["Corner", "pilot"], ["Lap", "who-lap"], ["Lost, s", "figure"], ["Entry", "figure"], ["Slowest", "figure"], ["Exit", "figure"], ["Brake", "figure"], ["Pressure", "figure"], ["Throttle", "figure"], ["Full", "figure"]];
  const table = tableOf("Corners", headings, "corners");
  for (const corner of told.corners.corners) {
    const first = corner.laps[0];
    corner.laps.forEach((way, i) => {
      const row = make("tr");
      if (i === 0) {
        const name = make("th", "pilot", String(corner.number), make("span", "sub", corner.turn));
        name.scope = "rowgroup";
        name.rowSpan = corner.laps.length;
        row.append(name);
      }
      const { lap } = told.laps[i];
      row.append(make("td", "who-lap", make("span", "lap-mark lap-" + i), named(lap.driver), " · lap " + lap.number));
      const texts = way === null ? ["not known", ...Array(7).fill("–")] : [
        i === 0 ? "–" : way.lost_s === null ? "not known" : signed(way.lost_s, 3), figure(way.entry, 1), figure(way.slowest, 1), figure(way.exit, 1),
        placeText(way.brake_at, first?.brake_at ?? null, i === 0), way.brake_peak === null ? "–" : figure(way.brake_peak) + " %",
        placeText(way.throttle_at, first?.throttle_at ?? null, i === 0), placeText(way.full_at, first?.full_at ?? null, i === 0),
      ];
      row.append(...texts.map((text) => make("td", "figure", text)));
      table.body.append(row);
    });
  }
  const words = make("p", "sub", "Speeds in km/h where the bend begins, where the car is slowest, where the bend ends. Brake and throttle: where they come on, in metres from the line, of the other laps against the first.");
  return section("Corners", scroller("Corners", table), words);
}
