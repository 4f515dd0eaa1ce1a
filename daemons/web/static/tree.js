// The tree of a site: all that the pages show of its event, kept up to date by merge patches (RFC 7396).

function isMap(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

// Changes the target; what a page holds of it stays valid but for what is deleted.
export function merge(target, patch) {
  for (const [key, value] of Object.entries(patch)) {
    if (key === "__proto__") continue; // assigned, it would not be a key
    if (value === null) delete target[key];
    else if (!isMap(value)) target[key] = value;
    else {
      if (!Object.hasOwn(target, key) || !isMap(target[key])) target[key] = {};
      merge(target[key], value);
    }
  }
  return target;
}

// What has changed since the page was last drawn.
export class Changes {
  constructor() {
    this.clear();
  }

  clear() {
    this.isAll = false;
    this.parts = new Set();
    this.races = new Set();
    this.pilots = new Set();
  }

  get isEmpty() {
    return !this.isAll && this.parts.size === 0;
  }

  add(patch) {
    for (const part of Object.keys(patch)) this.parts.add(part);
    for (const id of Object.keys(patch.races ?? {})) this.races.add(id);
    for (const id of Object.keys(patch.pilots ?? {})) this.pilots.add(id);
  }

  addAll() {
    this.isAll = true;
  }

  // Is one of these parts of the tree another one now?
  touch(...parts) {
    return this.isAll || parts.some((part) => this.parts.has(part));
  }
}
