// The fields there are, when there is a choice.

import { linkTo, make, named, setText } from "/static/text.js";

export function openFields(root, title, told, asked) {
  let words = "Which field?";
  if (told.sites.length === 0) words = "No field has connected yet";
  else if (asked !== null) words = "There is no field called “" + asked + "” here";
  setText(title, words);
  document.title = words;
  const list = make("ul", "fields");
  for (const name of told.sites) {
    const link = linkTo("/?" + new URLSearchParams({ site: name }), "", named(name));
    link.dataset.whole = ""; // another field: everything anew
    list.append(make("li", "", link));
  }
  root.append(list);
  return { draw() {} };
}
