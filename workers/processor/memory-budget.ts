/** What is left to the system and to other programs when nobody says how much to take. */
const SHARE = 0.8

/**
 * How much memory all loaded models may take together, in bytes.
 *
 * @param memoryMebibytes as it was configured; `auto`: four fifths of what is available now
 * @param availableBytes default: what the system says
 */
export function memoryBudgetBytes(
  memoryMebibytes: number | 'auto',
  availableBytes: number = process.availableMemory(),
): number {
  return memoryMebibytes === 'auto' ? Math.floor(availableBytes * SHARE) : memoryMebibytes * 2 ** 20
}
