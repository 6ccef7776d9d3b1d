import { createInterface } from 'node:readline/promises'
import { StarlingError } from '../../../helpers/errors/starling-error.js'
import type { Terminal, TerminalInput } from '../run-client.js'
import { inputChunks } from './standard-input.js'

/** Longer than any password: more is a file that was piped in by mistake. */
const MAX_PASSWORD_BYTES = 4096

const QUESTION = 'Password: '

/** Where a password can come from. */
export interface PasswordSource extends Pick<Terminal, 'input' | 'openSession'> {
  readonly output: NodeJS.WritableStream
}

/**
 * Asks for a password at the terminal without showing it, or takes the first line of standard input.
 *
 * @throws StarlingError BAD_USAGE when there is no terminal to ask at, or nothing came; CANCELLED
 *   when Ctrl-C or Ctrl-D was typed instead, or the signal was aborted
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
  // A character may arrive in two pieces.
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
  // readline echoes what is typed to its output: without one, nothing is shown.
  const lines = createInterface({ input, terminal: true })
  const interrupted = new AbortController()
  // From here on the terminal hands Ctrl-C over as a key.
  lines.once('SIGINT', () => interrupted.abort())
  lines.once('close', () => interrupted.abort())
  const session = source.openSession?.({
    setRawMode: (isRaw) => input.setRawMode?.(isRaw),
    onContinued: () => output.write(QUESTION),
    marksPastes: false,
  })
  if (session !== undefined) lines.on('SIGTSTP', () => session.stopJob())
  output.write(QUESTION)
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
