// Pilots: all of them, those who are followed on this device first, each with when he flies next.

import { favourites, setFavourite } from "/static/device.js";
import { flightLine } from "/static/flight.js";
import { keyed } from "/static/keyed.js";
import { shown } from "/static/shown.js";
import { make, setAttribute, setText } from "/static/text.js";

export function openPilots(root, title) {
  setText(title, "Pilots");
  const box = make("input");
  box.type = "search";
  box.autocomplete = "off";
  box.placeholder = "Name";
  const label = make("label", "search", make("span", "", "Find a pilot"), box);
  const list = make("ul", "flights pilots");
  const none = make("p", "about", "No pilots.");
  root.append(label, none, list);
  box.addEventListener("input", () => shown.tree && draw(shown.tree));

  function draw(tree, changes) {
    const wanted = box.value.trim().toLocaleLowerCase();
    const mine = favourites();
    const pilots = Object.entries(tree.pilots ?? {}).filter(([, pilot]) => pilot.name.toLocaleLowerCase().includes(wanted));
    pilots.sort(([a, first], [b, second]) => mine.has(b) - mine.has(a) || first.name.localeCompare(second.name));
    none.hidden = pilots.length > 0;
    const isTouched = (id) => changes === undefined || changes.touch("now", "event") || changes.pilots.has(id);
    keyed(list, pilots.map(([id]) => id), begin, fill, isTouched);

    function fill(node, id) {
      node.fill(tree.pilots[id], tree);
      node.star.fill(tree.pilots[id].name);
    }
  }

  function begin(id) {
    const node = flightLine(id);
    node.star = starButton(id, () => draw(shown.tree));
    node.prepend(node.star);
    return node;
  }

  return { draw };
}

// A switch: is this pilot followed on this device?
export function starButton(id, then) {
  const button = make("button", "star");
  button.type = "button";
  button.fill = (name) => {
    const isOne = favourites().has(id);
    setText(button, isOne ? "★" : "☆");
    setAttribute(button, "aria-pressed", String(isOne));
    setAttribute(button, "aria-label", "Follow " + name);
  };
  button.addEventListener("click", () => {
    setFavourite(id, !favourites().has(id));
    then();
    button.focus(); // it may stand elsewhere now
  });
  return button;
}
