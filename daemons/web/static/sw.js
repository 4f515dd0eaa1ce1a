// The pages where there is no net: the frame and its files are kept, the race itself the page keeps (device.js).

const FILES = ["/static/app.js", "/static/pages.css", "/static/icon.svg"];
const FRAME = "/";
const ROOMS = ["/", "/schedule", "/pilots", "/pilot", "/race", "/results", "/status"];
const KEPT = "pitlink " + FILES.join(" "); // the files' names have their contents in them
const PATIENCE_MS = 4000;

self.addEventListener("install", (event) => {
  event.waitUntil(
    caches
      .open(KEPT)
      .then((kept) => kept.addAll([new Request(FRAME, { cache: "no-cache" }), ...FILES]))
      .then(() => self.skipWaiting()),
  );
});

self.addEventListener("activate", (event) => {
  event.waitUntil(
    caches
      .keys()
      .then((names) => Promise.all(names.filter((name) => name.startsWith("pitlink ") && name !== KEPT).map((name) => caches.delete(name))))
      .then(() => self.clients.claim()),
  );
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== location.origin) return;
  if (request.mode === "navigate" && ROOMS.includes(url.pathname)) event.respondWith(frame(request));
  else if (FILES.includes(url.pathname + url.search)) event.respondWith(caches.match(request).then((kept) => kept ?? fetch(request)));
});

// The newest frame if it comes soon, else the kept one.
async function frame(request) {
  const kept = caches.match(FRAME);
  try {
    const answer = await fetch(request.url, { cache: "no-cache", signal: (await kept) ? AbortSignal.timeout(PATIENCE_MS) : undefined });
    if (answer.ok) return answer;
    return (await kept) ?? answer;
  } catch (error) {
    const instead = await kept;
    if (instead) return instead;
    throw error;
  }
}
