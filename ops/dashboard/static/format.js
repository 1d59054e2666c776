// Numbers as people read them: few digits, aligned, never a unit left out.

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

/** [number, unit] of milliseconds. */
export function ms(value) {
  if (value == null) return ["–", ""];
  if (value < 9.95) return [value.toFixed(1), "ms"];
  if (value < 999.5) return [value.toFixed(0), "ms"];
  return seconds(value / 1e3);
}

/** [number, unit] of seconds. */
export function seconds(value) {
  if (value == null) return ["–", ""];
  if (value === 0) return ["0", "s"];
  if (value < 9.95) return [value.toFixed(1), "s"];
  if (value < 99.5) return [value.toFixed(0), "s"];
  if (value < 570) return [(value / 60).toFixed(1), "min"];
  if (value < 5_940) return [(value / 60).toFixed(0), "min"];
  if (value < 356_400) return [(value / 3_600).toFixed(0), "h"];
  return [whole.format(value / 86_400), "d"];
}

/** [number, unit] of a rate. */
export function rate(value) {
  if (value == null) return ["–", ""];
  if (value >= 999_500) return [(value / 1e6).toFixed(1), "M/s"];
  if (value >= 9_995) return [(value / 1e3).toFixed(1), "k/s"];
  if (value >= 9.95 || value === 0) return [whole.format(value), "/s"];
  return [value.toFixed(1), "/s"];
}

/** [number, unit] of a share. */
export function share(value) {
  return value == null ? ["–", ""] : [(100 * value).toFixed(value < 0.0995 ? 1 : 0), "%"];
}

/** [number, unit] of a count. */
export function count(value) {
  if (value == null) return ["–", ""];
  if (value >= 9_999_500) return [(value / 1e6).toFixed(0), "M"];
  if (value >= 99_950) return [(value / 1e3).toFixed(0), "k"];
  return [whole.format(value), ""];
}

/** A number with few digits, of no unit. */
export function plain(value) {
  return value == null ? ["–", ""] : [value.toPrecision(3), ""];
}

/** One text of a pair. */
export function text([number, unit]) {
  return unit && unit !== "%" && !unit.startsWith("/") ? `${number} ${unit}` : number + unit;
}

const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });

/** hh:mm:ss of this machine. */
export function time(atMs) {
  return clock.format(atMs);
}
