// What a race was before: every version of its files, and the head of the chain that proves them (docs/race-director.md).
// Few ask for it, so it is loaded when somebody does.

import { keyed, tableOf } from "/static/keyed.js";
import { bytesText, linkTo, make, setAttribute, setText } from "/static/text.js";

const ASK_MS = 10000;
const SETTLED_MS = 2500; // a version is kept a second after it was read
const EMPTY_BYTES = 8; // "[]", with whatever stands around it
const DIGITS = 12; // of a head; so many are enough to be known by

export function openVersions(root, asked, race, zone) {
  const words = make("p", "about", "Looking …");
  words.setAttribute("role", "status");
  const head = make("code", "head");
  const when = make("span", "sub");
  const command = make("code", "command");
  const whole = linkTo("", "more", "The whole history");
  whole.download = "";
  const table = tableOf("Versions of this race's files, the newest first", [["No.", ""], ["Read at", ""], ["File", "file"], ["Size", "figure"]], "versions");
  const shown = make(
    "div",
    "proof",
    make("p", "", "Head of its history: ", head, " ", when),
    make("p", "about", "Note it, or take a picture: whoever has it can show later that nothing up to there was changed, left out or moved, with"),
    command,
    whole,
    table,
  );
  shown.hidden = true;
  root.append(words, shown);
  let site = null; // whose memory was told of: another's is another history
  let versions = []; // all there are, number 1 first
  let timer = 0;
  let isAsking = false;

  async function look() {
    clearTimeout(timer);
    timer = 0;
    if (isAsking) return void changed();
    isAsking = true;
    try {
      setText(words, await learn());
    } catch {
      setText(words, "No answer from here at the moment.");
    }
    isAsking = false;
    words.hidden = words.textContent === "";
    if (!words.hidden) changed(); // it is about to be kept, or the net comes back
  }

  // Asks for what came since; returns what is to be said instead of a list, "" where there is one.
  async function learn() {
    const field = asked ?? (await onlyField());
    if (field === null) return "Nothing is kept here.";
    const base = "/api/v1/sites/" + encodeURIComponent(field) + "/races/" + encodeURIComponent(race);
    for (;;) {
      const answer = await get(base + "/versions?after=" + versions.length);
      if (answer.status === 404) return "Nothing is kept of this race yet.";
      if (!answer.ok) throw new Error("answered " + answer.status);
      const told = await answer.json();
      const isAnother = (site !== null && told.site !== site) || told.head.number < versions.length;
      versions = isAnother ? [] : versions.concat(told.versions);
      site = told.site;
      if (!isAnother && (told.versions.length === 0 || versions.length >= told.head.number)) {
        show(base, told.head);
        return "";
      }
    }
  }

  function show(base, newest) {
    const noted = newest.hash.slice(0, DIGITS).replace(/(....)(?=.)/g, "$1 ");
    setText(head, noted);
    setText(when, "version " + newest.number + ", " + instantText(newest.at, zone()));
    setText(command, "pitlink race verify " + location.origin + base + ' --against "' + noted + '"');
    setAttribute(whole, "href", base + "/history");
    const byHash = new Map(versions.map((version) => [version.hash, version]));
    const begin = (hash) => lineOf(byHash.get(hash), zone());
    keyed(table.body, [...byHash.keys()].reverse(), begin, () => {}); // a version stays as it is
    shown.hidden = false;
  }

  function changed() {
    if (timer === 0 && root.open && root.isConnected) timer = setTimeout(look, SETTLED_MS);
  }

  async function open() {
    await look();
    changed(); // what came just before is kept by then
  }

  open();
  return { open, changed, close: () => clearTimeout(timer) };
}

function lineOf(version, zone) {
  const number = make("th", "", String(version.number));
  number.scope = "row";
  let file = version.file + ", not kept any more";
  if (version.href) {
    file = linkTo(version.href, "", version.file, make("span", "unseen", " of version " + version.number));
    file.download = "";
  }
  const size = version.size < EMPTY_BYTES ? "empty" : bytesText(version.size);
  return make("tr", "", number, make("td", "", instantText(version.at, zone)), make("td", "file", file), make("td", "figure", size));
}

function instantText(instant, timeZone) {
  const options = { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" };
  try {
    return new Intl.DateTimeFormat("en-GB", { ...options, timeZone }).format(new Date(instant));
  } catch {
    return new Intl.DateTimeFormat("en-GB", options).format(new Date(instant)); // a zone that this device does not know
  }
}

function get(path) {
  return fetch(path, { cache: "no-cache", signal: AbortSignal.timeout(ASK_MS) });
}

async function onlyField() {
  const { sites } = await (await get("/api/v1/sites")).json();
  return sites.length === 1 ? sites[0].site : null;
}
