// A swing in space: the bat's path coloured by its speed, the strike zone, the ball. Feet; x across the plate as the
// catcher sees it, y toward the pitcher, z up. It has its own projection, because it draws a hundred lines only.

import { ramp } from "./ramp.js";

const target = [0, 0.9, 2.7], near = 0.4;
const views = { Catcher: [0, 0.1], Side: [1.35, 0.12], Above: [0.02, 1.45], Home: [0.62, 0.24] };
const before = 0.3, after = 0.35, slowly = 6; // seconds around the contact, and the factor of slow motion
const perFrame = 40; // ms
const orbitsFor = 30_000; // ms after a swing or a key, for which the camera orbits
const pause = 5000; // ms: a swing that follows sooner is drawn at once, because no animation would ever end

/**
 * scene draws into a canvas until signal ends. Returns {show(swing), view(name), replay(), orbit(on), still(on)}.
 */
export function scene(canvas, signal) {
  const s = { canvas, pen: canvas.getContext("2d"), swing: null, yaw: 0.62, tilt: 0.24, zoom: 1, mirror: 1, played: Infinity, since: -Infinity, orbits: false, turned: 0, touched: 0, asked: 0 };
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  let last = 0;
  const frame = now => {
    s.asked = 0;
    if (now - last < perFrame && !s.hurry) return ask(); // more frames make slow motion no smoother
    s.hurry = false;
    const dt = Math.min(Math.max(now - last, 0) / 1000, 0.1);
    last = now;
    const orbits = s.orbits && now < s.touched + orbitsFor;
    if (orbits) s.turned += dt;
    if (s.played < after) s.played += dt / slowly;
    draw(s);
    if ((orbits || s.played < after) && !signal.aborted) ask();
  };
  const ask = () => { s.asked ||= requestAnimationFrame(frame); };
  const atOnce = () => { s.hurry = true; s.touched = performance.now(); ask(); };
  const size = new ResizeObserver(atOnce);
  size.observe(canvas);
  signal.addEventListener("abort", () => { size.disconnect(); cancelAnimationFrame(s.asked); });
  addEventListener("themechange", () => { s.colours = null; atOnce(); }, { signal });
  handle(canvas, s, atOnce);
  return {
    show(swing) {
      s.swing = swing;
      if (swing) s.mirror = mirrorOf(swing);
      last = performance.now();
      // guard: dashboard: reduced motion is respected | calm.matches || !swing -> !swing
      s.played = calm.matches || !swing || last - s.since < pause ? Infinity : -before;
      s.since = last;
      atOnce();
    },
    view(name) { [s.yaw, s.tilt] = views[name]; s.zoom = 1; s.turned = 0; atOnce(); },
    replay() { s.played = -before; last = performance.now(); atOnce(); },
    orbit(on) { s.orbits = on; last = performance.now(); atOnce(); },
  };
}

/** mirrorOf is 1 for a batter at the catcher's left, whom the camera sees from the other side. */
function mirrorOf(swing) {
  const hands = swing.bat.filter(b => b.handle);
  return hands.reduce((sum, b) => sum + b.handle[0], 0) > 0 ? -1 : 1;
}

function handle(canvas, s, ask) {
  let from = null;
  canvas.addEventListener("pointerdown", e => { from = [e.clientX, e.clientY, s.yaw, s.tilt]; canvas.setPointerCapture(e.pointerId); });
  canvas.addEventListener("pointerup", () => { from = null; });
  canvas.addEventListener("pointermove", e => {
    if (!from) return;
    turn(s, from[2] - (e.clientX - from[0]) / 160 * s.mirror, from[3] + (e.clientY - from[1]) / 160);
    ask();
  });
  canvas.addEventListener("wheel", e => {
    if (document.activeElement !== canvas) return; // without focus, the wheel scrolls the page
    e.preventDefault();
    zoom(s, Math.exp(-e.deltaY / 600));
    ask();
  }, { passive: false });
  const keys = {
    ArrowLeft: () => turn(s, s.yaw + 0.12 * s.mirror, s.tilt), ArrowRight: () => turn(s, s.yaw - 0.12 * s.mirror, s.tilt),
    ArrowUp: () => turn(s, s.yaw, s.tilt + 0.1), ArrowDown: () => turn(s, s.yaw, s.tilt - 0.1),
    "+": () => zoom(s, 1.15), "=": () => zoom(s, 1.15), "-": () => zoom(s, 1 / 1.15),
    0: () => { [s.yaw, s.tilt] = views.Home; s.zoom = 1; },
  };
  canvas.addEventListener("keydown", e => {
    if (!keys[e.key] || e.ctrlKey || e.metaKey || e.altKey) return;
    e.preventDefault();
    keys[e.key]();
    ask();
  });
}

