/** Below this size, more threads rarely pay: the search begins with one. */
const SMALL_MODEL_BYTES = 256 * 1024 * 1024

/**
 * The thread counts to measure a model with, in order: 1, 2, 4 … for a small model, from all processors
 * down for a large one.
 *
 * A small model leaves one processor to other programs. Its threads wait for one another hundreds of
 * times per token, and if one of them also has to wait for a processor, they cost far more than they
 * gain: two instead of one took a model of 26M parameters from 660 to 67 tokens/s on a machine with two
 * processors.
 *
 * @param modelBytes the size of the model
 * @param processors how many threads the machine can run at once, at least 1
 */
export function threadCounts(modelBytes: number, processors: number): number[] {
  const isSmall = modelBytes < SMALL_MODEL_BYTES
  const maxCount = isSmall ? Math.max(1, processors - 1) : processors
  const counts: number[] = []
  for (let threads = 1; threads < maxCount; threads *= 2) counts.push(threads)
  counts.push(maxCount)
  return isSmall ? counts : counts.reverse()
}
