// A house over the wire: its stream, which goes on where it was cut.

import { followStream } from "/static/follow.js";

// `hear` is told: house(value), state(value), commands(value), age(value), lost(), refused(status).
export function openHeatLink(house, hear) {
  const path = "/api/houses/" + encodeURIComponent(house) + "/stream";
  return followStream((id) => (id ? path + "?" + new URLSearchParams({ after: id }) : path), hear);
}
