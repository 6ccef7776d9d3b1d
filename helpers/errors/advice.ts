import { shellWord } from '../shell-word.js'
import { ERROR_CODES, type ErrorCode, type ErrorDescription } from './error-codes.js'

/**
 * What the reader of an error can do next, one sentence.
 *
 * @param home the home in use, when a command has to name it
 */
export function adviceFor(code: ErrorCode, home?: string): string {
  const { whatToDo, command }: ErrorDescription = ERROR_CODES[code]
  return command === undefined ? whatToDo : `${whatToDo}: ${commandIn(home, command)}`
}

/**
 * A command as it is to be typed to be run in a home.
 *
 * @param home undefined for the default one, which needs not be named
 */
export function commandIn(home: string | undefined, command: string): string {
  return home === undefined ? command : `${command} --home ${shellWord(home)}`
}
