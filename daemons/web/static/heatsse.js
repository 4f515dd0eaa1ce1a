// Server-sent events out of a stream that is read with a token, which a browser's own EventSource cannot send.

// Returns a function that takes pieces of text and calls `hear(kind, data, id)` for every event that is whole.
export function eventReader(hear) {
  let rest = "";
  let kind = "";
  let data = [];
  let id = "";
  return (text) => {
    rest += text;
    for (;;) {
      const end = rest.indexOf("\n");
      if (end < 0) return;
      const line = rest.slice(0, end).replace(/\r$/, "");
      rest = rest.slice(end + 1);
      if (line === "") {
        if (data.length > 0) hear(kind || "message", data.join("\n"), id);
        kind = "";
        data = [];
        continue;
      }
      const colon = line.indexOf(":");
      const field = colon < 0 ? line : line.slice(0, colon);
      const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
      if (field === "event") kind = value;
      else if (field === "data") data.push(value);
      else if (field === "id") id = value;
    }
  };
}
