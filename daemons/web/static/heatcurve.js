// A graph on a canvas: temperatures with their spread, what was wished, when it ran. Gaps stay gaps.

import { pieces, scaleOf, ticksOf } from "/static/heatplot.js";
import { shownDegrees } from "/static/heatunits.js";

const RUN_PX = 16;
const MARGIN = { left: 40, right: 10, top: 12, bottom: 26 };

// Returns where things are: {x(instant), instant(x)}.
export function drawCurve(canvas, told, { outdoor, withSupply, zone, isF, cursor }) {
  const ratio = window.devicePixelRatio || 1;
  const width = canvas.clientWidth;
  const height = canvas.clientHeight;
  if (canvas.width !== Math.round(width * ratio)) canvas.width = Math.round(width * ratio);
  if (canvas.height !== Math.round(height * ratio)) canvas.height = Math.round(height * ratio);
  const style = getComputedStyle(canvas);
  const colour = (name) => style.getPropertyValue(name).trim();
  const pen = canvas.getContext("2d");
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, width, height);
  pen.font = "12px system-ui, sans-serif";
  const inShown = (list) => list.map((value) => (value === null ? null : shownDegrees(value, isF)));
  const known = Object.fromEntries(["celsius", "lowest", "highest", "target", "supply"].map((name) => [name, inShown(told[name])]));
  const outside = outdoor ? inShown(outdoor.celsius) : [];
  const scale = scaleOf([known.lowest, known.highest, known.target, outside, ...(withSupply ? [known.supply] : [])]);
  const plot = { left: MARGIN.left, right: width - MARGIN.right, top: MARGIN.top, bottom: height - MARGIN.bottom - RUN_PX };
  const x = (instant) => plot.left + ((instant - told.from) / (told.to - told.from)) * (plot.right - plot.left);
  const y = (value) => plot.bottom - ((value - scale.low) / (scale.high - scale.low)) * (plot.bottom - plot.top);

  pen.strokeStyle = colour("--line");
  pen.fillStyle = colour("--quiet");
  pen.lineWidth = 1;
  pen.textAlign = "right";
  pen.textBaseline = "middle";
  for (let value = scale.low; value <= scale.high; value += scale.step) {
    line(pen, plot.left, y(value), plot.right, y(value));
    pen.fillText(String(value).replace("-", "−") + "°", plot.left - 6, y(value));
  }
  pen.textAlign = "center";
  pen.textBaseline = "top";
  let free = -Infinity;
  for (const [instant, words] of ticksOf(told.from, told.to, zone)) {
    const at = x(instant);
    line(pen, at, plot.top, at, plot.bottom + RUN_PX);
    const half = pen.measureText(words).width / 2;
    if (at - half < free || at + half > width) continue;
    pen.fillText(words, at, plot.bottom + RUN_PX + 6);
    free = at + half + 8;
  }

  pen.fillStyle = colour("--band");
  for (const [first, last] of pieces(told.at, known.lowest, told.step_s)) {
    pen.beginPath();
    for (let i = first; i <= last; i++) pen.lineTo(x(middle(told, i)), y(known.highest[i]));
    for (let i = last; i >= first; i--) pen.lineTo(x(middle(told, i)), y(known.lowest[i]));
    pen.fill();
  }
  drawRuns(pen, told, x, plot, colour);
  if (outdoor) curve(pen, outdoor, outside, x, y, colour("--outside"), [2, 3]);
  if (withSupply) curve(pen, told, known.supply, x, y, colour("--pipe"), []);
  steps(pen, told, known.target, x, y, colour("--wished"));
  curve(pen, told, known.celsius, x, y, colour("--curve"), [], 2.25);
  if (cursor >= 0 && cursor < told.at.length) {
    pen.strokeStyle = colour("--ink");
    const at = x(middle(told, cursor));
    line(pen, at, plot.top, at, plot.bottom + RUN_PX);
  }
  return { instant: (at) => told.from + ((at - plot.left) / (plot.right - plot.left)) * (told.to - told.from) };
}

const middle = (told, i) => Math.min(told.at[i] + told.step_s / 2, told.to);

function line(pen, x1, y1, x2, y2) {
  pen.beginPath();
  pen.moveTo(Math.round(x1) + 0.5, y1);
  pen.lineTo(Math.round(x2) + 0.5, y2);
  pen.stroke();
}

function curve(pen, told, values, x, y, colour, dash, thick = 1.5) {
  pen.strokeStyle = pen.fillStyle = colour;
  pen.lineWidth = thick;
  pen.lineJoin = "round";
  pen.setLineDash(dash);
  for (const [first, last] of pieces(told.at, values, told.step_s)) {
    pen.beginPath();
    for (let i = first; i <= last; i++) pen.lineTo(x(middle(told, i)), y(values[i]));
    if (first === last) pen.fillRect(x(middle(told, first)) - 1.5, y(values[first]) - 1.5, 3, 3);
    pen.stroke();
  }
  pen.setLineDash([]);
  pen.lineWidth = 1;
}

function steps(pen, told, values, x, y, colour) {
  pen.strokeStyle = colour;
  pen.setLineDash([6, 4]);
  pen.lineWidth = 1.5;
  for (const [first, last] of pieces(told.at, values, told.step_s)) {
    pen.beginPath();
    for (let i = first; i <= last; i++) {
      pen.lineTo(x(told.at[i]), y(values[i]));
      pen.lineTo(x(Math.min(told.at[i] + told.step_s, told.to)), y(values[i]));
    }
    pen.stroke();
  }
  pen.setLineDash([]);
  pen.lineWidth = 1;
}

// At the foot: how much of each step it was on, on a ground where that is known.
function drawRuns(pen, told, x, plot, colour) {
  const top = plot.bottom + 3;
  const tall = RUN_PX - 5;
  for (let i = 0; i < told.at.length; i++) {
    if (told.watched_s[i] === 0) continue;
    const left = Math.round(x(told.at[i])); // whole pixels: no seams between steps
    const right = Math.max(left + 1, Math.round(x(Math.min(told.at[i] + told.step_s, told.to))));
    pen.fillStyle = colour("--line");
    pen.fillRect(left, top, right - left, tall);
    const part = Math.min(1, told.ran_s[i] / told.watched_s[i]);
    if (part <= 0) continue;
    pen.fillStyle = colour("--heat");
    const shown = Math.max(2, tall * part);
    pen.fillRect(left, top + tall - shown, right - left, shown);
  }
}
