"use strict";
// Colours of layers, classes, curves and times, for light and for dark screens. Each is a variable
// of CSS, so that the page follows the screen, and prints on white, without being drawn anew.

// Layers have an order, so their hues go one way, from blue to magenta. Neighbours differ in
// lightness as well: 20 are told apart on both grounds. Lightness, chroma and hue are OKLCH's.
const HUES = [264, -15], CHROMA = 0.15;
const LEVELS = { light: [0.4, 0.64, 0.52], dark: [0.62, 0.85, 0.74] };

// Times go from dark to bright on both grounds.
const TIME_LEVELS = { light: [0.33, 0.78], dark: [0.5, 0.92] };
const TIME_HUES = [300, 115], TIME_STEPS = 24;

const SCHEMES = ["light", "dark"];
const sheet = { text: "", defined: new Set(), node: document.createElement("style") };
document.head.append(sheet.node);

// The names of `count` colours: var(--name-0), var(--name-1) and on.
function palette(name, count) {
  const full = `${name}-of-${count}`;
  define(full, count, (scheme, i) => {
    const levels = LEVELS[scheme];
    return oklch(levels[i % levels.length], CHROMA, between(HUES, i / Math.max(1, count - 1)));
  });
  return (i) => `var(--${full}-${i % Math.max(1, count)})`;
}

// The colour of a share of the run, from 0 to 1.
function shade(share) {
  define("time", TIME_STEPS, (scheme, i) => {
    const at = i / (TIME_STEPS - 1);
    return oklch(between(TIME_LEVELS[scheme], at), 0.13, between(TIME_HUES, at));
  });
  return `var(--time-${Math.round(Math.min(Math.max(share, 0), 1) * (TIME_STEPS - 1))})`;
}

const between = ([low, high], share) => low + share * (high - low);

function define(name, count, colourOf) {
  if (sheet.defined.has(name)) return;
  sheet.defined.add(name);
  for (let i = 0; i < count; i++) sheet.text += `--${name}-${i}:light-dark(${SCHEMES.map((scheme) => colourOf(scheme, i))});`;
  sheet.node.textContent = `:root{${sheet.text}}`;
}

// The colour that var(--name) is at the moment, for a canvas.
function resolved(variable) {
  sheet.node.style.color = variable;
  return getComputedStyle(sheet.node).color;
}

// As much of the chroma as a screen can show.
function oklch(lightness, chroma, hue) {
  for (let c = chroma; c > 0; c -= 0.005) {
    const channels = linear(lightness, c * Math.cos((hue * Math.PI) / 180), c * Math.sin((hue * Math.PI) / 180));
    if (channels.every((v) => v >= 0 && v <= 1)) return hex(channels);
  }
  return hex(linear(lightness, 0, 0));
}

// From OKLab to linear red, green and blue (Ottosson 2020).
function linear(L, a, b) {
  const l = (L + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (L - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (L - 0.0894841775 * a - 1.291485548 * b) ** 3;
  return [
    4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
    -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
    -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s,
  ];
}

const hex = (channels) => "#" + channels.map((v) => {
  const seen = v <= 0.0031308 ? 12.92 * v : 1.055 * v ** (1 / 2.4) - 0.055;
  return Math.round(255 * Math.min(Math.max(seen, 0), 1)).toString(16).padStart(2, "0");
}).join("");
