// The track from above, and all cars on it by their part of the lap. Without a shape: a circle, which is said.

import { coloursOf, penOf } from "/static/telcanvas.js";
import { carsAt } from "/static/telring.js";

const MAP_COLOURS = ["edge", "quiet", "ink", "paper", "accent", "card"];
const MAP_MARGIN = 22;

// Where a part of the lap is, in pixels: a function for a shape (null: a circle) in so much room.
export function placer(shape, width, height) {
  const middle = [width / 2, height / 2];
  if (shape === null) {
    const radius = Math.max(10, Math.min(width, height) / 2 - MAP_MARGIN);
    return (part) => [middle[0] + radius * Math.sin(2 * Math.PI * part), middle[1] - radius * Math.cos(2 * Math.PI * part)];
  }
  const { position, east, north } = shape;
  const [west, easternmost, south, northernmost] = [Math.min(...east), Math.max(...east), Math.min(...north), Math.max(...north)];
  const scale = Math.min((width - 2 * MAP_MARGIN) / Math.max(easternmost - west, 1), (height - 2 * MAP_MARGIN) / Math.max(northernmost - south, 1));
  const x = (value) => middle[0] + (value - (west + easternmost) / 2) * scale;
  const y = (value) => middle[1] - (value - (south + northernmost) / 2) * scale;
  return (part) => {
    let low = 0;
    let high = position.length - 1;
    while (low < high) {
      const half = Math.ceil((low + high) / 2);
      if (position[half] <= part) low = half;
      else high = half - 1;
    }
    const next = Math.min(low + 1, position.length - 1);
    const span = position[next] - position[low];
    const share = span > 0 ? Math.min(Math.max((part - position[low]) / span, 0), 1) : 0;
    return [x(east[low] + share * (east[next] - east[low])), y(north[low] + share * (north[next] - north[low]))];
  };
}

// `entries` by index. `own`: the index of the car that the map is of. Returns how many cars are on it.
export function drawMap(canvas, shape, feed, tick, entries, own) {
  const { pen, width, height } = penOf(canvas);
  const colours = coloursOf(canvas, MAP_COLOURS);
  const place = placer(shape, width, height);
  pen.lineJoin = "round";
  for (const [thick, colour] of [[9, colours.edge], [6, colours.card]]) {
    pen.strokeStyle = colour;
    pen.lineWidth = thick;
    pen.beginPath();
    for (let i = 0; i <= 300; i++) pen.lineTo(...place(i / 300));
    pen.closePath();
    pen.stroke();
  }
  const [lineX, lineY] = place(0);
  pen.fillStyle = colours.ink;
  pen.fillRect(lineX - 1.5, lineY - 9, 3, 18);
  if (feed === null) return 0;
  const cars = carsAt(feed, tick);
  pen.textAlign = "center";
  pen.textBaseline = "middle";
  for (const [index, part] of [...cars].sort((a, b) => (a[0] === own) - (b[0] === own))) {
    const [x, y] = place(part);
    const entry = entries.get(index);
    const isOwn = index === own;
    pen.beginPath();
    pen.arc(x, y, isOwn ? 12 : 9, 0, 2 * Math.PI);
    pen.fillStyle = isOwn ? colours.ink : colours.paper;
    pen.fill();
    pen.lineWidth = isOwn ? 3 : 2.5;
    pen.strokeStyle = isOwn ? colours.accent : entry?.colour || colours.quiet;
    pen.stroke();
    pen.fillStyle = isOwn ? colours.paper : colours.ink;
    pen.font = (isOwn ? "700 12px" : "600 10px") + " system-ui, sans-serif";
    pen.fillText(entry?.number ?? String(index), x, y + 0.5);
  }
  return cars.length;
}
