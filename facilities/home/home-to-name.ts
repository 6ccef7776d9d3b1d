import { resolve } from 'node:path'
import { DEFAULT_HOME } from '../../helpers/errors/advice.js'

/**
 * The home to be named in a suggested command; undefined if it is the default one.
 *
 * @param home an absolute path
 */
export function homeToName(home: string): string | undefined {
  return home === resolve(DEFAULT_HOME) ? undefined : home
}
