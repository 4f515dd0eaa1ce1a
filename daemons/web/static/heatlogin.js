// Who looks: a session of the hub's (or a token somebody pasted), kept on this device, renewed before it is over.

import { make, setText } from "/static/text.js";

const SESSION_KEY = document.body.dataset.session ?? "pitlink.heat.session";
const TRY_PATH = document.body.dataset.try ?? "/api/houses"; // answers whoever is let in, and says who that is
const EARLY_MS = 60000;

function keptSession() {
  try {
    return JSON.parse(localStorage.getItem(SESSION_KEY)) ?? null;
  } catch {
    return null;
  }
}

let session = keptSession();

function keepSession(told) {
  session = told;
  try {
    if (told === null) localStorage.removeItem(SESSION_KEY);
    else localStorage.setItem(SESSION_KEY, JSON.stringify(told));
  } catch {
    // full or forbidden: it lasts as long as this page
  }
}

export function isSignedIn() {
  return session !== null;
}

function fromAnswer(told) {
  return { token: told.token, until: Date.parse(told.expires_at), refresh: told.refresh_token, name: told.name };
}

async function post(path, value, headers = {}) {
  return fetch(path, { method: "POST", headers: { "Content-Type": "application/json", ...headers }, body: JSON.stringify(value), signal: AbortSignal.timeout(15000) });
}

// One tab renews at a time: a refresh token is good once.
async function renew(old) {
  const locked = navigator.locks ? (work) => navigator.locks.request(SESSION_KEY, work) : (work) => work();
  await locked(async () => {
    const kept = keptSession();
    if (kept !== null && kept.token !== old.token) {
      session = kept;
      return;
    }
    const answer = await post("/api/refresh", { refresh_token: old.refresh });
    if (answer.ok) keepSession(fromAnswer(await answer.json()));
    else if (answer.status === 401) keepSession(null);
  });
}

async function header() {
  if (session !== null && session.refresh && session.until - Date.now() < EARLY_MS) await renew(session);
  return session === null ? {} : { Authorization: "Bearer " + session.token };
}

// As fetch; who is not let in any more is asked to sign in.
export async function asked(path, options = {}) {
  const first = await fetch(path, { ...options, headers: { ...options.headers, ...(await header()) } });
  if (first.status !== 401 || session === null) return first;
  if (session.refresh) await renew({ ...session });
  else keepSession(null);
  // Where looking takes nobody, who is signed out looks on.
  return fetch(path, { ...options, headers: { ...options.headers, ...(await header()) } });
}

// What an answer says in words, or null when it is fine.
export async function refusalOf(answer) {
  if (answer.ok) return null;
  try {
    return (await answer.json()).words ?? "It was refused (" + answer.status + ").";
  } catch {
    return "It was refused (" + answer.status + ").";
  }
}

export async function signOut() {
  const headers = await header().catch(() => ({}));
  keepSession(null);
  if (headers.Authorization) await fetch("/api/logout", { method: "POST", headers }).catch(() => {});
}

function field(label, name, type, autocomplete) {
  const input = make("input");
  input.name = name;
  input.type = type;
  input.autocomplete = autocomplete;
  return make("label", "field", label, input);
}

// Asks in a dialog; `then()` is called when somebody is signed in.
export function openSignIn(dialog, then) {
  const words = make("p", "warning");
  words.hidden = true;
  words.setAttribute("role", "alert");
  const name = field("Name", "name", "text", "username");
  const password = field("Password", "password", "password", "current-password");
  const token = field("Or a token", "token", "password", "off");
  const go = make("button", "main", "Sign in");
  const close = make("button", "", "Not now");
  close.type = "button";
  close.addEventListener("click", () => dialog.close());
  const heading = make("h2", "", "Sign in");
  heading.id = "asking-title";
  const form = make("form", "form", heading, words, name, password, token, make("p", "buttons", go, close));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    words.hidden = true;
    const given = new FormData(form);
    try {
      const refused = await signInWith(given.get("name"), given.get("password"), given.get("token").trim());
      if (refused === null) {
        dialog.close();
        then();
        return;
      }
      setText(words, refused);
    } catch {
      setText(words, "No answer from here at the moment.");
    }
    words.hidden = false;
  });
  dialog.setAttribute("aria-labelledby", "asking-title");
  dialog.replaceChildren(form);
  dialog.showModal();
}

async function signInWith(name, password, token) {
  if (token !== "") {
    const answer = await fetch(TRY_PATH, { headers: { Authorization: "Bearer " + token }, cache: "no-store" });
    const refused = await refusalOf(answer);
    if (refused === null) keepSession({ token, until: Infinity, refresh: null, name: (await answer.json()).me?.name ?? "" });
    return refused;
  }
  const answer = await post("/api/login", { name, password });
  if (answer.status === 404) return "Nobody signs in by name here: paste a token.";
  const refused = await refusalOf(answer);
  if (refused === null) keepSession(fromAnswer(await answer.json()));
  return refused;
}
