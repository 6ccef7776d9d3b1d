/** The scale at which the endurance tests run, as a share of full size; `npm run test:endurance` sets 1. */
const SCALE = Number(process.env.TEST_SCALE ?? 0.1)
if (!(SCALE > 0 && SCALE <= 1)) {
  throw new Error(`TEST_SCALE has to be above 0 and at most 1: ${process.env.TEST_SCALE}`)
}

/**
 * A scaled amount for an endurance test: runs of a property, kills, repeats, milliseconds.
 *
 * @param full the amount at full size
 * @returns a whole number, at least 1
 */
export function scaled(full: number): number {
  return Math.max(1, Math.round(full * SCALE))
}
