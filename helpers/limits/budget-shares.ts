/** How much of a shared memory budget one processor uses. */
export interface MemoryUse {
  /** By all of its models that are loaded or being loaded. */
  readonly takenBytes: number
  /** By the largest of them. */
  readonly largestBytes: number
}

/** The use by models of these sizes. */
export function memoryUseOf(modelBytes: readonly number[]): MemoryUse {
  return {
    takenBytes: modelBytes.reduce((sum, bytes) => sum + bytes, 0),
    largestBytes: Math.max(0, ...modelBytes),
  }
}

/** The share of each of `count` processors, in bytes. */
export function memoryShare(totalBytes: number, count: number): number {
  return Math.floor(totalBytes / count)
}

/**
 * Whether a processor may use memory:
 *
 * - `granted`: yes;
 * - `unload`: only after it has unloaded other models of its own;
 * - `wait`: only after other processors have unloaded what exceeds their shares, which they do;
 * - `insufficient`: no, even then too little is left.
 */
export type MemoryVerdict = 'granted' | 'unload' | 'wait' | 'insufficient'

/**
 * Decides whether a processor may use memory that it shares with others in equal shares. Several models
 * together must not exceed the share. A single model may, if the others leave enough: otherwise a model
 * that fits into the machine could not run next to an idle processor.
 *
 * @param totalBytes the budget of all processors together
 * @param wanted the use of this processor, if it is granted
 * @param others the uses of the other processors
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

/** What a processor still uses after it has unloaded models to keep to a smaller share. */
function keptBytes({ takenBytes, largestBytes }: MemoryUse, share: number): number {
  return Math.min(takenBytes, Math.max(share, largestBytes))
}

/**
 * The share of one of several processors in the threads of a machine, at least 1.
 *
 * @param place its index among them: the first ones get the remainder of the division
 */
export function threadShare(threads: number, count: number, place: number): number {
  return Math.max(1, Math.floor(threads / count) + (place < threads % count ? 1 : 0))
}
