// How old what is shown is: a word on every page, and across the whole screen when it is too old.

import { ageNow, isStale, shown } from "/static/shown.js";
import { ageText, setText } from "/static/text.js";

const at = (id) => document.getElementById(id);

export function showAge() {
  const age_s = ageNow();
  const isOld = isStale();
  const why = shown.isConnected ? shown.why : age_s === null ? "" : "No connection. Trying again …";
  let words = age_s === null ? "" : age_s < 2 ? "Up to date" : ageText(age_s) + " old";
  if (why && !isOld) words = words ? why + " " + words : why;
  setText(at("age"), words);
  at("age").classList.toggle("fresh-age", shown.isConnected && age_s !== null && !isOld);
  document.body.classList.toggle("is-stale", isOld);
  at("stale").hidden = !isOld;
  if (!isOld) return;
  setText(at("stale-age"), ageText(age_s) + " old");
  setText(at("stale-why"), why || "Nothing new has come from the field.");
}
