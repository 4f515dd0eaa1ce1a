// The pages of a house: one file of markup, and the room of the page that the address names. Going from page to page
// neither loads anything nor lets go of the stream.

import { openCommands } from "/static/heatcommands.js";
import { openEvents } from "/static/heatevents.js";
import { openFigures } from "/static/heatfigures.js";
import { openGraphs } from "/static/heatgraphs.js";
import { openHouse } from "/static/heathouse.js";
import { openHeatLink } from "/static/heatlink.js";
import { asked, isSignedIn, openSignIn, signOut } from "/static/heatlogin.js";
import { followOrders } from "/static/heatorder.js";
import { openWeek } from "/static/heatschedule.js";
import { heatAddress, hearAge, home, isOffline, setUnits, stateAge, whyOffline } from "/static/heatshown.js";
import { ageText, linkTo, make, named, setAttribute, setText } from "/static/text.js";

const ROOMS = { "/": openHouse, "/schedule": openWeek, "/graphs": openGraphs, "/events": openEvents, "/figures": openFigures, "/commands": openCommands };
const RETRY_MS = 3000;
const main = document.getElementById("main");
const at = (id) => document.getElementById(id);
let room = null;
let link = null;
let isWaiting = true; // no house is shown: a choice, a question, or nothing heard yet
let willDraw = false;
let title = null;
let timer = 0;

function enter() {
  room?.close?.();
  room = null;
  title = make("h1");
  title.tabIndex = -1;
  title.dir = "auto";
  const root = make("div", "room");
  main.replaceChildren(title, root);
  const path = location.pathname in ROOMS ? location.pathname : "/";
  for (const one of document.querySelectorAll("#pages a")) setAttribute(one, "aria-current", one.dataset.path === path ? "page" : null);
  setAttribute(document.body, "data-page", path.slice(1) || "house");
  if (isWaiting) setText(title, "Connecting …");
  else {
    room = ROOMS[path](root, title, new URLSearchParams(location.search));
    room.draw();
  }
  return title;
}

function draw() {
  if (willDraw) return;
  willDraw = true;
  requestAnimationFrame(() => {
    willDraw = false;
    if (home.house === null) return;
    setText(at("event"), location.pathname === "/" ? "" : home.house.title);
    if (isWaiting) {
      isWaiting = false;
      enter();
    } else room?.draw();
    showAge();
  });
}

function showAge() {
  const age_s = stateAge();
  const isOld = home.age !== null && (isOffline() || (!home.isConnected && age_s === null));
  let words = home.age === null ? "" : age_s === null ? "Never heard of" : age_s < 20 ? "Up to date" : ageText(age_s) + " old";
  if (!home.isConnected && home.age !== null) words = (words + " · no connection, trying again …").replace("Up to date · ", "");
  setText(at("age"), words);
  at("age").classList.toggle("fresh-age", home.isConnected && !isOld);
  document.body.classList.toggle("is-stale", isOld);
  at("stale").hidden = !isOld;
  if (!isOld) return;
  setText(at("stale-age"), age_s === null ? "nothing is known" : ageText(age_s) + " old");
  setText(at("stale-why"), whyOffline());
}

// Who asks, and which houses there are for them; then the house is followed.
async function begin() {
  clearTimeout(timer);
  link?.close();
  link = null;
  try {
    const answer = await asked("/api/houses", { cache: "no-store", signal: AbortSignal.timeout(15000) });
    if (answer.status === 401 || answer.status === 403) return ask(answer.status);
    if (!answer.ok) throw new Error("answered " + answer.status);
    const told = await answer.json();
    home.me = told.me;
    setText(at("who"), told.me !== null ? "Sign out " + told.me.name : "Sign in");
    at("other-houses").hidden = told.houses.length < 2;
    const names = told.houses.map((one) => one.house);
    home.name = home.asked !== null ? (names.includes(home.asked) ? home.asked : null) : names.length === 1 ? names[0] : null;
    if (home.name === null) return chooseHouse(told.houses);
    return follow();
  } catch {
    home.isConnected = false;
    showAge();
    if (title !== null && isWaiting) setText(title, "No answer. Trying again …");
    timer = setTimeout(begin, RETRY_MS * (0.5 + Math.random()));
    return undefined;
  }
}

function follow() {
  link = openHeatLink(home.name, {
    house(value) {
      home.house = value;
      draw();
    },
    state(value) {
      home.state = value;
      draw();
    },
    commands(value) {
      home.commands = value.commands;
      home.dead = value.dead;
      followOrders(value.commands);
      draw();
    },
    age(value) {
      hearAge(value);
      draw();
    },
    lost() {
      home.isConnected = false;
      showAge();
    },
    refused() {
      clearTimeout(timer);
      timer = setTimeout(begin, RETRY_MS);
    },
  });
}

function plainRoom(words) {
  isWaiting = true;
  home.house = home.state = home.age = null;
  enter();
  setText(title, words);
  document.title = words;
  setText(at("event"), "");
  showAge();
  return main.querySelector(".room");
}

function ask(status) {
  setText(at("who"), isSignedIn() ? "Sign out" : "Sign in");
  const root = plainRoom(status === 403 ? "You may not look at this house" : "Sign in to look at this house");
  const button = make("button", "main", "Sign in");
  button.type = "button";
  button.addEventListener("click", () => openSignIn(at("asking"), begin));
  root.append(button);
}

function chooseHouse(houses) {
  const words = houses.length === 0 ? "There is no house here yet" : home.asked !== null ? "There is no house called “" + home.asked + "” here" : "Which house?";
  const list = make("ul", "fields");
  for (const { house, title: called, age, alarms } of houses) {
    const about = [age.offline ? "OFFLINE" : "up to date", age.age_s === null ? "never heard of" : ageText(age.age_s) + " old", alarms ? alarms + " alarms" : ""];
    const one = linkTo("/?" + new URLSearchParams({ house }), age.offline ? "is-offline" : "", named(called), make("span", "sub", about.filter(Boolean).join(" · ")));
    list.append(make("li", "", one));
  }
  plainRoom(words).append(list);
}

function go(event) {
  const one = event.target.closest?.("a[href]");
  if (!one || one.dataset.whole !== undefined || !one.dataset.path || event.button !== 0) return;
  if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  history.pushState(null, "", one.href);
  enter().focus({ preventScroll: true });
  window.scrollTo(0, 0);
  draw();
}

function showUnits() {
  setText(at("units"), home.isF ? "Show °C" : "Show °F");
}

for (const one of document.querySelectorAll("#pages a")) one.href = heatAddress(one.dataset.path);
document.addEventListener("click", go);
window.addEventListener("popstate", () => {
  enter();
  draw();
});
window.addEventListener("signed-in", begin);
at("asking").addEventListener("click", (event) => event.target === at("asking") && at("asking").close());
at("units").addEventListener("click", () => {
  setUnits(!home.isF);
  showUnits();
  draw();
  room?.units?.();
});
at("who").addEventListener("click", async () => {
  if (!isSignedIn()) return openSignIn(at("asking"), begin);
  await signOut();
  return begin();
});
showUnits();
enter();
begin();
setInterval(() => {
  showAge();
  room?.tick?.();
}, 500);
