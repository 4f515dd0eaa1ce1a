// A stream of the server's, read with who we are, which goes on where it was cut. It comes back by itself, for ever.

import { msSince, stamp } from "/static/clock.js";
import { asked } from "/static/heatlogin.js";
import { eventReader } from "/static/heatsse.js";

const FOLLOW_SILENCE_MS = 17000; // the server speaks every 5 s: longer silence is a dead connection
const FOLLOW_RETRY_MS = 1500;

// `addressOf(id)`: where the stream is, for who has all that the event `id` names ("": nothing yet).
// `hear` is told every event by its kind, then lost(), refused(status).
export function followStream(addressOf, hear) {
  let id = "";
  let heardAt = stamp();
  let stop = null;
  let timer = 0;
  let turn = 0;
  let isOver = false;

  async function connect() {
    const mine = ++turn;
    clearTimeout(timer);
    stop?.abort();
    const ending = new AbortController();
    stop = ending;
    heardAt = stamp();
    try {
      const answer = await asked(addressOf(id), { cache: "no-store", signal: ending.signal });
      if (mine !== turn) return;
      if (answer.status >= 400 && answer.status < 500 && answer.status !== 429) {
        isOver = true;
        hear.refused(answer.status);
        return;
      }
      if (!answer.ok) throw new Error("the stream was answered " + answer.status);
      const take = eventReader((kind, data, name) => {
        if (mine !== turn) return;
        if (name) id = name;
        if (kind in hear) hear[kind](JSON.parse(data));
      });
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      for (;;) {
        const { value, done } = await reader.read();
        if (done || mine !== turn) break;
        heardAt = stamp();
        take(value);
      }
    } catch {
      // told below
    }
    if (mine === turn && !isOver) lost();
  }

  function lost() {
    hear.lost();
    clearTimeout(timer);
    timer = setTimeout(connect, FOLLOW_RETRY_MS * (0.5 + Math.random()));
  }

  function look() {
    if (isOver || msSince(heardAt) < FOLLOW_SILENCE_MS) return;
    hear.lost();
    connect();
  }

  function wake() {
    if (!isOver && document.visibilityState === "visible" && msSince(heardAt) > FOLLOW_SILENCE_MS / 2) connect();
  }

  document.addEventListener("visibilitychange", wake);
  window.addEventListener("online", wake);
  const watching = setInterval(look, 1000);
  connect();
  return {
    close() {
      isOver = true;
      turn++;
      clearTimeout(timer);
      clearInterval(watching);
      document.removeEventListener("visibilitychange", wake);
      window.removeEventListener("online", wake);
      stop?.abort();
    },
  };
}
