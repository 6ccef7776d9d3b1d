import { unlessAborted } from '../../../facilities/clock/bounded-wait.js'

/**
 * The chunks of standard input, until its end or until the signal is aborted. Without the signal Ctrl-C
 * would have no effect while the command waits for input.
 *
 * @throws the signal's reason
 */
export async function* inputChunks(
  input: NodeJS.ReadableStream,
  signal: AbortSignal,
): AsyncGenerator<string | Buffer, void, void> {
  signal.throwIfAborted()
  const chunks = input[Symbol.asyncIterator]()
  try {
    for (;;) {
      const step = await unlessAborted(chunks.next(), signal)
      if (step.done) return
      yield step.value
    }
  } finally {
    // Not awaited: it resolves only with the next chunk, which may never come.
    chunks.return?.().catch(() => undefined)
  }
}
