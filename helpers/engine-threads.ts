/** Below this, a model gains less from a second thread than the threads lose waiting. */
const SMALL_MODEL_BYTES = 256 * 1024 * 1024

/**
 * How many threads a model is computed with when nobody says: one for a small model, otherwise all
 * but one of the machine's, which the network keeps.
 *
 * A rule of thumb until it is measured when a model is loaded: with two threads instead of one, a
 * model of 26M parameters fell from 771 to 74 tokens/s, and one of 1.1B rose from 20 to 25.
 *
 * @param modelSizeBytes the size of the model file
 * @param availableThreads what the machine can run at once
 */
export function engineThreads(modelSizeBytes: number, availableThreads: number): number {
  if (modelSizeBytes < SMALL_MODEL_BYTES) return 1
  return Math.max(1, availableThreads - 1)
}
