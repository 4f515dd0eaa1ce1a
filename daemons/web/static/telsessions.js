// What was kept: sessions, and of one its stints, gaps, and laps with their sectors in purple, green and yellow.

import { asked } from "/static/heatlogin.js";
import { tableOf } from "/static/keyed.js";
import { telemetryJson } from "/static/telshown.js";
import { count, linkTo, make, named, scroller, section, setText } from "/static/text.js";
import { dayTime, figure, lapText } from "/static/telwords.js";

const LETTERS = { P: "purple: best of all", G: "green: best of the driver", Y: "yellow: slower" };

function roomLink(path, query, ...children) {
  const one = linkTo(path + "?" + new URLSearchParams(query), "", ...children);
  one.dataset.path = path;
  return one;
}

export function openSessions(root, title) {
  setText(title, "Sessions");
  document.title = "Sessions";
  const words = make("p", "about");
  words.setAttribute("role", "status");
  const list = make("ul", "fields");
  const more = make("button", "", "Older ones");
  more.type = "button";
  more.hidden = true;
  root.append(words, list, more);
  let next = null;
  let isAsked = false;

  async function ask() {
    try {
      const told = await telemetryJson("/sessions" + (next === null ? "" : "?" + new URLSearchParams({ before: String(next) })));
      for (const one of told.sessions) {
        const facts = [one.track, one.car, dayTime(one.started, true), count(one.laps, "lap"), one.best_s === null ? "" : "best " + lapText(one.best_s)];
        if (one.gaps.length > 0) facts.push(count(one.gaps.length, "gap"));
        if (one.ended === null) facts.push("goes on");
        list.append(make("li", "", roomLink("/session", { id: one.id }, named(one.kind + " · " + one.drivers.join(", ")), make("span", "sub", facts.filter(Boolean).join(" · ")))));
      }
      next = told.next;
      more.hidden = next === null;
      setText(words, list.childElementCount === 0 && next === null ? "Nothing was kept yet." : "");
    } catch (error) {
      setText(words, error.message || "No answer.");
    }
  }

  more.addEventListener("click", ask);
  return {
    draw() {
      if (isAsked) return;
      isAsked = true;
      ask();
    },
  };
}

