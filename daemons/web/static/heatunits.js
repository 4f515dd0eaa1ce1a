// Temperatures in words and back. Everything that is known or sent is °C; °F is how this device shows it.

export function shownDegrees(celsius, isF) {
  return isF ? (celsius * 9) / 5 + 32 : celsius;
}

export function shownKelvin(kelvin, isF) {
  return isF ? (kelvin * 9) / 5 : kelvin;
}

// What somebody typed, as °C with two digits; NaN for no number.
export function toCelsius(text, isF) {
  const typed = String(text).trim().replace(",", ".");
  if (!/^-?\d{1,4}(\.\d*)?$/.test(typed)) return NaN;
  const value = Number(typed);
  return Math.round((isF ? ((value - 32) * 5) / 9 : value) * 100) / 100;
}

export function degreesText(celsius, isF) {
  if (celsius === null || celsius === undefined || !Number.isFinite(celsius)) return "–";
  const text = shownDegrees(celsius, isF).toFixed(1);
  return (text === "-0.0" ? "0.0" : text).replace("-", "−") + " °" + (isF ? "F" : "C");
}

// A number for a field to type in: no more digits than were chosen.
export function fieldText(celsius, isF) {
  if (celsius === null || celsius === undefined) return "";
  return String(Math.round(shownDegrees(celsius, isF) * 10) / 10);
}

export function stepOf(isF) {
  return isF ? 1 : 0.5;
}

// One step up or down, on whole steps as they are shown, within the bounds.
export function stepped(celsius, direction, isF, lowest, highest) {
  const step = stepOf(isF);
  const value = Math.round(shownDegrees(celsius, isF) * 10) / 10 / step; // as it is shown
  const next = direction > 0 ? Math.floor(value + 1.0001) : Math.ceil(value - 1.0001);
  const wanted = toCelsius((next * step).toFixed(1), isF);
  return Math.min(Math.max(wanted, lowest), highest);
}

export function durationText(length_s) {
  if (length_s === null || length_s === undefined || !Number.isFinite(length_s)) return "–";
  const minutes = Math.round(length_s / 60);
  if (length_s < 60) return Math.round(length_s) + " s";
  if (minutes < 100) return minutes + " min";
  const hours = Math.floor(minutes / 60);
  return hours + " h " + String(minutes % 60).padStart(2, "0") + " min";
}
