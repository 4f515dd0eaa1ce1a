// The pages of telemetry: one file of markup, and the room of the page that the address names. Going from page to page
// neither loads anything nor lets go of the stream.

import { asked, isSignedIn, openSignIn, signOut } from "/static/heatlogin.js";
import { openCompare } from "/static/telcompare.js";
import { openLive, openTeamLink } from "/static/tellive.js";
import { openReplay } from "/static/telreplay.js";
import { openSession, openSessions } from "/static/telsessions.js";
import { silence_s, team } from "/static/telshown.js";
import { clockWords } from "/static/telwords.js";
import { ageText, make, setAttribute, setText } from "/static/text.js";

const TEL_ROOMS = { "/": openLive, "/sessions": openSessions, "/session": openSession, "/compare": openCompare, "/replay": openReplay };
const UNDER = { "/session": "/sessions", "/replay": "/sessions" };
const AGAIN_MS = 3000;
const SILENT_S = 2;
const main = document.getElementById("main");
const at = (id) => document.getElementById(id);
let room = null;
let link = null;
let title = null;
let isIn = false; // somebody is let in
let timer = 0;

function enter() {
  room?.close?.();
  room = null;
  title = make("h1");
  title.tabIndex = -1;
  title.dir = "auto";
  const root = make("div", "room");
  main.replaceChildren(title, root);
  const path = location.pathname in TEL_ROOMS ? location.pathname : "/";
  for (const one of document.querySelectorAll("#pages a")) setAttribute(one, "aria-current", one.dataset.path === (UNDER[path] ?? path) ? "page" : null);
  setAttribute(document.body, "data-page", path.slice(1) || "live");
  if (!isIn) setText(title, "Connecting …");
  else {
    room = TEL_ROOMS[path](root, title, new URLSearchParams(location.search));
    room.draw();
  }
  return title;
}

function showAge() {
  const isOld = isIn && !team.isConnected && silence_s() > SILENT_S;
  const error_ms = team.clock.error();
  const seen = team.seen.p95();
  const facts = team.isConnected ? ["Connected"] : isIn ? ["No connection, trying again …"] : [];
  if (team.isConnected && error_ms !== null) facts.push(clockWords(error_ms / 1000));
  if (team.isConnected && seen !== null && location.pathname === "/") facts.push("seen within " + Math.round(seen) + " ms");
  setText(at("age"), facts.join(" · "));
  at("age").classList.toggle("fresh-age", team.isConnected);
  document.body.classList.toggle("is-stale", isOld && location.pathname === "/");
  at("stale").hidden = !isOld;
  if (isOld) setText(at("stale-age"), "for " + ageText(silence_s()));
}

// Who asks; then the team is followed.
async function begin() {
  clearTimeout(timer);
  link?.close();
  link = null;
  try {
    const answer = await asked("/api/telemetry/drivers", { cache: "no-store", signal: AbortSignal.timeout(15000) });
    if (answer.status === 401 || answer.status === 403) return ask(answer.status);
    if (!answer.ok) throw new Error("answered " + answer.status);
    const told = await answer.json();
    team.me = told.me;
    setText(at("who"), told.me !== null ? "Sign out " + told.me.name : "Sign in");
    link = openTeamLink({ changed, refused: () => (timer = setTimeout(begin, AGAIN_MS)) });
    if (!isIn) {
      isIn = true;
      enter();
    }
  } catch {
    team.isConnected = false;
    showAge();
    if (!isIn) setText(title, "No answer. Trying again …");
    timer = setTimeout(begin, AGAIN_MS * (0.5 + Math.random()));
  }
  return undefined;
}

function changed() {
  if (location.pathname === "/" || !(location.pathname in TEL_ROOMS)) room?.draw();
  showAge();
}

function ask(status) {
  isIn = false;
  team.drivers.clear();
  setText(at("who"), isSignedIn() ? "Sign out" : "Sign in");
  enter();
  setText(title, status === 403 ? "You may not look at this team" : "Sign in to see the team");
  document.title = title.textContent;
  const button = make("button", "main", "Sign in");
  button.type = "button";
  button.addEventListener("click", () => openSignIn(at("asking"), begin));
  main.querySelector(".room").append(button);
}

function go(event) {
  const one = event.target.closest?.("a[href]");
  if (!one || !one.dataset.path || event.button !== 0) return;
  if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  history.pushState(null, "", one.href);
  enter().focus({ preventScroll: true });
  window.scrollTo(0, 0);
}

document.addEventListener("click", go);
window.addEventListener("popstate", enter);
at("asking").addEventListener("click", (event) => event.target === at("asking") && at("asking").close());
at("who").addEventListener("click", async () => {
  if (!isSignedIn()) return openSignIn(at("asking"), begin);
  await signOut();
  return begin();
});
enter();
begin();
setInterval(() => {
  showAge();
  room?.tick?.();
}, 500);
