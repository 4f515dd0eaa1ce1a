// The last seconds of a driver as curves that move: the right edge is now, so how late a curve ends is how late it is.

import { coloursOf, penOf, straight } from "/static/telcanvas.js";

export const TRACE_NAMES = ["speed", "throttle", "brake", "steering", "gear", "rpm"];
export const TRACE_SECONDS = 20;

const LANES = [
  { tall: 1.5, curves: [{ name: "speed", low: 0, high: 320 }] },
  { tall: 1.1, curves: [{ name: "throttle", low: 0, high: 100 }, { name: "brake", low: 0, high: 100 }] },
  { tall: 0.9, curves: [{ name: "steering", low: -200, high: 200, isMiddled: true }] },
  { tall: 0.9, curves: [{ name: "rpm", low: 0, high: 9000 }, { name: "gear", low: -1, high: 8, isStep: true }] },
];
const GAP_PX = 6;
const COLOURS = ["line", "quiet", "paper", ...TRACE_NAMES.map((name) => "of-" + name)];
const TALL = LANES.reduce((sum, lane) => sum + lane.tall, 0);

// `nowTick` null: nothing is known of now, so nothing is drawn but the lanes. Returns how many samples were drawn.
export function drawTraces(canvas, feed, nowTick) {
  const { pen, width, height } = penOf(canvas);
  const colours = coloursOf(canvas, COLOURS);
  const room = height - GAP_PX * (LANES.length - 1);
  let top = 0;
  let drawn = 0;
  pen.lineJoin = "round";
  for (const lane of LANES) {
    const tall = (room * lane.tall) / TALL;
    pen.strokeStyle = colours.line;
    pen.lineWidth = 1;
    straight(pen, 0, top + tall - 0.5, width, top + tall - 0.5);
    if (lane.curves[0].isMiddled) straight(pen, 0, Math.round(top + tall / 2) + 0.5, width, Math.round(top + tall / 2) + 0.5);
    if (nowTick !== null) for (const curve of lane.curves) drawn += drawTrace(pen, feed, curve, nowTick, width, top, tall, colours["of-" + curve.name]);
    top += tall + GAP_PX;
  }
  return drawn;
}

function drawTrace(pen, feed, curve, nowTick, width, top, tall, colour) {
  const ring = feed.rings.get(curve.name);
  const span = TRACE_SECONDS * feed.rate;
  const hole = feed.rate * 0.35; // longer than what comes at 5 Hz: this was not heard
  const scale = (tall - 3) / (curve.high - curve.low);
  let drawn = 0;
  let before = null;
  let lastY = 0;
  pen.strokeStyle = colour;
  pen.lineWidth = curve.isStep ? 1.5 : 2;
  pen.beginPath();
  ring.from(nowTick - span, (tick, value) => {
    if (Number.isNaN(value)) {
      before = null;
      return;
    }
    const x = width * (1 - (nowTick - tick) / span);
    const y = top + tall - 1.5 - scale * (Math.min(Math.max(value, curve.low), curve.high) - curve.low);
    if (before === null || tick - before > hole) pen.moveTo(x, y);
    else {
      if (curve.isStep) pen.lineTo(x, lastY);
      pen.lineTo(x, y);
    }
    before = tick;
    lastY = y;
    drawn++;
  });
  pen.stroke();
  return drawn;
}
