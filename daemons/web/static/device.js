// What stays on the device and is never sent: favourite pilots, and the last tree with its age, for a field without a net.

const FAVOURITES = "pitlink.favourites";
const TREE = "pitlink.tree.";
const AGE = "pitlink.age.";
const FAVOURITES_MAX = 100;

function read(key) {
  try {
    return JSON.parse(localStorage.getItem(key));
  } catch {
    return null; // nothing may be kept here, or it is not ours
  }
}

function write(key, value) {
  try {
    localStorage.setItem(key, JSON.stringify(value));
  } catch {
    // full or forbidden: the pages work without
  }
}

export function favourites() {
  const kept = read(FAVOURITES);
  return new Set(Array.isArray(kept) ? kept : []);
}

export function setFavourite(id, isOne) {
  const kept = favourites();
  kept.delete(id);
  if (isOne) kept.add(id);
  write(FAVOURITES, [...kept].slice(-FAVOURITES_MAX));
}

export function keepTree(site, id, tree) {
  write(TREE + (site ?? ""), { id, tree });
}

// The age goes on growing from here by the device's own clock, right or wrong: only its differences count.
export function keepAge(site, id, age_s, stale_after_s) {
  write(AGE + (site ?? ""), { id, age_s, stale_after_s, at: Date.now() });
}

// {id, tree, age_s: its age by now, stale_after_s} or null.
export function keptTree(site) {
  const kept = read(TREE + (site ?? ""));
  const age = read(AGE + (site ?? ""));
  if (typeof kept?.tree?.now !== "object" || kept.tree.now === null || age?.id !== kept.id) return null;
  const age_s = age.age_s + Math.max(0, (Date.now() - age.at) / 1000);
  return { id: kept.id, tree: kept.tree, age_s, stale_after_s: age.stale_after_s };
}