function turn(s, yaw, tilt) {
  s.yaw = yaw;
  s.tilt = Math.min(Math.max(tilt, -0.1), 1.5);
  s.turned = 0;
}

function zoom(s, by) {
  s.zoom = Math.min(Math.max(s.zoom * by, 0.5), 4);
}

/** camera returns the projection of a point: [x, y, pixels per foot], null behind the camera. */
function camera(s, width, height) {
  const yaw = (s.yaw + 0.35 * Math.sin(s.turned * 0.5)) * s.mirror, tilt = s.tilt, far = 12.5;
  const [cy, sy, ct, st] = [Math.cos(yaw), Math.sin(yaw), Math.cos(tilt), Math.sin(tilt)];
  const focus = s.zoom * Math.min(height * 1.62, width * 1.5);
  return p => {
    const x = p[0] - target[0], y = p[1] - target[1], z = p[2] - target[2];
    const right = x * cy + y * sy, away = -x * sy * ct + y * cy * ct - z * st + far, up = -x * sy * st + y * cy * st + z * ct;
    return away < near ? null : [width / 2 + focus * right / away, height / 2 - focus * up / away, focus / away];
  };
}

function draw(s) {
  const { canvas, pen } = s, scale = Math.min(devicePixelRatio || 1, 2);
  const width = canvas.clientWidth, height = canvas.clientHeight;
  if (!width) return;
  if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
  }
  pen.setTransform(scale, 0, 0, scale, 0, 0);
  pen.clearRect(0, 0, width, height);
  pen.lineCap = pen.lineJoin = "round";
  s.colours ??= colours(canvas);
  const at = camera(s, width, height);
  ground(pen, at, s.colours);
  if (!s.swing) return zone(pen, at, s.colours, { left: -0.83, right: 0.83, bottom: 1.6, top: 3.4, y: 17 / 12 });
  zone(pen, at, s.colours, s.swing.strike_zone);
  const middle = middleOf(s.swing), now = s.played < after ? middle + s.played : Infinity;
  const met = s.swing.contact ? [s.swing.contact] : [], hit = s.swing.hit.length ? [...met.filter(m => m.kind === "hit"), ...s.swing.hit] : [];
  ball(pen, at, [...s.swing.pitch, ...hit.slice(0, 1)], s.colours.pitch, now, s.colours);
  ball(pen, at, hit, s.colours.hit, now, s.colours, true);
  bat(pen, at, s, middle, now);
  contact(pen, at, s, now);
}

/** middleOf returns when ball and bat met, else when the bat was fastest. */
export function middleOf(swing) {
  return swing.contact?.t ?? swing.peak_t ?? swing.bat.at(-1)?.t ?? 0;
}

function path(pen, at, points, colour, width, dash = []) {
  pen.strokeStyle = colour;
  pen.lineWidth = width;
  pen.setLineDash(dash);
  pen.beginPath();
  let drawn = false;
  for (const p of points) {
    const q = p && at(p); // null: a gap
    if (q && drawn) pen.lineTo(q[0], q[1]);
    else if (q) pen.moveTo(q[0], q[1]);
    drawn = !!q;
  }
  pen.stroke();
  pen.setLineDash([]);
}

function ground(pen, at, c) {
  const plate = [[-0.708, 1.417, 0], [0.708, 1.417, 0], [0.708, 0.708, 0], [0, 0, 0], [-0.708, 0.708, 0], [-0.708, 1.417, 0]];
  for (const side of [-1, 1]) {
    const [a, b] = [side * 1.208, side * 5.208];
    path(pen, at, [[a, 3.708, 0], [b, 3.708, 0], [b, -2.292, 0], [a, -2.292, 0], [a, 3.708, 0]], c.ground, 1);
    path(pen, at, [[side * 2.2, 2.2, 0], [side * 9, 9, 0]], c.ground, 1);
  }
  fill(pen, at, plate, c.plate, 1);
  path(pen, at, plate, c.ground, 1.2);
}

function fill(pen, at, points, colour, alpha) {
  const seen = points.map(at);
  if (seen.includes(null)) return;
  pen.globalAlpha = alpha;
  pen.fillStyle = colour;
  pen.beginPath();
  seen.forEach(([x, y], i) => i ? pen.lineTo(x, y) : pen.moveTo(x, y));
  pen.fill();
  pen.globalAlpha = 1;
}

function zone(pen, at, c, z) {
  const edge = [[z.left, z.y, z.bottom], [z.right, z.y, z.bottom], [z.right, z.y, z.top], [z.left, z.y, z.top], [z.left, z.y, z.bottom]];
  fill(pen, at, edge, c.text, 0.05);
  path(pen, at, edge, c.muted, 1.4, z.assumed ? [5, 4] : []);
  for (const part of [1 / 3, 2 / 3]) {
    const x = z.left + (z.right - z.left) * part, up = z.bottom + (z.top - z.bottom) * part;
    path(pen, at, [[x, z.y, z.bottom], [x, z.y, z.top]], c.line, 1);
    path(pen, at, [[z.left, z.y, up], [z.right, z.y, up]], c.line, 1);
  }
}

