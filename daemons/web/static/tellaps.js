// Laps on a canvas, over the track: time lost against the first, speed, inputs, gear; a cursor through them all.

import { coloursOf, penOf, straight } from "/static/telcanvas.js";
import { niceScale, stretchesOf } from "/static/telplot.js";

export const LAP_LANES = [
  { name: "delta", words: "Lost, s", tall: 1.2, least: 0.2 },
  { name: "speed", words: "Speed, km/h", tall: 1.8, least: 20 },
  { name: "throttle", words: "Throttle, %", tall: 0.9, range: { low: 0, high: 100, step: 50 } },
  { name: "brake", words: "Brake, %", tall: 0.9, range: { low: 0, high: 100, step: 50 } },
  { name: "steering", words: "Steering, ° (left −)", tall: 1, least: 20 },
  { name: "gear", words: "Gear", tall: 0.8, least: 2, leastStep: 1, isStep: true },
];
export const LAP_DASHES = [[], [8, 4], [2, 3], [10, 3, 2, 3], [5, 5], [1, 4], [12, 6], [3, 1]];
const LAP_COLOURS = ["line", "edge", "quiet", "ink", ...LAP_DASHES.map((_, i) => "lap-" + i)];
const EDGE = { left: 44, right: 8, top: 4, bottom: 22, between: 20 };
const TALL_ALL = LAP_LANES.reduce((sum, lane) => sum + lane.tall, 0);

// Returns {share(x)}: which part of the lap a place is, 0 to 1.
export function drawLaps(canvas, told, cursor) {
  const { pen, width, height } = penOf(canvas);
  const colours = coloursOf(canvas, LAP_COLOURS);
  const span = width - EDGE.left - EDGE.right;
  const x = (share) => EDGE.left + share * span;
  const room = height - EDGE.top - EDGE.bottom - EDGE.between * LAP_LANES.length;
  const count = told.position.length;
  let top = EDGE.top;
  for (const lane of LAP_LANES) {
    top += EDGE.between;
    const tall = (room * lane.tall) / TALL_ALL;
    const lists = told.laps.map((lap) => (lane.name === "delta" ? lap.delta : lap.columns[lane.name] ?? []));
    const scale = lane.range ?? niceScale(lists, lane.least, lane.leastStep);
    const y = (value) => top + tall - ((value - scale.low) / (scale.high - scale.low)) * tall;
    pen.lineWidth = 1;
    pen.setLineDash([]);
    pen.fillStyle = colours.quiet;
    pen.textAlign = "left";
    pen.textBaseline = "bottom";
    pen.fillText(lane.words, EDGE.left, top - 3);
    pen.textAlign = "right";
    pen.textBaseline = "middle";
    for (let value = scale.low; value <= scale.high + scale.step / 2; value += scale.step) {
      pen.strokeStyle = Math.abs(value) < scale.step / 100 ? colours.edge : colours.line;
      straight(pen, EDGE.left, Math.round(y(value)) + 0.5, width - EDGE.right, Math.round(y(value)) + 0.5);
      pen.fillText(String(Number(value.toFixed(3))).replace("-", "−"), EDGE.left - 6, y(value));
    }
    lists.forEach((values, i) => {
      pen.strokeStyle = colours["lap-" + i];
      pen.lineWidth = i === 0 ? 2.5 : 1.75;
      pen.setLineDash(LAP_DASHES[i]);
      for (const [first, last] of stretchesOf(values)) {
        pen.beginPath();
        for (let n = first; n <= last; n++) {
          if (lane.isStep && n > first) pen.lineTo(x(n / (count - 1)), y(values[n - 1]));
          pen.lineTo(x(n / (count - 1)), y(values[n]));
        }
        pen.stroke();
      }
    });
    top += tall;
  }
  pen.setLineDash([3, 4]);
  pen.lineWidth = 1;
  pen.strokeStyle = colours.edge;
  pen.fillStyle = colours.quiet;
  pen.textAlign = "center";
  pen.textBaseline = "top";
  told.sector_starts.forEach((start, i) => {
    if (start > 0) straight(pen, x(start), EDGE.top + EDGE.between, x(start), top);
    const end = told.sector_starts[i + 1] ?? 1;
    pen.fillText("S" + (i + 1), x((start + end) / 2), top + 6);
  });
  pen.setLineDash([]);
  if (cursor >= 0) {
    pen.strokeStyle = colours.ink;
    pen.lineWidth = 1.5;
    straight(pen, x(cursor / (count - 1)), EDGE.top, x(cursor / (count - 1)), top);
  }
  return { share: (at) => (at - EDGE.left) / span };
}
