import { unlessAborted } from '../../../facilities/clock/bounded-wait.js'
import type { Clock } from '../../../facilities/clock/clock.js'
import { StarlingError } from '../../../helpers/errors/starling-error.js'
import { PROTOCOL_LIMITS } from '../../../helpers/protocol/limits.js'

/** The argument for a prompt that is read from standard input. */
export const STANDARD_INPUT = '-'

/** After this time the user is notified that the command waits for standard input. */
const PATIENCE_MS = 1_000

/** The reason for not reading a silent pipe any further. */
const SILENT = new Error('Nothing came on standard input')

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** How {@link readStandardInput} reads. */
export interface StandardInputOptions {
  /** The maximum length. Default: `promptBytes`. */
  readonly maxBytes?: number
  /** What happens while no input arrives. Default: nothing. */
  readonly waiting?: {
    readonly clock: Clock
    /** Called once if the input has not ended after a second. */
    readonly onWaiting: () => void
    /** How long to wait for the first byte before the input counts as empty. Default: no limit. */
    readonly maxSilenceMs?: number | undefined
  }
}

/**
 * Reads standard input to its end as one prompt, and removes the last newline. Unlike a prompt on the
 * command line, it is not visible in the list of processes.
 *
 * @throws StarlingError PAYLOAD_TOO_LARGE if it is longer than allowed; INVALID_REQUEST if it is not UTF-8;
 *   the signal's reason when it is aborted
 */
export async function readStandardInput(
  input: NodeJS.ReadableStream,
  signal: AbortSignal,
  { maxBytes = PROTOCOL_LIMITS.promptBytes, waiting }: StandardInputOptions = {},
): Promise<string> {
  const silence = new AbortController()
  const notice = waiting?.clock.schedule(PATIENCE_MS, waiting.onWaiting)
  const silent =
    waiting?.maxSilenceMs === undefined
      ? undefined
      : waiting.clock.schedule(waiting.maxSilenceMs, () => silence.abort(SILENT))
  const pieces: Buffer[] = []
  let sizeBytes = 0
  try {
    for await (const chunk of inputChunks(input, AbortSignal.any([signal, silence.signal]))) {
      silent?.cancel()
      const piece = Buffer.from(chunk)
      sizeBytes += piece.length
      if (sizeBytes > maxBytes) {
        throw new StarlingError(
          'PAYLOAD_TOO_LARGE',
          `Standard input has more than ${maxBytes} bytes`,
        )
      }
      pieces.push(piece)
    }
  } catch (error) {
    if (error !== SILENT) throw error
  } finally {
    notice?.cancel()
    silent?.cancel()
  }
  try {
    return decoder.decode(Buffer.concat(pieces)).replace(/\r?\n$/, '')
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
