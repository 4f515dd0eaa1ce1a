// Results: the stages' standings, the best laps and runs of the day, and every race that has been flown, by round.

import { keyed, tableOf } from "/static/keyed.js";
import { openCard, pilotLink } from "/static/racetable.js";
import { address } from "/static/shown.js";
import { lapTime, linkTo, make, named, scroller, section, setText } from "/static/text.js";

const BESTS_SHOWN = 20;

export function openResults(root, title) {
  setText(title, "Results");
  const stages = make("div");
  const bests = make("div", "pair");
  const rounds = make("div", "rounds");
  const flown = section("Rounds", rounds);
  const none = make("p", "about", "No results yet.");
  root.append(none, stages, bests, flown);

  function draw(tree, changes) {
    if (changes.touch("stages")) drawStages(stages, tree);
    if (changes.touch("bests", "pilots")) drawBests(bests, tree);
    drawRounds(rounds, tree, changes);
    flown.hidden = rounds.firstChild === null;
    none.hidden = !flown.hidden || stages.firstChild !== null || bests.firstChild !== null;
  }

  return { draw };
}

function drawStages(parent, tree) {
  const stages = Object.values(tree.stages ?? {}).sort((a, b) => a.order - b.order);
  parent.replaceChildren(...stages.map(stageSection));
}

function stageSection(stage) {
  const note = stage.is_ready ? "" : "Summed from the races' points.";
  const table = tableOf("Standings of " + stage.name, [["Pilot", "pilot"], ...stage.headings.map((text) => [text, "figure"])], "stage");
  for (const row of stage.rows) {
    const head = make("th", "pilot", row.pilot ? pilotLink(row.pilot, row.name, "plain") : named(row.name));
    head.scope = "row";
    table.body.append(make("tr", "", head, ...row.values.map((text) => make("td", "figure", text))));
  }
  const title = make("h2", "", named(stage.name));
  return make("section", "", title, make("p", "about", note), scroller("Standings of " + stage.name, table));
}

function drawBests(parent, tree) {
  const { laps = [], runs = [] } = tree.bests ?? {};
  const tables = [];
  if (laps.length > 0) tables.push(section("Best laps", bestTable("Best laps", laps, tree)));
  if (runs.length > 0) {
    const name = "Best " + (runs[0].laps > 1 ? runs[0].laps + " laps in a row" : "runs");
    tables.push(section(name, bestTable(name, runs, tree)));
  }
  parent.replaceChildren(...tables);
}

function bestTable(caption, bests, tree) {
  const table = tableOf(caption, [["Pos", "place"], ["Pilot", "pilot"], ["Time", "figure"]], "best");
  bests.slice(0, BESTS_SHOWN).forEach((best, which) => {
    const race = tree.races?.[best.race];
    const where = race ? linkTo(address("/race", { id: best.race }), "sub", named(race.name)) : null;
    const head = make("th", "pilot", pilotLink(best.pilot, tree.pilots?.[best.pilot]?.name ?? "Unknown pilot", "plain"), where);
    head.scope = "row";
    const time = make("td", "figure", make("span", "big", lapTime(best.s)));
    table.body.append(make("tr", "", make("td", "place", String(which + 1)), head, time));
  });
  return table;
}

function drawRounds(parent, tree, changes) {
  const races = tree.races ?? {};
  const byRound = new Map();
  for (const id of tree.order ?? []) {
    if (races[id] === undefined || races[id].state === "pending") continue;
    const round = races[id].round ?? "";
    byRound.set(round, [...(byRound.get(round) ?? []), id]);
  }
  const isTouched = (id) => changes.isAll || changes.races.has(id);
  keyed(parent, [...byRound.keys()].reverse(), beginFlownRound, (node, round) => {
    setText(node.parts.name, tree.rounds?.[round]?.name ?? "Races");
    const ids = byRound.get(round).reverse();
    node.show = (isChanged) => keyed(node.parts.list, ids, beginFlownRace, (part, id) => part.fill(races[id]), isChanged);
    if (parent.firstChild === null) node.open = true; // the newest, when the page is opened
    if (node.open) node.show(isTouched);
  });
}

function beginFlownRound() {
  const name = named("");
  const list = make("div", "cards");
  const node = make("details", "round", make("summary", "", make("h3", "", name)), list);
  node.parts = { name, list };
  node.addEventListener("toggle", () => node.open && node.show(() => true)); // a closed one has nothing in it
  return node;
}

function beginFlownRace() {
  const card = openCard();
  card.node.fill = card.fill;
  return card.node;
}
