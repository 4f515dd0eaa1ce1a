// All pages: one file of markup, and the room of the page that the address names. Going from page to page neither
// loads anything nor lets go of the stream.

import { showAge } from "/static/age.js";
import { keepAge, keepTree, keptTree } from "/static/device.js";
import { openFields } from "/static/fields.js";
import { openLink } from "/static/link.js";
import { openNow } from "/static/now.js";
import { openPilot } from "/static/pilot.js";
import { openPilots } from "/static/pilots.js";
import { openRaceWhole } from "/static/race.js";
import { openResults } from "/static/results.js";
import { openSchedule } from "/static/schedule.js";
import { openShare } from "/static/share.js";
import { address, ageNow, asked, shown, takeAge } from "/static/shown.js";
import { openStatus } from "/static/status.js";
import { make, setAttribute, setText } from "/static/text.js";
import { Changes } from "/static/tree.js";

const ROOMS = {
  "/": openNow,
  "/schedule": openSchedule,
  "/pilots": openPilots,
  "/pilot": openPilot,
  "/race": openRaceWhole,
  "/results": openResults,
  "/status": openStatus,
};
const ABOVE = { "/pilot": "/pilots", "/race": "/schedule" }; // which of the pages below in the bar it belongs to
const KEEP_MS = 15000;
const main = document.getElementById("main");
const changes = new Changes();
let room = null;
let choice = null; // {sites}, while a field is to be chosen
let willDraw = false;

function enter() {
  room?.close?.();
  const title = make("h1");
  title.tabIndex = -1;
  title.dir = "auto";
  const root = make("div", "room");
  main.replaceChildren(title, root);
  const path = location.pathname in ROOMS ? location.pathname : "/";
  if (path === "/") title.setAttribute("aria-live", "polite");
  if (choice !== null && path !== "/status") room = openFields(root, title, choice, asked);
  else room = ROOMS[path](root, title, new URLSearchParams(location.search));
  if (title.textContent === "") setText(title, "Connecting …");
  else document.title = title.textContent;
  for (const link of document.querySelectorAll("#pages a")) {
    setAttribute(link, "aria-current", link.dataset.path === (ABOVE[path] ?? path) ? "page" : null);
  }
  setAttribute(document.body, "data-page", path.slice(1) || "now");
  changes.addAll();
  draw();
  return title;
}

function go(href) {
  history.pushState(null, "", href);
  enter().focus({ preventScroll: true });
  window.scrollTo(0, 0);
}

// Drawn once for all that came meanwhile, and not at all while nobody looks.
function draw() {
  if (willDraw) return;
  willDraw = true;
  requestAnimationFrame(() => {
    willDraw = false;
    if (shown.tree === null || choice !== null || changes.isEmpty) return;
    setText(document.getElementById("event"), shown.tree.event?.name ?? "");
    document.body.classList.toggle("is-live", shown.tree.now.phase === "live");
    room.draw(shown.tree, changes);
    changes.clear();
  });
}

function showTree(tree) {
  shown.tree = tree;
  changes.addAll();
  draw();
}

function showSites(told) {
  const was = choice;
  choice = told.site === null ? told : null;
  document.getElementById("other-fields").hidden = told.sites.length < 2;
  if (choice !== null) {
    takeAge({});
    setText(document.getElementById("event"), "");
  }
  if (choice !== null || was !== null) enter();
}

function follow(event) {
  const link = event.target.closest?.("a[href]");
  if (!link || link.dataset.whole !== undefined || event.button !== 0) return;
  if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  if (link.origin !== location.origin || !(link.pathname in ROOMS)) return;
  event.preventDefault();
  go(link.href);
}

for (const link of document.querySelectorAll("#pages a, #below a[data-path]")) link.href = address(link.dataset.path);
openShare(document.getElementById("share"), document.getElementById("sharing"));
document.addEventListener("click", follow);
window.addEventListener("popstate", enter);

const kept = keptTree(asked);
if (kept !== null) {
  shown.tree = kept.tree;
  takeAge(kept);
}
enter();
showAge();
const link = openLink(asked, kept, {
  sites: showSites,
  tree: showTree,
  patch(tree, patch) {
    shown.tree = tree;
    changes.add(patch);
    draw();
  },
  age(told) {
    shown.isConnected = true;
    takeAge(told);
    showAge();
  },
  lost() {
    shown.isConnected = false;
    showAge();
  },
});

let keptName = kept?.id ?? null;

function keep() {
  const age_s = ageNow();
  if (shown.tree === null || choice !== null || age_s === null || link.version() === null) return;
  if (link.version() !== keptName) keepTree(asked, link.version(), shown.tree);
  keptName = link.version();
  keepAge(asked, keptName, age_s, shown.staleAfter_s);
}

setInterval(() => {
  showAge();
  room.tick?.();
}, 250);
setInterval(keep, KEEP_MS);
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "hidden") keep();
});
window.addEventListener("pagehide", keep);
navigator.serviceWorker?.register("/sw.js").catch(() => {}); // only where the browser trusts the way here
