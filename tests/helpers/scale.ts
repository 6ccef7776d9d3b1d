/** The share of their full size at which the tests of endurance run; `npm run test:endurance` sets 1. */
const SCALE = Number(process.env.TEST_SCALE ?? 0.1)
if (!(SCALE > 0 && SCALE <= 1)) {
  throw new Error(`TEST_SCALE has to be above 0 and at most 1: ${process.env.TEST_SCALE}`)
}

/**
 * How much of something a test of endurance does: runs of a property, kills, repeats, milliseconds.
 *
 * @param full how much at full size
 * @returns a whole number, at least 1
 */
export function scaled(full: number): number {
  return Math.max(1, Math.round(full * SCALE))
}
