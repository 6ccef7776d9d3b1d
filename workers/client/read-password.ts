import { createInterface } from 'node:readline/promises'
import { StarlingError } from '../../helpers/errors/starling-error.js'

/** Longer than any password: more is a file that was piped in by mistake. */
const MAX_PASSWORD_BYTES = 4096

/** Where a password can come from. */
export interface PasswordSource {
  readonly input: NodeJS.ReadStream
  readonly output: NodeJS.WritableStream
}

/**
 * Asks for a password at the terminal without showing it, or takes the first line of standard input.
 *
 * @param fromInput take it from standard input even if that is a terminal
 * @throws StarlingError BAD_USAGE when there is no terminal to ask at, or nothing came
 */
export async function readPassword(
  { input, output }: PasswordSource,
  options: { fromInput: boolean },
): Promise<string> {
  if (options.fromInput) return await firstLine(input)
  if (!input.isTTY) {
    throw new StarlingError(
      'BAD_USAGE',
      'There is no terminal to ask for the password at: use --password-stdin',
    )
  }
  return await askHidden(input, output)
}

async function firstLine(input: NodeJS.ReadStream): Promise<string> {
  let text = ''
  for await (const chunk of input) {
    text += chunk
    if (text.includes('\n') || text.length > MAX_PASSWORD_BYTES) break
  }
  const password = text.split('\n', 1)[0]?.replace(/\r$/, '') ?? ''
  if (password === '') throw new StarlingError('BAD_USAGE', 'Standard input held no password')
  return password
}

async function askHidden(input: NodeJS.ReadStream, output: NodeJS.WritableStream): Promise<string> {
  // readline echoes what is typed to its output: without one, nothing is shown.
  output.write('Password: ')
  const lines = createInterface({ input, terminal: true })
  const cancelled = new Promise<never>((_resolve, reject) => {
    lines.once('SIGINT', () => reject(new StarlingError('CANCELLED', 'No password was given')))
  })
  try {
    return await Promise.race([lines.question(''), cancelled])
  } finally {
    lines.close()
    output.write('\n')
  }
}
