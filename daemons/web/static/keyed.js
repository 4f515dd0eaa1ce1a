// A list of nodes that follow a list of keys: a node is made once, filled when what it shows has changed, and moved only
// when its place has.

import { make } from "/static/text.js";

const nodesOf = new WeakMap();

// `begin(key)` returns a node, `fill(node, key)` sets what it shows; `isTouched(key)` says whether that may have changed.
export function keyed(parent, keys, begin, fill, isTouched = () => true) {
  const before = nodesOf.get(parent) ?? new Map();
  const after = new Map();
  let place = parent.firstChild;
  for (const key of keys) {
    if (after.has(key)) continue;
    const known = before.get(key);
    const node = known ?? begin(key);
    if (known === undefined || isTouched(key)) fill(node, key);
    after.set(key, node);
    if (node === place) place = place.nextSibling;
    else parent.insertBefore(node, place);
  }
  for (const [key, node] of before) if (!after.has(key)) node.remove();
  nodesOf.set(parent, after);
}

// A table with its caption (for those who hear it) and headings; rows go into `table.body`.
export function tableOf(caption, headings, className = "") {
  const top = make("tr");
  for (const [text, kind] of headings) {
    const cell = make("th", kind, text);
    cell.scope = "col";
    top.append(cell);
  }
  const table = make("table", className, make("caption", "unseen", caption), make("thead", "", top));
  table.body = make("tbody");
  table.append(table.body);
  return table;
}
