// Times of the day in the house's own zone, whatever zone the device is in. Instants are UTC seconds.

const WEEKDAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const zoneFormats = new Map();

function partsFormat(zone) {
  if (!zoneFormats.has(zone)) {
    const options = { year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit", weekday: "short", hourCycle: "h23" };
    let format;
    try {
      format = new Intl.DateTimeFormat("en-GB", { ...options, timeZone: zone || "UTC" });
    } catch {
      format = new Intl.DateTimeFormat("en-GB", { ...options, timeZone: "UTC" }); // a zone that this device does not know
    }
    zoneFormats.set(zone, format);
  }
  return zoneFormats.get(zone);
}

// {year, month, day, hour, minute, second, weekday: 0 (Monday) to 6}
export function localParts(utc_s, zone) {
  const found = {};
  for (const { type, value } of partsFormat(zone).formatToParts(new Date(utc_s * 1000))) found[type] = value;
  const whole = {};
  for (const name of ["year", "month", "day", "hour", "minute", "second"]) whole[name] = Number(found[name]);
  whole.weekday = WEEKDAYS.indexOf(found.weekday);
  return whole;
}

function asIfUtc(local) {
  return Date.UTC(local.year, local.month - 1, local.day, local.hour ?? 0, local.minute ?? 0, local.second ?? 0) / 1000;
}

// The instant of a local time. Of one that there is twice the first; of one that there is not, as long after midnight.
export function instantOf(local, zone) {
  const wanted = asIfUtc(local);
  const before = wanted - (asIfUtc(localParts(wanted - 86400, zone)) - (wanted - 86400));
  const after = wanted - (asIfUtc(localParts(wanted + 86400, zone)) - (wanted + 86400));
  const fits = [before, after].filter((instant) => asIfUtc(localParts(instant, zone)) === wanted);
  return fits.length > 0 ? Math.min(...fits) : before;
}

// Midnight of the local day that an instant is in, and so many days on.
export function dayStart(utc_s, zone, days = 0) {
  const { year, month, day } = localParts(utc_s, zone);
  const other = new Date(Date.UTC(year, month - 1, day + days));
  return instantOf({ year: other.getUTCFullYear(), month: other.getUTCMonth() + 1, day: other.getUTCDate() }, zone);
}

const two = (number) => String(number).padStart(2, "0");

export function minutesText(minutes) {
  return two(Math.floor(minutes / 60)) + ":" + two(minutes % 60);
}

// "22:00", with the day when it is another one: "Tue 22:00", "14 Mar 22:00".
export function momentText(utc_s, zone, now_s) {
  if (utc_s === null || utc_s === undefined) return "";
  const at = localParts(utc_s, zone);
  const clock = two(at.hour) + ":" + two(at.minute);
  if (now_s === null || now_s === undefined) return dateText(utc_s, zone) + " " + clock;
  const days = Math.round((dayStart(utc_s, zone) - dayStart(now_s, zone)) / 86400);
  if (days === 0) return clock;
  return (Math.abs(days) < 6 ? WEEKDAYS[at.weekday] : dateText(utc_s, zone)) + " " + clock;
}

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

export function dateText(utc_s, zone, withYear = false) {
  const at = localParts(utc_s, zone);
  return at.day + " " + MONTHS[at.month - 1] + (withYear ? " " + at.year : "");
}

// For a field of type datetime-local, and back.
export function localField(utc_s, zone) {
  const at = localParts(utc_s, zone);
  return at.year + "-" + two(at.month) + "-" + two(at.day) + "T" + two(at.hour) + ":" + two(at.minute);
}

export function fieldInstant(text, zone) {
  const found = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d)/.exec(text);
  if (found === null) return NaN;
  const [year, month, day, hour, minute] = found.slice(1).map(Number);
  return instantOf({ year, month, day, hour, minute }, zone);
}
