import { StarlingError } from '../../errors/starling-error.js'

/** The file cannot be run because it is not what it should be. @param what "the model file …" */
export function invalidModel(what: string): StarlingError {
  return new StarlingError('MODEL_INVALID', `the model file ${what}`)
}

/** The file may be whole, but is of a kind that is not run here. @param what "the model file …" */
export function unsupportedModel(what: string): StarlingError {
  return new StarlingError('MODEL_UNSUPPORTED', `the model file ${what}`)
}

const SHOWN_CHARACTERS = 64

/** Text from a file in a message: short, and without what would disturb a terminal. */
export function quoted(text: string): string {
  const short = text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)}…` : text
  return JSON.stringify(short).replace(/[^\x20-\x7e…]/g, '?')
}
