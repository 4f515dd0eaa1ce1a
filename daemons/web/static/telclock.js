// What time it is at the server, to within half the way there and back; and how long after it happened something is seen.

const CLOCK_SAMPLES = 8;
const SEEN_SAMPLES = 1200;

// A clock that is told how long a question took: of the last answers, the quickest is right, to within half its way.
export function newServerClock() {
  const samples = [];
  return {
    // All in ms: when it was asked and answered by our monotonic clock, what the server's clock said between.
    hear(asked_ms, answered_ms, server_ms) {
      samples.push({ half: (answered_ms - asked_ms) / 2, ahead: server_ms - (asked_ms + answered_ms) / 2 });
      if (samples.length > CLOCK_SAMPLES) samples.shift();
    },
    // Null before the first answer.
    now(mono_ms) {
      const best = this.best();
      return best === null ? null : mono_ms + best.ahead;
    },
    error() {
      return this.best()?.half ?? null;
    },
    best() {
      return samples.reduce((best, one) => (best === null || one.half < best.half ? one : best), null);
    },
  };
}

// Of the last ones, what 95 of 100 are not above; null of none.
export function newSeen() {
  const kept = [];
  return {
    add(value) {
      kept.push(value);
      if (kept.length > SEEN_SAMPLES) kept.shift();
    },
    p95() {
      if (kept.length === 0) return null;
      const sorted = [...kept].sort((a, b) => a - b);
      return sorted[Math.min(sorted.length - 1, Math.floor(0.95 * sorted.length))];
    },
    count: () => kept.length,
  };
}
