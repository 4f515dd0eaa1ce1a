// Words and nodes. Text is only ever set as text: nothing that a pilot calls himself becomes markup.

export function make(tag, className, ...children) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

// An unchanged text is neither laid out again nor read out again.
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export function setAttribute(node, name, value) {
  if (value === null) node.removeAttribute(name);
  else if (node.getAttribute(name) !== value) node.setAttribute(name, value);
}

// A name that somebody chose: its direction of writing stays inside it.
export function named(text, className = "") {
  return make("bdi", className, text);
}

export function linkTo(href, className, ...children) {
  const node = make("a", className, ...children);
  node.href = href;
  return node;
}

export function section(title, ...children) {
  return make("section", "", make("h2", "", title), ...children);
}

// What may be wider than the screen is moved by itself; by keyboard too.
export function scroller(label, ...children) {
  const node = make("div", "scroller", ...children);
  node.tabIndex = 0;
  node.setAttribute("role", "group");
  node.setAttribute("aria-label", label);
  return node;
}

export function lapTime(value_s) {
  if (value_s === undefined) return "–";
  const hundredths = Math.round(value_s * 100);
  if (hundredths < 6000) return (hundredths / 100).toFixed(2);
  const minutes = Math.floor(hundredths / 6000);
  return minutes + ":" + ((hundredths - 6000 * minutes) / 100).toFixed(2).padStart(5, "0");
}

export function ageText(age_s) {
  if (age_s < 100) return Math.floor(age_s) + " s";
  const minutes = Math.floor(age_s / 60);
  if (minutes < 100) return minutes + " min";
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? hours + " h" : Math.floor(hours / 24) + " days";
}

export function clockText(length_s) {
  const whole = Math.max(0, Math.floor(length_s));
  const rest = String(whole % 60).padStart(2, "0");
  if (whole < 3600) return Math.floor(whole / 60) + ":" + rest;
  return Math.floor(whole / 3600) + ":" + String(Math.floor(whole / 60) % 60).padStart(2, "0") + ":" + rest;
}

export function bytesText(count) {
  if (count < 1000) return count + " B";
  if (count < 1e6) return (count / 1e3).toFixed(count < 1e4 ? 1 : 0) + " kB";
  if (count < 1e9) return (count / 1e6).toFixed(count < 1e7 ? 1 : 0) + " MB";
  return (count / 1e9).toFixed(1) + " GB";
}

export function count(number, one, many = one + "s") {
  return number + " " + (number === 1 ? one : many);
}

const formats = new Map();

function timeFormat(zone, withDay) {
  const key = (zone ?? "") + withDay;
  if (!formats.has(key)) {
    const options = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
    if (withDay) options.weekday = "short";
    let format;
    try {
      format = new Intl.DateTimeFormat("en-GB", { ...options, timeZone: zone });
    } catch {
      format = new Intl.DateTimeFormat("en-GB", options); // a zone that this device does not know
    }
    formats.set(key, format);
  }
  return formats.get(key);
}

// The time of day at the field; with the weekday when it is more than half a day away.
export function timeText(instant, zone, now_ms) {
  const at = Date.parse(instant);
  if (Number.isNaN(at)) return "";
  return timeFormat(zone, Math.abs(at - now_ms) > 12 * 3600e3).format(at);
}

export function spreadText(spread_s) {
  const minutes = Math.round(spread_s / 60);
  return minutes < 1 ? "" : "± " + minutes + " min";
}
