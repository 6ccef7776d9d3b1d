/** Below this, more threads rarely pay: the search begins with one. */
const SMALL_MODEL_BYTES = 256 * 1024 * 1024

/**
 * With how many threads a model is worth trying, in the order in which to try: 1, 2, 4 … for a small
 * model, from all processors down for a large one.
 *
 * A small model leaves one processor to whatever else runs. Its threads wait for one another hundreds of
 * times in each token, and when one of them has to wait for a processor, too, they cost far more than
 * they bring: two instead of one took a model of 26M parameters from 660 to 67 tokens/s on a machine
 * with two processors.
 *
 * @param modelBytes the size of the model
 * @param processors how many threads the machine can run at once, at least 1
 */
export function threadCounts(modelBytes: number, processors: number): number[] {
  const isSmall = modelBytes < SMALL_MODEL_BYTES
  const most = isSmall ? Math.max(1, processors - 1) : processors
  const counts: number[] = []
  for (let threads = 1; threads < most; threads *= 2) counts.push(threads)
  counts.push(most)
  return isSmall ? counts : counts.reverse()
}
