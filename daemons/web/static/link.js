// The tree over the wire: fetched once, packed, then kept up to date by the event stream, which goes on where it was
// cut. It comes back by itself, for ever.

import { msSince, stamp } from "/static/clock.js";
import { merge } from "/static/tree.js";

const SILENCE_MS = 20000; // the server speaks at least every 5 s: longer silence is a dead connection
const RETRY_MS = 1500;
const ASK_MS = 10000;
const MISSED_MS = 60000; // away for longer, the whole tree, which is sent packed, is less than all that was missed

// `asked`: the site, or null for the only one. `kept`: {id, tree} of another day, or null. `hear` is told:
// sites({sites, site}), tree(tree), patch(tree, patch), age(age), lost().
export function openLink(asked, kept, hear) {
  let tree = kept?.tree ?? null;
  let id = kept?.id ?? null;
  let stream = null;
  let heardAt = stamp();
  let treeAt = null; // when it was last known to be the newest
  let isThere = false; // the site, as far as we know
  let retryTimer = 0;
  let turn = 0;

  async function connect() {
    const mine = ++turn;
    clearTimeout(retryTimer);
    stream?.close();
    stream = null;
    heardAt = stamp();
    try {
      const site = asked ?? (await onlySite());
      if (site !== null && (treeAt === null || msSince(treeAt) > MISSED_MS)) await getTree(site, mine);
      if (mine === turn) listen(site);
    } catch {
      if (mine === turn) lost();
    }
  }

  async function getTree(site, mine) {
    const headers = id !== null && tree !== null ? { "If-None-Match": '"' + id + '"' } : {};
    const answer = await get("/api/v1/sites/" + encodeURIComponent(site) + "/tree", headers);
    if (mine !== turn) return;
    isThere = answer.status === 200 || answer.status === 304;
    if (!isThere) return; // the stream says what there is instead
    if (answer.status === 200) {
      const told = await answer.json();
      if (mine !== turn) return;
      take(told, (answer.headers.get("ETag") ?? "").replace(/^W\//, "").replaceAll('"', ""));
    } else {
      treeAt = stamp();
      hear.tree(tree);
    }
  }

  function take(told, name) {
    tree = told;
    id = name || null;
    treeAt = stamp();
    hear.tree(tree);
  }

  function listen(site) {
    const query = new URLSearchParams();
    if (tree !== null && id !== null) query.set("after", id);
    const ofSite = site !== null && isThere;
    if (site !== null && !ofSite) query.set("site", site);
    const path = ofSite ? "/api/v1/sites/" + encodeURIComponent(site) + "/stream" : "/events";
    stream = new EventSource(query.toString() ? path + "?" + query : path);
    on("sites", (event) => hear.sites(JSON.parse(event.data)));
    on("tree", (event) => take(JSON.parse(event.data), event.lastEventId));
    on("patch", (event) => {
      if (tree === null) return connect();
      const patch = JSON.parse(event.data);
      tree = merge(tree, patch);
      id = event.lastEventId || null;
      treeAt = stamp();
      hear.patch(tree, patch);
    });
    on("age", (event) => {
      treeAt = stamp();
      hear.age(JSON.parse(event.data));
    });
    stream.addEventListener("error", lost);
  }

  function on(kind, act) {
    const mine = stream;
    stream.addEventListener(kind, (event) => {
      if (mine !== stream) return;
      heardAt = stamp();
      act(event);
    });
  }

  function lost() {
    // The browser would come back by itself, but not where the server answered with an error, and with the name of
    // the version that it began with.
    if (stream?.readyState === EventSource.CLOSED) treeAt = null; // refused: is the site still there?
    stream?.close();
    stream = null;
    hear.lost();
    clearTimeout(retryTimer);
    retryTimer = setTimeout(connect, RETRY_MS * (0.5 + Math.random())); // not all phones at once
  }

  function look() {
    if (msSince(heardAt) < SILENCE_MS) return;
    hear.lost();
    connect();
  }

  function wake() {
    if (document.visibilityState === "visible" && msSince(heardAt) > SILENCE_MS / 2) connect();
  }

  document.addEventListener("visibilitychange", wake);
  window.addEventListener("pageshow", wake);
  window.addEventListener("online", connect);
  setInterval(look, 1000);
  connect();
  return { version: () => id };
}

async function get(path, headers = {}) {
  const answer = await fetch(path, { headers, cache: "no-cache", signal: AbortSignal.timeout(ASK_MS) });
  if (answer.status >= 500) throw new Error(path + " answered " + answer.status);
  return answer;
}

// The name of the only site, or null when there is none or a choice.
async function onlySite() {
  const answer = await get("/api/v1/sites");
  if (!answer.ok) return null;
  const told = await answer.json();
  const sites = Array.isArray(told) ? told : (told.sites ?? []);
  if (sites.length !== 1) return null;
  return typeof sites[0] === "string" ? sites[0] : (sites[0].site ?? sites[0].id ?? null);
}
