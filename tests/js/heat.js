// The pure parts of the pages of a house, joined as a page's are and run by node (tests/daemons/heating/web/test_scripts.py).

import { indexAt, pieces, scaleOf, spanOf, ticksOf } from "/static/heatplot.js";
import { eventReader } from "/static/heatsse.js";
import { dayStart, fieldInstant, instantOf, localField, localParts, momentText } from "/static/heattime.js";
import { degreesText, durationText, fieldText, stepped, toCelsius } from "/static/heatunits.js";
import { changedEntry, copiedDay, fromSettings, holdsAt, movedEntry, sameWeek, stretches, withEntry, withoutEntry } from "/static/heatweek.js";

const { deepStrictEqual: same, ok } = process.getBuiltinModule("node:assert");
const DENVER = "America/Denver";
const utc = (text) => Date.parse(text) / 1000;

// --- temperatures: °C is what is sent, whatever is shown
same([21.5, "21,5", " 21. ", "-4", "x", "", "1e3", "9".repeat(9)].map((text) => toCelsius(text, false)), [21.5, 21.5, 21, -4, NaN, NaN, NaN, NaN]);
same([toCelsius("70", true), toCelsius("32", true)], [21.11, 0]);
same([degreesText(null, false), degreesText(NaN, false), degreesText(0, false), degreesText(-0.04, false), degreesText(-6.5, false), degreesText(20, true)], ["–", "–", "0.0 °C", "0.0 °C", "−6.5 °C", "68.0 °F"]);
for (let f = 41; f <= 82; f++) same(fieldText(toCelsius(String(f), true), true), String(f)); // a °F that was typed is shown as typed
same([stepped(19.5, 1, false, 5, 28), stepped(19.6, 1, false, 5, 28), stepped(19.6, -1, false, 5, 28), stepped(28, 1, false, 5, 28)], [20, 20, 19.5, 28]);
same(fieldText(stepped(toCelsius("67", true), 1, true, 5, 28), true), "68");
same([durationText(null), durationText(59), durationText(5400), durationText(7260)], ["–", "59 s", "90 min", "2 h 01 min"]);

// --- times are those of the house; both changes of its clocks
same(localParts(utc("2026-03-08T09:30:00Z"), DENVER), { year: 2026, month: 3, day: 8, hour: 3, minute: 30, second: 0, weekday: 6 });
same(instantOf({ year: 2026, month: 3, day: 8, hour: 1, minute: 59 }, DENVER), utc("2026-03-08T08:59:00Z"));
same(instantOf({ year: 2026, month: 3, day: 8, hour: 2, minute: 30 }, DENVER), utc("2026-03-08T09:30:00Z")); // is not there: 03:30
same(instantOf({ year: 2026, month: 11, day: 1, hour: 1, minute: 30 }, DENVER), utc("2026-11-01T07:30:00Z")); // twice: the first
same(dayStart(utc("2026-03-08T20:00:00Z"), DENVER, 1) - dayStart(utc("2026-03-08T20:00:00Z"), DENVER), 23 * 3600);
same(dayStart(utc("2026-11-01T20:00:00Z"), DENVER, 1) - dayStart(utc("2026-11-01T20:00:00Z"), DENVER), 25 * 3600);
for (const text of ["2026-03-14T15:00:00Z", "2026-07-01T00:00:00Z", "2026-12-31T23:59:00Z"]) {
  for (const zone of [DENVER, "Asia/Kathmandu", "Pacific/Apia", "no/where"]) same(fieldInstant(localField(utc(text), zone), zone), utc(text));
}
same(fieldInstant("tomorrow", DENVER), NaN);
const now = utc("2026-03-14T15:00:00Z");
same([momentText(now + 3600, DENVER, now), momentText(now + 86400, DENVER, now), momentText(now + 30 * 86400, DENVER, now), momentText(null, DENVER, now)], ["10:00", "Sun 09:00", "13 Apr 09:00", ""]);

