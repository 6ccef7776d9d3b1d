import { StarlingError } from '../../errors/starling-error.js'

/** The file is damaged or not a model. @param what continues "the model file …" */
export function invalidModel(what: string): StarlingError {
  return new StarlingError('MODEL_INVALID', `the model file ${what}`)
}

/** The file may be intact, but is not of a supported kind. @param what continues "the model file …" */
export function unsupportedModel(what: string): StarlingError {
  return new StarlingError('MODEL_UNSUPPORTED', `the model file ${what}`)
}

const SHOWN_CHARACTERS = 64

/** Text from a file for a message: shortened and safe for a terminal. */
export function quoted(text: string): string {
  const short = text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)}…` : text
  return JSON.stringify(short).replace(/[^\x20-\x7e…]/g, '?')
}
