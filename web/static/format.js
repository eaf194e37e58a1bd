// Numbers, times and baseball terms, as people read them.

/** missing is shown for a missing value. */
export const missing = "–";

/** number formats a value with that many decimals; a missing one is "–". */
export function number(value, decimals = 0) {
  return value == null ? missing : formatter(decimals).format(value).replace("-", "\u2212");
}

const formatters = new Map();

function formatter(decimals) {
  if (!formatters.has(decimals)) {
    formatters.set(decimals, new Intl.NumberFormat("en-US", { minimumFractionDigits: decimals, maximumFractionDigits: decimals, signDisplay: "negative" }));
  }
  return formatters.get(decimals);
}

/** quantity formats a value with its unit: 74.1 mph, 9°, 34.6 %. */
export function quantity(value, decimals, unit) {
  return value == null ? missing : number(value, decimals) + (unit === "°" ? "°" : ` ${unit}`);
}

/** counted formats a count: 1 batter, 2 batters. */
export function counted(n, one, many = `${one}s`) {
  return `${number(n)} ${n === 1 ? one : many}`;
}

/** change formats a difference with its sign. */
export function change(value, decimals) {
  return value > 0 ? `+${number(value, decimals)}` : number(value, decimals);
}

/** duration formats milliseconds: 4 ms, 1.2 s, 3 min, 2 h. */
export function duration(ms) {
  if (ms == null) return missing;
  if (ms < 1000) return `${number(ms)} ms`;
  if (ms < 10_000) return `${number(ms / 1000, 1)} s`;
  if (ms < 120_000) return `${number(ms / 1000)} s`;
  if (ms < 7_200_000) return `${number(ms / 60_000)} min`;
  return ms < 172_800_000 ? `${number(ms / 3_600_000)} h` : `${number(ms / 86_400_000)} days`;
}

/** storeState returns the state of a store in words, and its level. One that answers may still take no writes, or lack something. */
export function storeState(s) {
  if (s.unknown) return { words: "not known", level: null };
  if (!s.ok) return { words: "unavailable", level: "bad" };
  // guard: dashboard: a store with something wrong is not called well | if (s.detail) -> if (false)
  if (s.detail) return { words: { postgres: "up, takes no writes", redis: "up, incomplete" }[s.name] ?? "up, not well", level: "warn" };
  return { words: "up", level: "ok" };
}

/** ago formats how long ago something was: 4 s ago. */
export function ago(ms) {
  return `${duration(Math.max(ms, 0))} ago`;
}

/** seconds formats a duration in seconds. */
export function seconds(s) {
  return s == null ? missing : duration(1000 * s);
}

/** measured formats a value of a sensor: a whole number as it came, else with one decimal. */
export function measured(value) {
  return number(value, value == null || Number.isInteger(value) ? 0 : 1);
}

/** byteRate formats bytes per second. */
export function byteRate(value) {
  return value == null ? missing : value < 1e6 ? `${number(value / 1e3, 1)} kB/s` : `${number(value / 1e6, 1)} MB/s`;
}

const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric" });

/** time formats 18:04:37 for today, and 28 Sept 2024, 18:04:37 for another day. */
export function time(value) {
  if (!value) return missing;
  const at = new Date(value);
  return at.toDateString() === new Date().toDateString() ? clock.format(at) : `${day.format(at)}, ${clock.format(at)}`;
}

/** dateTime formats 28 Sept 2024, 18:04:37, today too: of what lies for days, the date counts. */
export function dateTime(value) {
  return value ? `${day.format(new Date(value))}, ${clock.format(new Date(value))}` : missing;
}

/** timeOfDay formats 18:04:37 for any day. */
export function timeOfDay(value) {
  return value ? clock.format(new Date(value)) : missing;
}

/** date formats a calendar date: 28 Sept 2024. */
export function date(value) {
  return value ? day.format(new Date(`${value}T12:00:00`)) : missing;
}

/** player returns the name, else the number. */
export function player(name, id, unknown = "unknown batter") {
  return name || (id == null ? unknown : `#${id}`);
}

const typeNames = new Map(Object.entries({ FourSeamFastball: "Four-seam", TwoSeamFastball: "Two-seam", Knucklecurve: "Knuckle curve" }));

/** spaced turns FourSeamFastball into Four-seam fastball. Records may have any word, also one that every object has, as constructor. */
export function spaced(word) {
  if (!word) return missing;
  // guard: dashboard: a type may have any name | typeNames.get(word) -> Object.fromEntries(typeNames)[word]
  const known = typeNames.get(word);
  return known ?? word.replace(/([a-z])([A-Z])/g, (_, a, b) => `${a} ${b.toLowerCase()}`);
}

/** typeName names a pitch type of an aggregate, where unknown stands for a missing one and other for the rare ones. */
export function typeName(type) {
  return type === "unknown" ? "Unknown type" : type === "other" ? "Other types" : spaced(type);
}

const families = { four: "FourSeamFastball", sink: "Sinker TwoSeamFastball", cut: "Cutter", slide: "Slider", sweep: "Sweeper Slurve", curve: "Curveball Knucklecurve KnuckleCurve", change: "Changeup", split: "Splitter Forkball Screwball" };

/** family is the class of a pitch type's colour: the same type has the same one everywhere. */
export function family(type) {
  return `type ${Object.keys(families).find(k => families[k].split(" ").includes(type)) ?? "rare"}`;
}

/** outcome describes the result of a pitch in a scorer's words. */
export function outcome(pitch) {
  const { pitch_result: result, pitch_action: action } = pitch;
  if (result === "HitIntoPlay") return "In play";
  if (action === "Foul") return "Foul";
  if (action === "FoulTip") return "Foul tip";
  if (result === "Strike") return pitch.is_whiff || action === "Swinging" ? "Whiff" : action === "Called" ? "Called strike" : "Strike";
  return result === "Ball" && action && action !== "Called" ? `Ball, ${spaced(action).toLowerCase()}` : result ?? missing;
}

/** unescaped decodes a part of an address; one that is no UTF-8 stays as it is. */
export function unescaped(part) {
  try { return decodeURIComponent(part); } catch { return part; }
}

/** withoutCode is the message of a group of dead letters without its code, which has a column of its own. */
export function withoutCode({ code, shape }) {
  // guard: dashboard: a code is not said twice | shape.startsWith(code) -> false
  return shape.startsWith(code) ? shape.slice(code.length).replace(/^:? /, "") : shape;
}

/** version identifies one state of a pitch: a correction has another version. */
export function version(pitch) {
  return `${pitch.pitch_id}/${pitch.revision}/${pitch.source_partition}/${pitch.source_offset}`;
}

/** leading says which players a list of leaders has: those without the value, or with fewer than least, are not in it. */
export function leading({ leaders, stat = "pitches", min_swings: swings = 0, min_pitches: pitches = 0 }, most, who, least) {
  const value = stat.replaceAll("_", " ").replace(/ (mph|deg|ft|rpm|pct)$/, ""), of = swings + pitches > 0 ? `, of at least ${least}` : "";
  if (leaders.length >= most) return `The first ${most} by ${value}${of}, over all games`;
  // guard: dashboard: a list of some is not called one of all | stat === "pitches" ? "" -> true ? ""
  return `${counted(leaders.length, who)}${stat === "pitches" ? "" : ` with a value of ${value}`}${of}, over all games`;
}
