// The fields there are, when there is a choice.

import { linkTo, make, named, setText } from "/static/text.js";

export function openFields(root, title, told, asked) {
  let words = "Which field?";
  if (told.sites.length === 0) words = "No field has connected yet";
  else if (asked !== null) words = "There is no field called “" + asked + "” here";
  setText(title, words);
  document.title = words;
  const list = make("ul", "fields");
  const abouts = new Map();
  for (const name of told.sites) {
    const about = named("", "sub");
    abouts.set(name, about);
    const link = linkTo("/?" + new URLSearchParams({ site: name }), "", named(name), about);
    link.dataset.whole = ""; // another field: everything anew
    list.append(make("li", "", link));
  }
  root.append(list);
  tellOfEach(abouts);
  return { draw() {} };
}

// What goes on there, as far as it can be had: the names alone will do.
async function tellOfEach(abouts) {
  try {
    const answer = await fetch("/api/v1/sites", { cache: "no-cache" });
    for (const { site, event, headline } of (await answer.json()).sites) {
      const about = abouts.get(site);
      if (about) setText(about, [event?.name, headline].filter(Boolean).join(" · "));
    }
  } catch {
    // no net, or a server that tells less
  }
}