// --- a week as it is edited
const plain = [0, 1, 2, 3, 4, 5, 6].flatMap((day) => [{ day, minute: 360, celsius: 20 }, { day, minute: 1320, celsius: 17 }]);
same(holdsAt(plain, 0, 0).celsius, 17); // Sunday's evening holds over the end of the week
same(holdsAt([], 0, 0), null);
same(stretches(plain, 2).map(({ from, to, entry }) => [from, to, entry.celsius]), [[0, 360, 17], [360, 1320, 20], [1320, 1440, 17]]);
same(stretches([], 2), [{ from: 0, to: 1440, entry: null }]);
same(movedEntry(plain, 1, 360, 2000)[1], 1305); // never past its neighbour
same(movedEntry(plain, 1, 360, -50)[1], 0);
same(movedEntry(plain, 1, 361, 500), [plain, 361]); // there is none
same(movedEntry(plain, 1, 360, 367)[0], plain);
ok(sameWeek(withoutEntry(withEntry(plain, { day: 3, minute: 720, celsius: 21 }), 3, 720), plain));
same(withEntry(plain, { day: 3, minute: 360, celsius: 25 }).length, plain.length); // in place of what was there
same(changedEntry(plain, 0, 360, { is_on: true })[0], { day: 0, minute: 360, is_on: true });
const copied = copiedDay(withEntry(plain, { day: 2, minute: 720, celsius: 22 }), 2, [2, 6]);
same(stretches(copied, 6).map(({ from, entry }) => [from, entry.celsius]), [[0, 17], [360, 20], [720, 22], [1320, 17]]);
same(stretches(copied, 2).length, 4);
same(copiedDay([], 0, [1, 2]), []);
same(fromSettings([{ day: 1, minute: 30, target: { celsius: null, is_on: true } }, { day: 0, minute: 5, target: { celsius: 19, is_on: null } }]), [{ day: 0, minute: 5, celsius: 19 }, { day: 1, minute: 30, is_on: true }]);

// --- graphs: gaps stay gaps
same(pieces([0, 10, 20, 50, 60], [1, 2, null, 3, 4], 10), [[0, 1], [3, 4]]);
same(pieces([0, 10, 40, 50], [1, 2, 3, 4], 10), [[0, 1], [2, 3]]);
same(pieces([], [], 10), []);
same(scaleOf([[19.2, null, 20.7]]), { low: 19, high: 21, step: 1 });
same(scaleOf([[null]]), { low: 14, high: 26, step: 2 });
ok(scaleOf([[20, 20]]).high > scaleOf([[20, 20]]).low);
same([indexAt([], 10, 5), indexAt([0, 10, 40], 10, 12), indexAt([0, 10, 40], 10, 38), indexAt([0, 10, 40], 10, -9), indexAt([0, 10, 40], 10, 999)], [-1, 1, 2, 0, 2]);
for (const [kind, least] of [["day", 4], ["week", 7], ["month", 6], ["year", 12]]) {
  const { from, to } = spanOf(kind, now, DENVER, 0);
  ok(from < now && now < to);
  same(spanOf(kind, now, DENVER, 1).to, from); // what was before joins without a gap
  const ticks = ticksOf(from, to, DENVER);
  ok(ticks.length >= least && ticks.length <= 14, kind + " has " + ticks.length);
}

// --- events, however they are cut
const stream = "retry: 1\n\nid: a.b.c\nevent: age\ndata: {\"x\":1}\n\n: nothing\r\n\r\nevent: state\ndata: 1\ndata: 2\n\n";
for (const size of [1, 2, 7, 1000]) {
  const heard = [];
  const take = eventReader((kind, data, id) => heard.push([kind, data, id]));
  for (let i = 0; i < stream.length; i += size) take(stream.slice(i, i + size));
  same(heard, [["age", '{"x":1}', "a.b.c"], ["state", "1\n2", "a.b.c"]]);
}
