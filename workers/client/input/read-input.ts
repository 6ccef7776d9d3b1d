import type { Clock } from '../../../facilities/clock/clock.js'
import { StarlingError } from '../../../helpers/errors/starling-error.js'
import type { TerminalInput } from '../run-client.js'

/** Somebody who reads from a pipe that nobody writes to is told of it after this time. */
const PATIENCE_MS = 1_000

/** Why a pipe is read no further that has brought nothing. */
const SILENT = new Error('Nothing came on standard input')

const decoder = new TextDecoder('utf-8', { fatal: true })

/**
 * Standard input as one text, to its end.
 *
 * @param options.maxBytes more is not read
 * @param options.maxSilenceMs a pipe that brings nothing for so long counts as empty; left out, it is
 *   waited for
 * @param options.onWaiting called once when the end is long in coming
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
 * What standard input brings, until it ends or the process is told to end: without that, Ctrl-C would
 * not be heard while nothing comes.
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
    // Not awaited: it would wait for a chunk that does not come. How it ends is of no interest any more.
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
