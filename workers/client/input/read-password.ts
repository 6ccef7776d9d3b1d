import { createInterface } from 'node:readline/promises'
import { StarlingError } from '../../../helpers/errors/starling-error.js'
import type { Terminal, TerminalInput } from '../run-client.js'
import { inputChunks } from './standard-input.js'

/** Longer than any password: more is a file that was piped in by mistake. */
const MAX_PASSWORD_BYTES = 4096

const PROMPT = 'Password: '

/** The source of a password. */
export interface PasswordSource extends Pick<Terminal, 'input' | 'openSession'> {
  readonly output: NodeJS.WritableStream
}

/**
 * Reads a password from the terminal without showing it, or from the first line of standard input.
 *
 * @throws StarlingError BAD_USAGE if there is no terminal or the input is empty; CANCELLED if Ctrl-C or
 *   Ctrl-D was typed or the signal was aborted
 */
export async function readPassword(
  source: PasswordSource,
  options: { fromInput: boolean; signal: AbortSignal },
): Promise<string> {
  if (options.fromInput) return await firstLine(source.input, options.signal)
  if (!source.input.isTTY) {
    throw new StarlingError(
      'BAD_USAGE',
      'There is no terminal to enter the password at; use --password-stdin',
    )
  }
  return await askHidden(source, options.signal)
}

async function firstLine(input: TerminalInput, signal: AbortSignal): Promise<string> {
  let text = ''
  // A character may be split between two chunks.
  input.setEncoding('utf8')
  for await (const chunk of inputChunks(input, signal)) {
    text += chunk
    if (text.includes('\n') || text.length > MAX_PASSWORD_BYTES) break
  }
  const password = text.split('\n', 1)[0]?.replace(/\r$/, '') ?? ''
  if (password === '') throw new StarlingError('BAD_USAGE', 'Standard input contains no password')
  return password
}

async function askHidden(source: PasswordSource, signal: AbortSignal): Promise<string> {
  const { input, output } = source
  // readline echoes what is typed to its output. It has none, so nothing is shown.
  const lines = createInterface({ input, terminal: true })
  const interrupted = new AbortController()
  // From now on Ctrl-C is a key, not a signal.
  lines.once('SIGINT', () => interrupted.abort())
  lines.once('close', () => interrupted.abort())
  const session = source.openSession?.({
    setRawMode: (isRaw) => input.setRawMode?.(isRaw),
    onContinued: () => output.write(PROMPT),
    marksPastes: false,
  })
  if (session !== undefined) lines.on('SIGTSTP', () => session.stopJob())
  output.write(PROMPT)
  try {
    return await lines.question('', { signal: AbortSignal.any([signal, interrupted.signal]) })
  } catch (cause) {
    throw new StarlingError('CANCELLED', 'No password was entered', { cause })
  } finally {
    session?.close()
    lines.close()
    output.write('\n')
  }
}
