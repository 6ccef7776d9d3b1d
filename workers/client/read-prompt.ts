import { StarlingError } from '../../helpers/errors/starling-error.js'
import { PROTOCOL_LIMITS } from '../../helpers/protocol/limits.js'

/** Given instead of a prompt to read it from standard input. */
export const STANDARD_INPUT = '-'

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * Reads standard input to its end as one prompt, and removes the last newline. Unlike a prompt on the
 * command line, it is not visible in the list of processes.
 *
 * @throws StarlingError PAYLOAD_TOO_LARGE if it is longer than `promptBytes`; INVALID_REQUEST if it is not
 *   UTF-8; the signal's reason when it is aborted
 */
export async function readPrompt(
  input: NodeJS.ReadableStream,
  signal: AbortSignal,
): Promise<string> {
  signal.throwIfAborted()
  const bytes = await new Promise<Buffer>((resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
    readBounded(input).then(resolve, reject)
  })
  try {
    return decoder.decode(bytes).replace(/\r?\n$/, '')
  } catch (cause) {
    throw new StarlingError('INVALID_REQUEST', 'Standard input is not valid UTF-8', { cause })
  }
}

async function readBounded(input: NodeJS.ReadableStream): Promise<Buffer> {
  const chunks: Buffer[] = []
  let sizeBytes = 0
  for await (const chunk of input) {
    const piece = Buffer.from(chunk)
    sizeBytes += piece.length
    if (sizeBytes > PROTOCOL_LIMITS.promptBytes) {
      throw new StarlingError(
        'PAYLOAD_TOO_LARGE',
        `Standard input has more than ${PROTOCOL_LIMITS.promptBytes} bytes`,
      )
    }
    chunks.push(piece)
  }
  return Buffer.concat(chunks)
}
