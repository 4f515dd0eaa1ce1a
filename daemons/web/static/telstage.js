// What live and replay have alike: cards with curves, the map, the order of the race. One loop draws them all.

import { keyed } from "/static/keyed.js";
import { openCard } from "/static/telcard.js";
import { team } from "/static/telshown.js";
import { drawMap } from "/static/telmap.js";
import { make, section, setAttribute, setText } from "/static/text.js";
import { openTower } from "/static/teltower.js";

const WORDS_MS = 200;
const CALM_MS = 1000; // for who has asked for little motion
const MAP_LATE_S = 0.2; // cars move from one field to the next: they are drawn this late

// `ones()`: the drivers, each {name, state, entries, feed}. `factsOf(one)`: {isLive, age_ms, why, note, tick}: `tick` is
// which one it is now, null when that is not known. `watched()`: whose map and order are shown, null: nobody's.
// `onFrame()` is called before each drawing.
export function openStage(root, { ones, factsOf, watched, onFrame }) {
  const cards = make("div", "drivers");
  const map = make("canvas", "map");
  map.setAttribute("role", "img");
  const mapWords = make("p", "sub");
  const tower = openTower();
  const shown = new Map();
  const aside = make("div", "aside", section("Track", make("div", "map-box", map), mapWords), section("Cars", tower.node));
  root.append(make("div", "stage-columns", cards, aside));
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  let wordsAt = -Infinity;
  let paintedAt = -Infinity;
  let frame = 0;
  let isOver = false;

  function words(all) {
    keyed(cards, all.map((one) => one.name), (name) => {
      const card = openCard(name);
      shown.set(name, card);
      return card.node;
    }, () => {});
    for (const [name, card] of shown) {
      if (all.some((one) => one.name === name)) continue;
      card.close();
      shown.delete(name);
    }
    for (const one of all) {
      const facts = factsOf(one);
      shown.get(one.name).words(one, facts);
      shown.get(one.name).figures(one.feed, facts.isLive, facts.tick);
    }
    const one = watched();
    const facts = one === null ? null : factsOf(one);
    const hasField = facts !== null && facts.isLive && one.feed.field !== null;
    const shape = one === null ? null : team.shapes.get(one.state?.track) ?? null;
    const of = one === null ? "" : shape === null ? "The shape of this track has not been learned yet: a circle, by the part of the lap." : "Cars by their part of the lap, estimated; the track was " + shape.source + ".";
    setText(mapWords, of);
    setAttribute(map, "aria-label", hasField ? "Map of the track with " + one.feed.field.cars.length + " cars" : "Map of the track; no car is known on it now");
    const lap_s = one?.state?.lap_estimate_s ?? 0;
    tower.show(hasField ? one.feed.field.cars : [], one?.entries ?? new Map(), one?.state?.car_index ?? -1, lap_s, hasField ? "" : "No cars are known now.");
  }

  function paint(at) {
    if (isOver) return;
    frame = requestAnimationFrame(paint);
    onFrame?.();
    const all = ones();
    if (at - wordsAt >= WORDS_MS) {
      wordsAt = at;
      words(all);
    }
    if (calm.matches && at - paintedAt < CALM_MS) return;
    paintedAt = at;
    for (const one of all) shown.get(one.name)?.paint(one.feed, factsOf(one).tick);
    const one = watched();
    const facts = one === null ? null : factsOf(one);
    const shape = one === null ? null : team.shapes.get(one.state?.track) ?? null;
    const tick = facts === null || facts.tick === null ? null : facts.tick - MAP_LATE_S * one.feed.rate;
    const cars = drawMap(map, shape, facts?.isLive ? one.feed : null, tick, one?.entries ?? new Map(), one?.state?.car_index ?? -1);
    setAttribute(map, "data-cars", String(cars));
  }
  frame = requestAnimationFrame(paint);

  return {
    // Words at once, not at the next turn.
    refresh() {
      wordsAt = -Infinity;
    },
    close() {
      isOver = true;
      cancelAnimationFrame(frame);
      for (const card of shown.values()) card.close();
    },
  };
}
