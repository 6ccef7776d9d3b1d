import type { Clock } from '../../../facilities/clock/clock.js'
import { StarlingError } from '../../../helpers/errors/starling-error.js'
import type { TerminalInput } from '../run-client.js'

/** After this time the user is told that the command waits for standard input. */
const PATIENCE_MS = 1_000

/** The reason for not reading a silent pipe any further. */
const SILENT = new Error('Nothing came on standard input')

const decoder = new TextDecoder('utf-8', { fatal: true })

/**
 * Reads standard input to its end.
 *
 * @param options.maxBytes the most that is read
 * @param options.maxSilenceMs how long to wait for the first byte before the input counts as empty. Without
 *   it there is no limit
 * @param options.onWaiting called once if the end has not been reached after a second
 * @throws StarlingError PAYLOAD_TOO_LARGE; INVALID_REQUEST when it is no UTF-8; or the signal's reason
 */
export async function readInput(
  input: TerminalInput,
  options: {
    maxBytes: number
    maxSilenceMs?: number | undefined
    onWaiting: () => void
    clock: Clock
    signal: AbortSignal
  },
): Promise<string> {
  const { maxBytes, maxSilenceMs, onWaiting, clock, signal } = options
  const waiting = clock.schedule(PATIENCE_MS, onWaiting)
  const silence = new AbortController()
  const silent =
    maxSilenceMs === undefined ? null : clock.schedule(maxSilenceMs, () => silence.abort(SILENT))
  const pieces: Buffer[] = []
  let sizeBytes = 0
  try {
    for await (const chunk of inputChunks(input, AbortSignal.any([signal, silence.signal]))) {
      silent?.cancel()
      const bytes = Buffer.from(chunk)
      sizeBytes += bytes.byteLength
      if (sizeBytes > maxBytes) {
        throw new StarlingError(
          'PAYLOAD_TOO_LARGE',
          `Standard input has more than the ${maxBytes} bytes that a prompt may have here`,
        )
      }
      pieces.push(bytes)
    }
  } catch (error) {
    if (error !== SILENT) throw error
  } finally {
    waiting.cancel()
    silent?.cancel()
  }
  try {
    return decoder.decode(Buffer.concat(pieces))
  } catch (cause) {
    throw new StarlingError('INVALID_REQUEST', 'Standard input is not valid UTF-8', { cause })
  }
}

/**
 * The chunks of standard input, until its end or until the signal is aborted. Without the signal Ctrl-C
 * would have no effect while the command waits for input.
 *
 * @throws the signal's reason
 */
export async function* inputChunks(
  input: TerminalInput,
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

async function unlessAborted<Result>(
  promise: Promise<Result>,
  signal: AbortSignal,
): Promise<Result> {
  return await new Promise<Result>((resolve, reject) => {
    const onAbort = () => reject(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
  })
}
