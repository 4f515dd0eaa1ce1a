// Status, for the organiser: one light, a sentence, why, and what the uplink is spending.

import { bytesText, make, section, setAttribute, setText } from "/static/text.js";

const PERIOD_MS = 3000;
const WORDS = { green: "Green", amber: "Amber", red: "Red" };

export function openStatus(root, title) {
  setText(title, "Status");
  const lamp = make("span", "lamp");
  lamp.setAttribute("aria-hidden", "true");
  const word = make("span", "lamp-word");
  const sentence = make("p", "sentence");
  const light = make("section", "light", make("p", "lamp-line", lamp, word), sentence);
  light.setAttribute("aria-label", "Light");
  light.setAttribute("aria-live", "polite");
  const why = make("ul", "why");
  const budget = make("dl", "budget");
  const spent = section("Data over the uplink", budget);
  const sites = make("ul", "why");
  const fields = section("Fields", sites);
  const none = make("p", "about");
  root.append(none, light, why, spent, fields);
  let timer = 0;
  let isOpen = true;

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
    for (const node of [light, why, spent, fields]) node.hidden = told === null;
    if (told !== null) fill(told);
  }

  function fill(told) {
    setAttribute(light, "class", "light " + (told.light in WORDS ? told.light : "red"));
    setText(word, WORDS[told.light] ?? "Red");
    setText(sentence, told.sentence ?? "");
    const reasons = (told.why ?? []).map(reason);
    why.hidden = reasons.length === 0;
    lines(why, reasons);
    const figures = budgetLines(told.budget ?? {});
    spent.hidden = figures.length === 0;
    if (budget.textContent !== figures.flat().join("")) {
      budget.replaceChildren(...figures.map(([name, value]) => make("div", "", make("dt", "", name), make("dd", "", value))));
    }
    const names = Object.entries(told.sites ?? {}).map(([key, value]) => reason(value, key));
    fields.hidden = names.length === 0;
    lines(sites, names);
  }

  ask();
  return { draw() {}, close() { isOpen = false; clearTimeout(timer); } };
}

function lines(list, texts) {
  if ([...list.children].map((item) => item.textContent).join("\n") === texts.join("\n")) return;
  list.replaceChildren(...texts.map((text) => make("li", "", text)));
}

// What is told of something may be words, or a value that has them.
function reason(value, key = "") {
  if (typeof value !== "object" || value === null) return String(value);
  const name = value.site ?? value.name ?? (/^\d+$/.test(key) ? "" : key);
  const words = value.sentence ?? value.words ?? value.why ?? value.state ?? "";
  return [name, words].filter(Boolean).join(": ");
}

function budgetLines(budget) {
  const lines_ = [];
  const figure = (name, value) => value !== undefined && lines_.push([name, bytesText(value)]);
  figure("Sent today", budget.sent_today_bytes);
  figure("Saved today", budget.saved_today_bytes);
  figure("This hour", budget.this_hour_bytes);
  figure("Ceiling an hour", budget.ceiling_hour_bytes ?? undefined);
  return lines_;
}