export function openSession(root, title, query) {
  setText(title, "Session");
  const words = make("p", "about");
  words.setAttribute("role", "status");
  root.append(words);
  const id = query.get("id") ?? "";
  const chosen = [];
  let isAsked = false;

  async function ask() {
    try {
      show(await telemetryJson("/sessions/" + encodeURIComponent(id)));
    } catch (error) {
      setText(words, error.message || "No answer.");
    }
  }

  function show(told) {
    setText(title, told.kind + " · " + told.track);
    document.title = told.kind + " · " + told.track;
    setText(words, [told.car, dayTime(told.started, true), told.ended === null ? "goes on" : ""].filter(Boolean).join(" · "));
    const tools = make("div", "tools", make("p", "", roomLink("/replay", { session: id }, "Replay")), ...told.formats.map((format) => saver("All as " + format, "/sessions/" + encodeURIComponent(id) + "/export?format=" + format, "session-" + id + "." + format)));
    root.append(tools, lapsOf(told), stintsOf(told), gapsOf(told));
  }

  function lapsOf(told) {
    const sectors = Math.max(0, ...told.lap_list.map((lap) => lap.sectors.length));
    const headings = [["Compare", "tick"], ["Lap", "pilot"], ["Time", "figure"], ...Array.from({ length: sectors }, (_, i) => ["S" + (i + 1), "figure"]), ["Fuel", "figure"], ["", "figure"]];
    const table = tableOf("Laps", headings, "session-laps");
    table.querySelector("thead th:last-child").append(make("span", "unseen", "Replay"));
    const compare = make("button", "main", "Compare");
    compare.type = "button";
    compare.disabled = true;
    const ticked = make("p", "sub");
    ticked.setAttribute("role", "status");
    const mark = () => {
      compare.disabled = chosen.length === 0;
      setText(ticked, chosen.length === 0 ? "Choose laps; the first one chosen is what the others are compared with." : count(chosen.length, "lap") + " chosen");
    };
    for (const lap of told.lap_list) {
      const box = make("input");
      box.type = "checkbox";
      box.setAttribute("aria-label", "Compare lap " + lap.number + " of " + lap.driver);
      box.addEventListener("change", () => {
        if (box.checked && chosen.length >= 8) box.checked = false;
        else if (box.checked) chosen.push(lap.id);
        else chosen.splice(chosen.indexOf(lap.id), 1);
        mark();
      });
      const causes = lap.invalid.filter((cause) => cause !== "not finished");
      const about = [causes.length > 0 ? "✕ does not count: " + causes.join(", ") : "", lap.time_s === null ? "not finished" : ""];
      const name = make("th", "pilot", named(lap.number + " · " + lap.driver), make("span", "sub", about.filter(Boolean).join(" · ")));
      name.scope = "row";
      const row = make("tr", causes.length > 0 ? "is-invalid" : "", make("td", "tick", box), name, timeCell(lap.time_s, lap.letter));
      for (let i = 0; i < sectors; i++) row.append(timeCell(lap.sectors[i] ?? null, lap.letters[i] ?? ""));
      row.append(make("td", "figure", lap.fuel_litres === null ? "–" : figure(lap.fuel_litres, 2) + " l"), make("td", "figure", roomLink("/replay", { session: id, from: String(lap.started) }, "Replay", make("span", "unseen", " lap " + lap.number))));
      table.body.append(row);
    }
    compare.addEventListener("click", () => {
      const way = roomLink("/compare", { laps: chosen.join(",") }, "");
      root.append(way);
      way.click();
      way.remove();
    });
    mark();
    const letters = make("p", "sub", Object.entries(LETTERS).map(([letter, text]) => letter + " " + text).join(" · "));
    return section("Laps", make("div", "tools", compare, ticked), scroller("Laps", table), letters);
  }

  function stintsOf(told) {
    const list = make("ul", "");
    for (const stint of told.stints) list.append(make("li", "", named(stint.name), ": " + dayTime(stint.started) + " – " + (stint.ended === null ? "now" : dayTime(stint.ended)) + ", " + count(stint.laps, "lap")));
    return section("Stints", list);
  }

  function gapsOf(told) {
    if (told.gaps.length === 0) return section("Gaps", make("p", "", "Every tick is here."));
    const list = make("ul", "");
    for (const gap of told.gaps) list.append(make("li", "warning", dayTime(gap.started) + " – " + dayTime(gap.ended) + ": " + count(gap.ticks, "tick") + " " + (gap.final ? "lost for good" : "not here") + (gap.words ? ", " + gap.words : "")));
    return section("Gaps", list);
  }

  // A file is fetched with who we are, which a plain link cannot say.
  function saver(label, path, name) {
    const save = make("button", "", label);
    save.type = "button";
    save.addEventListener("click", async () => {
      save.disabled = true;
      try {
        const answer = await asked("/api/telemetry" + path, { cache: "no-store" });
        if (!answer.ok) throw new Error((await answer.json().catch(() => ({}))).words ?? "It was answered " + answer.status + ".");
        const address = URL.createObjectURL(await answer.blob());
        const way = linkTo(address, "", "");
        way.download = name;
        way.click();
        setTimeout(() => URL.revokeObjectURL(address), 60000);
      } catch (error) {
        setText(words, error.message || "No answer.");
      }
      save.disabled = false;
    });
    return save;
  }

  return {
    draw() {
      if (isAsked) return;
      isAsked = true;
      ask();
    },
  };
}

function timeCell(time_s, letter) {
  const cell = make("td", "figure", make("span", "time", lapText(time_s)));
  if (letter) {
    cell.firstChild.classList.add("is-" + letter);
    cell.firstChild.append(make("b", "letter", letter));
    cell.firstChild.title = LETTERS[letter];
  }
  return cell;
}
