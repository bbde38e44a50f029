// SPDX-License-Identifier: Apache-2.0
// Decimal text and whole nano-units (10^-9 of a currency), in BigInt: the tests' own arithmetic,
// written without a look at src/codec/decimal.c so that the two can disagree.

const NANO_DIGITS = 9;

/** '0.05' -> 50000000n. Throws for anything that is not a plain decimal of at most nine places. */
export function nano(text) {
  const match = /^(-?)(\d+)(?:\.(\d{1,9}))?$/.exec(text);
  if (!match) throw new Error(`not an amount: ${JSON.stringify(text)}`);
  const [, sign, whole, fraction = ''] = match;
  const value = BigInt(whole + fraction.padEnd(NANO_DIGITS, '0'));
  return sign ? -value : value;
}

/** 50000000n -> '0.050000000' */
export function text(amount) {
  const sign = amount < 0n ? '-' : '';
  const digits = (amount < 0n ? -amount : amount).toString().padStart(NANO_DIGITS + 1, '0');
  return `${sign}${digits.slice(0, -NANO_DIGITS)}.${digits.slice(-NANO_DIGITS)}`;
}

/** value / divisor, a half going to the even neighbour; for value >= 0. */
export function divideHalfEven(value, divisor) {
  const quotient = value / divisor;
  const twice = (value % divisor) * 2n;
  if (twice > divisor || (twice === divisor && quotient % 2n === 1n)) return quotient + 1n;
  return quotient;
}

// A price is decimal text per million tokens, of up to 18 places: kept as 10^-18 per million.
function atto(price) {
  const match = /^(\d+)(?:\.(\d{1,18}))?$/.exec(price);
  if (!match) throw new Error(`not a price: ${JSON.stringify(price)}`);
  return BigInt(match[1] + (match[2] ?? '').padEnd(18, '0'));
}

/**
 * What one call costs in nano-units. prices: {input, output, cached_input?, cache_write?, reasoning?}
 * as decimal text per million; usage: {input, output, cached_input?, cache_write?, reasoning?} in
 * tokens, the parts contained in input and output. Rounded once.
 */
export function charge(prices, usage) {
  const cached = BigInt(usage.cached_input ?? 0);
  const written = BigInt(usage.cache_write ?? 0);
  const reasoning = BigInt(usage.reasoning ?? 0);
  const input = atto(prices.input);
  const output = atto(prices.output);
  const total = (BigInt(usage.input) - cached - written) * input
    + cached * (prices.cached_input ? atto(prices.cached_input) : input)
    + written * (prices.cache_write ? atto(prices.cache_write) : input)
    + (BigInt(usage.output) - reasoning) * output
    + reasoning * (prices.reasoning ? atto(prices.reasoning) : output);
  return divideHalfEven(total, 10n ** 15n);
}
