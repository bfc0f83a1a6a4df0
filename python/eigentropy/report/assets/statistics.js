"use strict";
// Differences of values with standard errors: p-values of the normal distribution, and Holm's
// correction.

// 1 - erf(x) for x >= 0: its series where that has digits, else its continued fraction.
const BOUNDARY = 2, FRACTIONS = 80;

function erfc(x) {
  const density = Math.exp(-x * x) / Math.sqrt(Math.PI);
  if (x < BOUNDARY) {
    let term = 2 * x, sum = term;
    for (let k = 1; term > 1e-17 * sum; k++) sum += term *= (2 * x * x) / (2 * k + 1);
    return 1 - density * sum;
  }
  let fraction = x;
  for (let k = FRACTIONS; k > 0; k--) fraction = x + k / 2 / fraction;
  return density / fraction;
}

// The difference b - a of two values from samples that are independent of each other.
function difference(a, b) {
  const value = b.value - a.value, error = Math.hypot(a.error, b.error), reach = data.quantile * error;
  const p = value === 0 ? 1 : erfc(Math.abs(value) / error / Math.SQRT2);
  return { value, error, low: value - reach, high: value + reach, p };
}

const isMeasured = ({ value, error }) => isNumber(value) && isNumber(error) && error >= 0;

// Holm's correction for as many p-values as there are: the smallest counts as often.
function holm(values) {
  const order = values.map((p, i) => [p, i]).sort((a, b) => a[0] - b[0]);
  const corrected = [];
  let most = 0;
  order.forEach(([p, i], k) => { corrected[i] = most = Math.max(most, Math.min(1, (values.length - k) * p)); });
  return corrected;
}

const isTie = (p) => p > 1 - data.level;

// The pairs with their differences; those that do not differ at the page's level are ties.
function compared(pairs) {
  const all = pairs.map(([a, b]) => ({ a, b, ...difference(a, b) }));
  holm(all.map((one) => one.p)).forEach((p, i) => Object.assign(all[i], { holm: p, isTie: isTie(p) }));
  return all;
}

const SMALLEST_SHOWN = 1e-15;

const pText = (p) => (p < SMALLEST_SHOWN ? `< ${SMALLEST_SHOWN}` : p < 0.001 ? p.toExponential(1) : p.toFixed(3));
