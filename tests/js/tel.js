// The pure parts of the pages of telemetry, joined as a page's are and run by node (tests/daemons/telemetry/web/test_scripts.py).

import { newSeen, newServerClock } from "/static/telclock.js";
import { placer } from "/static/telmap.js";
import { nearest, niceScale, stretchesOf } from "/static/telplot.js";
import { carsAt, newFeed, newRing, newTickClock } from "/static/telring.js";
import { figure, gapText, gearText, lapText, lossText, oldness, signed, steeringText } from "/static/telwords.js";

const { deepStrictEqual: same, ok } = process.getBuiltinModule("node:assert");
const read = (ring, tick) => {
  const found = [];
  ring.from(tick, (at, value) => found.push([at, value]));
  return found;
};

// --- the server's clock: the quickest answer is right to within half its way, whatever the slow ones say
const clock = newServerClock();
same([clock.now(5), clock.error()], [null, null]);
clock.hear(1000, 1400, 51000); // 400 ms there and back, asymmetric: 50,000 ahead is not known well
clock.hear(2000, 2010, 52004);
clock.hear(3000, 3200, 53190);
same([clock.now(4000), clock.error()], [4000 + 49999, 5]);
for (let i = 0; i < 8; i++) clock.hear(5000, 5020, 55030); // the quickest is forgotten in the end: clocks drift
same([clock.now(6000), clock.error()], [6000 + 50020, 10]);

const seen = newSeen();
same(seen.p95(), null);
for (let i = 1; i <= 100; i++) seen.add(i);
same([seen.p95(), seen.count()], [96, 100]);

// --- rings: in order, once, bounded; a line comes from the sample before the window
const ring = newRing(4);
same([ring.last(), read(ring, 0)], [null, []]);
for (const tick of [1, 2, 3, 3, 2, 4, 5]) ring.add(tick, tick * 10);
same(read(ring, 0), [[2, 20], [3, 30], [4, 40], [5, 50]]);
same(read(ring, 4), [[3, 30], [4, 40], [5, 50]]);
ring.add(6, null);
ok(Number.isNaN(ring.last().value));

// --- which tick it is now: smooth over jitter, at once after a jump
const ticks = newTickClock();
same(ticks.now(0), null);
ticks.hear(600, 10000, 60);
same(ticks.now(11000), 660);
ticks.hear(606, 10120, 60); // 20 ms late
ok(Math.abs(ticks.now(11000) - 660) < 0.2);
ticks.hear(9000, 20000, 60);
same(Math.round(ticks.now(21000)), 9060);
const quick = newTickClock();
quick.hear(0, 0, 60, 4);
same(Math.round(quick.now(1000)), 240);

// --- feeds
const chunk = (first, last, more = {}) => ({
  recording: "aa", rate: 60, first, last, lost: 0, skipped: 0, field: null, ...more,
  parts: [{ first, step: 1, columns: { speed: Array.from({ length: last - first + 1 }, (_, i) => first + i), boost: [1] } }],
});
const feed = newFeed(["speed", "rpm"], 1);
feed.take(chunk(0, 5), 100);
feed.take(chunk(8, 11, { lost: 2, skipped: 1 }), 200);
same([feed.lost, feed.skipped, feed.lastTick, feed.value("speed", 12), feed.value("rpm", 12)], [2, 1, 11, 11, null]);
same(feed.value("speed", 11 + 121), null); // older than two seconds is not now
same(read(feed.rings.get("speed"), 0).map(([tick]) => tick), [0, 1, 2, 3, 4, 5, 8, 9, 10, 11]);
feed.take(chunk(3, 4, { recording: "bb" }), 300); // another recording: its ticks begin anew
same(read(feed.rings.get("speed"), 0).map(([tick]) => tick), [3, 4]);

// --- cars move from one field to the next, over the line too, and never ahead of the newest
const field = (tick, ...parts) => ({ tick, cars: parts.map((part, i) => [i, part, 1, 1, 1, false, 0]) });
const fields = newFeed(["speed"], 1);
same(carsAt(fields, 0), []);
fields.take(chunk(0, 5, { field: field(0, 0.1, 0.96) }), 0);
same(carsAt(fields, 3), [[0, 0.1], [1, 0.96]]);
fields.take(chunk(6, 17, { field: field(12, 0.2, 0.04, 0.5) }), 200);
const half = carsAt(fields, 6).map(([index, part]) => [index, Number(part.toFixed(6))]);
same(half, [[0, 0.15], [1, 0], [2, 0.5]]);
same(carsAt(fields, 60).map(([, part]) => part), [0.2, 0.04, 0.5]);

// --- the map: a shape fills its room, the same scale both ways; without one a circle
const shape = { position: [0, 0.25, 0.5, 0.75, 1], east: [0, 100, 0, -100, 0], north: [50, 0, -50, 0, 50] };
const place = placer(shape, 344, 444);
same([place(0), place(0.25), place(0.125), place(0.75)], [[172, 147], [322, 222], [247, 184.5], [22, 222]]);
same(placer(null, 144, 144)(0.25).map(Math.round), [122, 72]);

// --- scales and holes
same(niceScale([[0, 31, null]]), { low: 0, high: 40, step: 10 });
same(niceScale([[null], []]), { low: 0, high: 1, step: 1 });
same(niceScale([[5, 5]], 2), { low: 4, high: 6, step: 0.5 });
same(niceScale([[1, 3]], 2, 1), { low: 1, high: 3, step: 1 });
ok(niceScale([[0.001, -0.002]], 0.2).high >= 0.09);
same(stretchesOf([null, 1, 2, null, 3]), [[1, 2], [4, 4]]);
same([nearest(0, 0.5), nearest(11, 0.5), nearest(11, -1), nearest(11, 9)], [-1, 5, 0, 10]);

// --- words
same([lapText(null), lapText(59.9994), lapText(59.9996), lapText(90.0005), lapText(61.5)], ["–", "59.999", "1:00.000", "1:30.001", "1:01.500"]);
same([signed(0.0004, 3), signed(-0.3, 3), signed(12, 1)], ["±0.000", "−0.300", "+12.0"]);
same([gapText(null, 90), gapText(3, 90), gapText(-3.04, 90), gapText(-95, 90), gapText(181, 90), gapText(95, 0)], ["–", "+3.0", "−3.0", "−1 lap", "+2 laps", "+95.0"]);
same([gearText(null), gearText(-1), gearText(0), gearText(4)], ["–", "R", "N", "4"]);
same([steeringText(null), steeringText(-12.4), steeringText(12.6), steeringText(-0.2)], ["–", "12° left", "13° right", "0°"]);
same([figure(null), figure(NaN), figure(-0.001, 1), figure(-3.14159, 2)], ["–", "–", "0.0", "−3.14"]);
same([oldness(null), oldness(83), oldness(1534), oldness(125000)], ["age not known", "80 ms old", "1.5 s old", "2 min old"]);
same([lossText({ loss: null }), lossText({ loss: 0, lost: 0 }), lossText({ loss: 0.0025, lost: 9 })], ["loss not known", "nothing lost", "0.25 % lost"]);
