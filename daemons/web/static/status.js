// Status, for the organiser: one light, a sentence, why, and what the uplink carries (docs/race-director.md).

import { bytesText, make, section, setAttribute, setText } from "/static/text.js";

const PERIOD_MS = 3000;
const WORDS = { green: "Green", amber: "Amber", red: "Red" };

export function openStatus(root, title) {
  setText(title, "Status");
  const lamp = make("span", "lamp");
  lamp.setAttribute("aria-hidden", "true");
  const word = make("span", "lamp-word");
  const line = make("p", "lamp-line", lamp, word);
  line.setAttribute("role", "status"); // the colour is read out when it changes; the sentence has an age, which always does
  const sentence = make("p", "sentence");
  const light = make("section", "light", line, sentence);
  light.setAttribute("aria-label", "Light");
  const why = make("ul", "why");
  const budget = make("dl", "budget");
  const spent = section("Data over the uplink", budget);
  const none = make("p", "about");
  const parts = [light, why, spent];
  for (const node of parts) node.hidden = true;
  root.append(none, ...parts);
  let timer = 0;
  let isOpen = true;
  let reasons = "";

  async function ask() {
    clearTimeout(timer);
    if (document.visibilityState === "visible") await show();
    if (isOpen) timer = setTimeout(ask, PERIOD_MS);
  }

  async function show() {
    let told = null;
    let words = "";
    try {
      const answer = await fetch("/api/v1/status", { cache: "no-cache", signal: AbortSignal.timeout(8000) });
      if (answer.ok) told = await answer.json();
      else words = "The organiser's light is on the field's own page, not here.";
    } catch {
      words = "No answer from here at the moment. Trying again …";
    }
    setText(none, words);
    for (const node of parts) node.hidden = told === null;
    if (told !== null) fill(told);
  }

  function fill(told) {
    setAttribute(light, "class", "light " + (told.light in WORDS ? told.light : "red"));
    setText(word, WORDS[told.light] ?? "Red");
    setText(sentence, told.sentence);
    const others = told.why.map((reason) => reason.words).filter((words) => words !== told.sentence);
    why.hidden = others.length === 0;
    if (reasons !== others.join("\n")) why.replaceChildren(...others.map((words) => make("li", "", words)));
    reasons = others.join("\n");
    const figures = budgetLines(told);
    if (budget.textContent !== figures.flat().join("")) {
      budget.replaceChildren(...figures.map(([name, value]) => make("div", "", make("dt", "", name), make("dd", "", value))));
    }
  }

  ask();
  return { draw() {}, close() { isOpen = false; clearTimeout(timer); } };
}

function budgetLines({ races_waiting, budget }) {
  const figures = [["Races that wait", String(races_waiting)]];
  const figure = (name, bytes) => bytes !== undefined && bytes !== null && figures.push([name, bytesText(bytes)]);
  figure("Sent today", budget.sent_today_bytes);
  figure("Saved today", budget.saved_today_bytes);
  figure("Sent this hour", budget.this_hour_bytes);
  figure("Budget an hour", budget.ceiling_hour_bytes);
  figure("Received today", budget.received_today_bytes);
  return figures;
}
