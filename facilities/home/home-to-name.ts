import { resolve } from 'node:path'
import { DEFAULT_HOME } from '../../helpers/default-home.js'

/**
 * The home that a command has to name to be run in the same one; undefined for the default one.
 *
 * @param home an absolute path
 */
export function homeToName(home: string): string | undefined {
  return home === resolve(DEFAULT_HOME) ? undefined : home
}
