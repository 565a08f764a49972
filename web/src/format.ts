// Quantities as people read them, with the library's prefixes and digits.

const PREFIXES: Record<number, string> = {
  [-24]: "y", [-21]: "z", [-18]: "a", [-15]: "f", [-12]: "p", [-9]: "n", [-6]: "µ", [-3]: "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T",
};

export function si(value: number, unit: string): string {
  if (!Number.isFinite(value)) return "∞";
  if (value === 0) return `0 ${unit}`;
  let power = Math.min(Math.max(Math.floor(Math.log10(Math.abs(value)) / 3) * 3, -24), 12);
  if (Math.abs(Number((value / 10 ** power).toPrecision(3))) >= 1000 && power < 12) power += 3;
  return `${plain(value / 10 ** power)} ${PREFIXES[power]}${unit}`;
}

function plain(value: number): string {
  const whole = Math.floor(Math.abs(value)).toString().length;
  return value.toFixed(Math.max(0, 3 - whole));
}

/** `0.67`, `1.03`, `2.4`, `31`, `1,200`. */
export function times(ratio: number): string {
  if (!Number.isFinite(ratio)) return "∞";
  if (ratio === 0) return "0";
  const digits = Math.abs(ratio - 1) < 0.1 ? 3 : 2;
  return DIGITS[digits - 2].format(Number(ratio.toPrecision(digits)));
}

// made once: a formatter is dear, and numbers are said at every step
const WHOLE = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const DIGITS = [2, 3].map((maximumSignificantDigits) => new Intl.NumberFormat("en", { maximumSignificantDigits }));

export const count = (value: number): string => WHOLE.format(Math.round(value));
export const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
export const capital = (text: string): string => text[0].toUpperCase() + text.slice(1);
