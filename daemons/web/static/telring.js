// The last seconds of a driver's channels, in order of ticks; and which tick it is now. Nothing here is drawn.

// Holds the newest `room` samples. Samples come in ascending ticks; what comes late or twice is left out.
export function newRing(room) {
  const ticks = new Float64Array(room);
  const values = new Float32Array(room);
  let head = 0;
  let size = 0;
  return {
    add(tick, value) {
      if (size > 0 && tick <= ticks[(head + room - 1) % room]) return;
      ticks[head] = tick;
      values[head] = value === null ? NaN : value;
      head = (head + 1) % room;
      if (size < room) size++;
    },
    // Calls back for each sample from a tick on, in order, with the one before it first: its line comes from there.
    from(tick, back) {
      let begin = size;
      while (begin > 0 && ticks[(head + room - size + begin - 1) % room] >= tick) begin--;
      for (let i = Math.max(0, begin - 1); i < size; i++) {
        const at = (head + room - size + i) % room;
        back(ticks[at], values[at]);
      }
    },
    last: () => (size === 0 ? null : { tick: ticks[(head + room - 1) % room], value: values[(head + room - 1) % room] }),
    clear() {
      size = 0;
    },
  };
}

const SMOOTH = 0.08;
const JUMP_MS = 400;

// Which tick it is now, smoothly: each chunk says when one tick was, which jitters by some ms.
export function newTickClock() {
  let zero = null; // the ms at which tick 0 would have been
  let perMs = 0.06;
  return {
    hear(tick, at_ms, rate, speed = 1) {
      const next = (rate * speed) / 1000;
      const found = at_ms - tick / next;
      if (zero === null || next !== perMs || Math.abs(found - zero) > JUMP_MS) zero = found;
      else zero += SMOOTH * (found - zero);
      perMs = next;
    },
    now: (at_ms) => (zero === null ? null : (at_ms - zero) * perMs),
    reset() {
      zero = null;
    },
  };
}

// A driver's rings, filled from chunks as the stream has them.
export function newFeed(names, seconds) {
  const rings = new Map(names.map((name) => [name, newRing(Math.ceil(seconds * 60) + 60)]));
  const feed = {
    rings,
    clock: newTickClock(),
    recording: null,
    rate: 60,
    lastTick: null,
    field: null,
    before: null, // the field before that one: cars move from there
    lost: 0,
    skipped: 0,
    take(chunk, at_ms, speed = 1) {
      if (chunk.recording !== feed.recording || (feed.lastTick !== null && chunk.first < feed.lastTick - 600)) feed.clear();
      feed.recording = chunk.recording;
      feed.rate = chunk.rate;
      feed.lost += chunk.lost;
      feed.skipped += chunk.skipped;
      feed.lastTick = chunk.last;
      if (at_ms !== null) feed.clock.hear(chunk.last, at_ms, chunk.rate, speed);
      for (const part of chunk.parts) {
        for (const [name, values] of Object.entries(part.columns)) {
          const ring = rings.get(name);
          if (ring === undefined) continue;
          for (let i = 0; i < values.length; i++) ring.add(part.first + i * part.step, values[i]);
        }
      }
      if (chunk.field !== null && chunk.field.tick !== feed.field?.tick) {
        feed.before = feed.field;
        feed.field = chunk.field;
      }
    },
    // The newest value of a channel, null when it is not known or older than `seconds_old`.
    value(name, nowTick, seconds_old = 2) {
      const last = rings.get(name)?.last() ?? null;
      if (last === null || Number.isNaN(last.value) || (nowTick !== null && nowTick - last.tick > seconds_old * feed.rate)) return null;
      return last.value;
    },
    clear() {
      for (const ring of rings.values()) ring.clear();
      feed.clock.reset();
      feed.field = feed.before = feed.lastTick = null;
    },
  };
  return feed;
}

// Where the cars are at a tick: [index, part of the lap] between the last two fields, never ahead of the newest.
export function carsAt(feed, tick) {
  const { field, before } = feed;
  if (field === null) return [];
  const span = before === null ? 0 : field.tick - before.tick;
  const share = span > 0 && span < 5 * feed.rate && tick !== null ? Math.min(Math.max((tick - before.tick) / span, 0), 1) : 1;
  const earlier = new Map((before?.cars ?? []).map((car) => [car[0], car[1]]));
  return field.cars.map(([index, part]) => {
    const was = earlier.get(index);
    if (was === undefined || share === 1) return [index, part];
    let step = part - was;
    if (step < -0.5) step += 1; // over the line
    if (step > 0.5) step -= 1;
    return [index, (was + share * step + 1) % 1];
  });
}
