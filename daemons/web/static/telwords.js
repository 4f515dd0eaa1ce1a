// Telemetry in words: lap times, gaps, ages, how well a driver is heard.

import { ageText } from "/static/text.js";

export function lapText(time_s) {
  if (time_s === null || time_s === undefined) return "–";
  const whole = Math.round(time_s * 1000);
  const rest = ((whole % 60000) / 1000).toFixed(3);
  return whole < 60000 ? rest : Math.floor(whole / 60000) + ":" + rest.padStart(6, "0");
}

export function signed(value, digits) {
  const text = Math.abs(value).toFixed(digits);
  return (Number(text) === 0 ? "±" : value < 0 ? "−" : "+") + text;
}

export function figure(value, digits = 0) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  const text = value.toFixed(digits);
  return Number(text) === 0 ? text.replace("-", "") : text.replace("-", "−");
}

export function gearText(gear) {
  return gear === null || Number.isNaN(gear) ? "–" : gear < 0 ? "R" : gear === 0 ? "N" : String(gear);
}

export function steeringText(degrees) {
  if (degrees === null || Number.isNaN(degrees)) return "–";
  const whole = Math.round(Math.abs(degrees));
  return whole === 0 ? "0°" : whole + "° " + (degrees < 0 ? "left" : "right");
}

// How far ahead (positive) or behind a car is, in seconds, or in laps when it is more than one.
export function gapText(gap_s, lap_s) {
  if (gap_s === null) return "–";
  if (lap_s > 0 && Math.abs(gap_s) >= lap_s) {
    const laps = Math.trunc(gap_s / lap_s);
    return (laps < 0 ? "−" : "+") + Math.abs(laps) + (Math.abs(laps) === 1 ? " lap" : " laps");
  }
  return signed(gap_s, 1);
}

export function lossText(state) {
  if (state.loss === null) return "loss not known";
  if (state.lost === 0) return "nothing lost";
  return (100 * state.loss).toFixed(state.loss < 0.01 ? 2 : 1) + " % lost";
}

export function clockWords(error_s) {
  return error_s === null ? "clock not known" : "clock ± " + Math.max(1, Math.round(error_s * 1000)) + " ms";
}

// How old a driver's newest value is.
export function oldness(age_ms) {
  if (age_ms === null) return "age not known";
  if (age_ms < 1000) return Math.max(0, Math.round(age_ms / 10) * 10) + " ms old";
  return age_ms < 10000 ? (age_ms / 1000).toFixed(1) + " s old" : ageText(age_ms / 1000) + " old";
}

export function dayTime(at_ms, withDay = false) {
  const options = { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23", ...(withDay ? { day: "numeric", month: "short", year: "numeric" } : {}) };
  return new Intl.DateTimeFormat("en-GB", options).format(at_ms);
}
