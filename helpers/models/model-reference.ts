import { StarlingError } from '../errors/starling-error.js'
import {
  formatModelSource,
  type ModelSource,
  nameOfSource,
  readModelSource,
} from './model-source.js'

/** The longest reference; a URL with a signature has about 1,000 characters. */
export const MAX_REFERENCE_CHARACTERS = 4096

/** The longest name of a model. */
export const MAX_MODEL_NAME_CHARACTERS = 200

/** A model as an operator refers to it. */
export interface ModelReference {
  /** The model name in requests. */
  readonly name: string
  readonly source: ModelSource
  /** The expected hash of the file, in lower-case hexadecimal digits. */
  readonly sha256?: string
}

/** The forms of a reference, for messages. */
const FORMS =
  'a known name, ./FILE.gguf, https://HOST/FILE.gguf, hf:OWNER/REPOSITORY/FILE.gguf or ' +
  'npm:PACKAGE@VERSION/FILE.gguf, optionally after NAME= and followed by #sha256=HASH'

/** The beginning of a path or an address, before which there is no name. */
const NAMELESS = /^(?:\.{0,2}\/|(?:hf|npm|file|https?):)/i

const SHA256 = /#sha256=([0-9a-f]{64})$/i

/** Control characters, halves of a character, and line separators. */
const UNPRINTABLE = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}]/u

/**
 * Parses a model reference:
 *
 *     minimind2-small                      a model that Starling knows
 *     ./x.gguf  /models/x.gguf  file:///x.gguf
 *     https://example.com/x.gguf           http:// only for this machine
 *     hf:owner/repository/x.gguf           also hf:owner/repository@revision/folder/x.gguf
 *     npm:package@1.0.0/x.gguf             from an installed package
 *
 * Each may end with `#sha256=` and the hash of the file, and begin with `name=`, the model name in requests.
 * The default name is that of the file, without `.gguf`. A path that contains `=` has to begin with `./`.
 *
 * @throws StarlingError CONFIG_INVALID with the possible forms
 */
export function parseModelReference(text: string): ModelReference {
  if (text.length > MAX_REFERENCE_CHARACTERS) {
    throw invalid(text, `it is longer than ${MAX_REFERENCE_CHARACTERS} characters`)
  }
  if (UNPRINTABLE.test(text)) throw invalid(text, 'it has characters that cannot be printed')
  const sha256 = SHA256.exec(text)?.[1]?.toLowerCase()
  const unhashed = sha256 === undefined ? text : text.replace(SHA256, '')
  if (/#sha256=/i.test(unhashed)) {
    throw invalid(text, 'its #sha256= is not followed by 64 hexadecimal digits at the end')
  }
  const split = NAMELESS.test(unhashed) ? -1 : unhashed.indexOf('=')
  const reading = readModelSource(unhashed.slice(split + 1))
  if ('why' in reading) throw invalid(text, reading.why)
  const { source } = reading
  // A file: URL is decoded, and may then contain characters that are not allowed in a path.
  const written = formatModelSource(source)
  if (UNPRINTABLE.test(written) || /#sha256=/i.test(written)) {
    throw invalid(text, 'it has encoded characters that are not allowed in a path')
  }
  const name = split < 0 ? nameOfSource(source) : unhashed.slice(0, split)
  const whyNot = whyNoName(name)
  if (whyNot !== undefined) {
    throw invalid(text, `its name ${whyNot}${split < 0 ? '; give it one with NAME=' : ''}`)
  }
  const reference = { name, source, ...(sha256 === undefined ? {} : { sha256 }) }
  // Written out in full it may be longer than it was.
  if (formatModelReference(reference).length > MAX_REFERENCE_CHARACTERS) {
    throw invalid(text, `it is longer than ${MAX_REFERENCE_CHARACTERS} characters when written out`)
  }
  return reference
}

/** The text of a reference, which {@link parseModelReference} parses. */
export function formatModelReference({ name, source, sha256 }: ModelReference): string {
  const named = name === nameOfSource(source) ? '' : `${name}=`
  return `${named}${formatModelSource(source)}${sha256 === undefined ? '' : `#sha256=${sha256}`}`
}

function whyNoName(name: string): string | undefined {
  if (name === '') return 'is empty'
  if (name.length > MAX_MODEL_NAME_CHARACTERS) {
    return `is longer than ${MAX_MODEL_NAME_CHARACTERS} characters`
  }
  if (UNPRINTABLE.test(name)) return 'has characters that cannot be printed'
  if (name !== name.trim()) return 'begins or ends with a space'
  return name.includes('://') ? 'is an address' : undefined
}

function invalid(text: string, why: string): StarlingError {
  return new StarlingError(
    'CONFIG_INVALID',
    `Invalid model "${displayed(text)}": ${why}. Use ${FORMS}`,
  )
}

/** The text for a message: shortened, and without the secret parts of a URL. */
function displayed(text: string): string {
  const open = text.replace(/\/\/[^/]*@/, '//').replace(/\?.*$/s, '?…')
  const printable = open.replace(/[\p{Cc}\p{Cs}\p{Zl}\p{Zp}]/gu, '?')
  return printable.length > 200 ? `${printable.slice(0, 200)}…` : printable
}
