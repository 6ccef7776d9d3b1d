/** What one of several processors has taken of the memory that they share. */
export interface MemoryUse {
  /** By all of its loaded models, those about to be loaded included. */
  readonly takenBytes: number
  /** By the largest of them. */
  readonly largestBytes: number
}

/** The use of models of these sizes. */
export function memoryUseOf(modelBytes: readonly number[]): MemoryUse {
  return {
    takenBytes: modelBytes.reduce((sum, bytes) => sum + bytes, 0),
    largestBytes: Math.max(0, ...modelBytes),
  }
}

/** The equal share of one of `count` processors, in bytes. */
export function memoryShare(totalBytes: number, count: number): number {
  return Math.floor(totalBytes / count)
}

/**
 * Whether a processor may take memory:
 *
 * - `granted`;
 * - `unload`: it has to unload something of its own first;
 * - `wait`: others have more than their share since this one came, and are about to give it back;
 * - `insufficient`: what the others keep leaves too little.
 */
export type MemoryVerdict = 'granted' | 'unload' | 'wait' | 'insufficient'

/**
 * Decides whether a processor may take memory that it shares with others in equal parts. One model may
 * be larger than a share where the others leave room for it, because otherwise a model that fits into
 * the machine could not be run beside an idle processor; with several models none may exceed its share.
 *
 * @param totalBytes of all of them together
 * @param wanted what it would have then
 * @param others what the others have
 */
export function memoryVerdict(
  totalBytes: number,
  wanted: MemoryUse,
  others: readonly MemoryUse[],
): MemoryVerdict {
  const share = memoryShare(totalBytes, others.length + 1)
  const isOneModel = wanted.takenBytes === wanted.largestBytes
  if (wanted.takenBytes > share && !isOneModel) return 'unload'
  const taken = others.reduce((sum, { takenBytes }) => sum + takenBytes, 0)
  if (wanted.takenBytes + taken <= totalBytes) return 'granted'
  const kept = others.reduce((sum, other) => sum + keptBytes(other, share), 0)
  if (wanted.takenBytes + kept <= totalBytes) return 'wait'
  return isOneModel ? 'insufficient' : 'unload'
}

/** What a processor keeps when its share has become smaller: it unloads all but one model for that. */
function keptBytes({ takenBytes, largestBytes }: MemoryUse, share: number): number {
  return Math.min(takenBytes, Math.max(share, largestBytes))
}

/**
 * How many threads one of several processors computes with, so that together they compute with as
 * many as there are; each has one at least.
 *
 * @param place which of them it is, from 0: the first ones get what cannot be divided
 */
export function threadShare(threads: number, count: number, place: number): number {
  return Math.max(1, Math.floor(threads / count) + (place < threads % count ? 1 : 0))
}
