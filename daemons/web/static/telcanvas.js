// A canvas that is as sharp as the screen; its colours are those of the page, light or dark.

export function penOf(canvas) {
  const ratio = window.devicePixelRatio || 1;
  const width = canvas.clientWidth;
  const height = canvas.clientHeight;
  if (canvas.width !== Math.round(width * ratio)) canvas.width = Math.round(width * ratio);
  if (canvas.height !== Math.round(height * ratio)) canvas.height = Math.round(height * ratio);
  const pen = canvas.getContext("2d");
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, width, height);
  pen.font = "12px system-ui, sans-serif";
  return { pen, width, height };
}

const kept = new WeakMap();
const scheme = matchMedia("(prefers-color-scheme: dark)");

// Looked up once for light and once for dark: asking for a style every frame costs more than the drawing.
export function coloursOf(canvas, names) {
  const known = kept.get(canvas);
  if (known !== undefined && known.isDark === scheme.matches) return known.colours;
  const style = getComputedStyle(canvas);
  const colours = Object.fromEntries(names.map((name) => [name, style.getPropertyValue("--" + name).trim()]));
  kept.set(canvas, { isDark: scheme.matches, colours });
  return colours;
}

export function straight(pen, x1, y1, x2, y2) {
  pen.beginPath();
  pen.moveTo(x1, y1);
  pen.lineTo(x2, y2);
  pen.stroke();
}
