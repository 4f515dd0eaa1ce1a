// The team's cars, whoever drives them: fuel, tyres, and how old that is. Only the PC of who drives knows them.

import { isLive, teamNow } from "/static/telshown.js";
import { ageText, make, named, setText } from "/static/text.js";
import { dayTime, figure } from "/static/telwords.js";

const WHEELS_SHOWN = [["left_front", "Left front"], ["right_front", "Right front"], ["left_rear", "Left rear"], ["right_rear", "Right rear"]];

// Drivers of the same car together: [{title, drivers, at}], `at` the one whose figures are the car's.
export function carsOfTeam(drivers) {
  const cars = new Map();
  for (const one of drivers) {
    if (one.state === null || (one.state.fuel === null && one.state.tyres === null)) continue;
    const key = one.state.number ? one.state.team + " #" + one.state.number : one.name;
    if (!cars.has(key)) cars.set(key, { title: key.trim(), drivers: [], at: null });
    cars.get(key).drivers.push(one);
  }
  for (const car of cars.values()) {
    const rank = (one) => [isLive(one) && one.state.driving ? 1 : 0, one.state.fuel?.at ?? 0];
    car.at = [...car.drivers].sort((a, b) => rank(b)[0] - rank(a)[0] || rank(b)[1] - rank(a)[1])[0];
  }
  return [...cars.values()].sort((a, b) => (a.title < b.title ? -1 : 1));
}

export function openTeamCar() {
  const title = named("");
  const who = make("p", "sub");
  const litres = make("dd");
  const perLap = make("dd");
  const left = make("dd");
  const fuelAge = make("p", "sub");
  const wheels = new Map(WHEELS_SHOWN.map(([key]) => [key, make("dd")]));
  const tyreAge = make("p", "sub");
  const fact = (label, cell) => make("div", "", make("dt", "", label), cell);
  const node = make(
    "article", "team-car", make("div", "team-who", make("h3", "", title), who),
    make("div", "", make("dl", "car-figures", fact("Fuel", litres), fact("A lap", perLap), fact("Laps left", left)), fuelAge),
    make("div", "", make("dl", "car-figures wheels", ...WHEELS_SHOWN.map(([key, label]) => fact(label, wheels.get(key)))), tyreAge),
  );
  return {
    node,
    show({ title: words, at }) {
      const { state } = at;
      const isNow = isLive(at) && state.driving;
      setText(title, words);
      setText(who, isNow ? state.name + " drives" : "Nobody of the team is heard driving; last known of " + state.name);
      node.classList.toggle("is-away", !isNow);
      const { fuel, tyres } = state;
      setText(litres, fuel === null ? "–" : figure(fuel.litres, 1) + " l");
      setText(perLap, fuel === null || fuel.per_lap === null ? "–" : figure(fuel.per_lap, 2) + " l");
      setText(left, fuel === null || fuel.laps_left === null ? "–" : figure(fuel.laps_left, 1));
      const now = teamNow();
      const old_s = fuel === null || fuel.at === null || now === null ? null : Math.max(0, now - fuel.at) / 1000;
      setText(fuelAge, fuel === null ? "fuel not known" : old_s === null ? "" : old_s < 3 && isNow ? "now" : "as of " + ageText(old_s) + " ago");
      for (const [key, cell] of wheels) setText(cell, tyres === null || tyres[key] === null ? "–" : figure(tyres[key], 0) + " %");
      setText(tyreAge, tyres === null ? "tyres not known" : "tread as of last stop" + (tyres.as_of === null ? "" : ", " + dayTime(tyres.as_of)));
    },
  };
}
