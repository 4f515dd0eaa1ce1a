// Laps beside each other, before anything is drawn: scales, stretches without a hole, where the cursor is.

// Round steps around all that is known: {low, high, step}; of nothing: 0 to 1.
export function niceScale(lists, least = 0, leastStep = 0) {
  let low = Infinity;
  let high = -Infinity;
  for (const list of lists) {
    for (const value of list) {
      if (value === null || value === undefined) continue;
      if (value < low) low = value;
      if (value > high) high = value;
    }
  }
  if (low > high) return { low: 0, high: 1, step: 1 };
  const middle = (low + high) / 2;
  if (high - low < least) [low, high] = [middle - least / 2, middle + least / 2];
  const rough = Math.max(high - low, 1e-6) / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = Math.max(leastStep, [1, 2, 5, 10].map((one) => one * power).find((one) => one >= rough));
  return { low: Math.floor(low / step + 1e-9) * step, high: Math.ceil(high / step - 1e-9) * step, step };
}

// The stretches of known values: [first, last] indices.
export function stretchesOf(values) {
  const found = [];
  let first = -1;
  for (let i = 0; i <= values.length; i++) {
    const isKnown = i < values.length && values[i] !== null;
    if (isKnown && first < 0) first = i;
    if (!isKnown && first >= 0) {
      found.push([first, i - 1]);
      first = -1;
    }
  }
  return found;
}

// The index nearest to a share of the way; positions are even.
export function nearest(count, share) {
  return count === 0 ? -1 : Math.min(Math.max(Math.round(share * (count - 1)), 0), count - 1);
}
