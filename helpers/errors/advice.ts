import { ERROR_CODES, type ErrorCode, type ErrorDescription } from './error-codes.js'

/** The default home, relative to the working directory. */
export const DEFAULT_HOME = './data'

/**
 * What the user can do about an error, in one sentence.
 *
 * @param home the home to name in commands; undefined for the default one
 */
export function adviceFor(code: ErrorCode, home?: string): string {
  const { whatToDo, command }: ErrorDescription = ERROR_CODES[code]
  return command === undefined ? whatToDo : `${whatToDo}: ${commandIn(home, command)}`
}

/**
 * A command that runs in a home.
 *
 * @param home undefined for the default one
 */
export function commandIn(home: string | undefined, command: string): string {
  return home === undefined ? command : `${command} --home ${shellWord(home)}`
}

/** A text as one word of a shell command, quoted if necessary. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`
}