function ball(pen, at, samples, colour, now, c, leaves) {
  const seen = samples.filter(b => b.t <= now);
  if (!seen.length) return;
  path(pen, at, seen.map(b => [b.pos[0], b.pos[1], 0.02]), c.shadow, 2);
  path(pen, at, seen.map(b => b.pos), colour, 2);
  const end = at(seen.at(-1).pos);
  if (!end || (leaves && now === Infinity)) return;
  pen.fillStyle = colour;
  pen.beginPath();
  pen.arc(end[0], end[1], Math.max(0.121 * end[2], 2.5), 0, 7);
  pen.fill();
}

function bat(pen, at, s, middle, now) {
  const c = s.colours, all = s.swing.bat.filter(b => b.head && b.t >= middle - before && b.t <= middle + after), seen = all.filter(b => b.t <= now);
  if (seen.length < all.length) path(pen, at, all.map(b => b.head), c.line, 2); // the rest of the path
  if (!seen.length) return;
  path(pen, at, seen.map(b => [b.head[0], b.head[1], 0.02]), c.shadow, 4);
  pen.globalAlpha = 0.3; // the bat itself, so that the path has a surface
  const lines = Map.groupBy(seen.filter(b => b.handle), b => colour(b, c));
  for (const [shade, bats] of lines) path(pen, at, bats.flatMap(b => [b.handle, b.head, null]), shade, 1);
  pen.globalAlpha = 1;
  for (const run of runs(seen, c)) {
    path(pen, at, run.points, run.shade, Math.max((at(run.points[0])?.[2] ?? 0) * 0.1, 3), run.known ? [] : [2, 4]);
  }
  const shown = now === Infinity ? nearest(seen, middle) : seen.at(-1);
  if (shown.handle) wood(pen, at, shown, c);
}

/** runs splits the path of the head into parts of one colour, each beginning where the one before ends. */
function runs(samples, c) {
  const found = [];
  samples.forEach((b, i) => {
    const last = found.at(-1), shade = colour(b, c);
    if (i && b.t - samples[i - 1].t > 0.05) found.push({ shade, known: b.speed_mph != null, points: [b.head] }); // a gap in the track
    else if (!last || last.shade !== shade) found.push({ shade, known: b.speed_mph != null, points: last ? [last.points.at(-1), b.head] : [b.head] });
    else last.points.push(b.head);
  });
  return found;
}

/** colour is that of a sample's speed, in steps of 3 mph, because a line of one colour is drawn at once. */
function colour(b, c) {
  return b.speed_mph == null ? c.muted : ramp(Math.round(b.speed_mph / 3) * 3, c.dark);
}

function nearest(samples, t) {
  return samples.reduce((best, b) => Math.abs(b.t - t) < Math.abs(best.t - t) ? b : best);
}

function wood(pen, at, { handle, head }, c) {
  const along = f => handle.map((v, i) => v + (head[i] - v) * f), scale = at(along(0.7))?.[2] ?? 0;
  path(pen, at, [along(-0.12), head], c.text, Math.max(scale * 0.085, 2));
  path(pen, at, [along(0.55), along(0.97)], c.text, Math.max(scale * 0.19, 3.5));
}

function contact(pen, at, s, now) {
  const met = s.swing.contact, q = met && met.t <= now ? at(met.pos) : null;
  if (!q) return;
  pen.strokeStyle = s.colours.accent;
  pen.lineWidth = 2;
  pen.setLineDash(met.kind === "hit" ? [] : [3, 3]);
  pen.beginPath();
  pen.arc(q[0], q[1], Math.max(q[2] * 0.22, 6), 0, 7);
  pen.stroke();
  pen.setLineDash([]);
}

/** colours reads the colours of the page, because a canvas cannot use CSS variables. */
function colours(canvas) {
  const probe = document.createElement("span"), found = {};
  canvas.after(probe);
  for (const name of ["text", "muted", "line", "ground", "accent", "plate", "shadow", "pitch", "hit"]) {
    probe.style.color = `var(--${name})`;
    found[name] = getComputedStyle(probe).color;
  }
  probe.style.color = "var(--bg)";
  found.dark = luminance(getComputedStyle(probe).color) < 0.4;
  probe.remove();
  return found;
}

function luminance(colour) {
  const [r, g, b] = colour.match(/[\d.]+/g).map(Number);
  return (0.2126 * r + 0.7152 * g + 0.0722 * b) / (colour.startsWith("rgb") ? 255 : 1);
}
