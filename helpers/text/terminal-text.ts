/**
 * The visible characters of the Unicode category Cf (format): signs before Arabic, Syriac and Kaithi
 * numbers.
 */
const VISIBLE_FORMATS = '\\u0600-\\u0605\\u06dd\\u070f\\u0890\\u0891\\u08e2\\u{110bd}\\u{110cd}'

/**
 * Format characters that are used in prose: soft hyphens, word boundaries in Khmer and Thai, joiners in
 * emoji and Persian, and direction marks in Arabic and Hebrew.
 */
const PROSE_FORMATS = '\\u00ad\\u061c\\u200b-\\u200f\\u2060'

/** Control characters, lone surrogates, and the line and paragraph separators. */
const CONTROLS = '\\p{Cc}\\p{Cs}\\p{Zl}\\p{Zp}'

const UNSAFE_IN_LINE = new RegExp(`[${CONTROLS}]|(?![${VISIBLE_FORMATS}])\\p{Cf}`, 'gu')

const UNSAFE_IN_TEXT = new RegExp(
  `(?![\\n\\t])[${CONTROLS}]|(?![${VISIBLE_FORMATS}${PROSE_FORMATS}])\\p{Cf}`,
  'gu',
)

const NAMED_ESCAPES: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' }

/**
 * Makes any text safe to write to a terminal or a log, as one line. Line ends, control characters,
 * bidirectional overrides, invisible characters and lone surrogates are replaced by escapes such as
 * `\n`, `\x1b` or `\u{202e}`, or by U+FFFD.
 */
export function safeLine(text: string): string {
  return text.replace(UNSAFE_IN_LINE, escaped)
}

/**
 * The same for text of several lines, such as an answer. Line ends, tabs and the format characters of
 * prose are kept. CRLF becomes LF.
 */
export function safeText(text: string): string {
  return text.replaceAll('\r\n', '\n').replace(UNSAFE_IN_TEXT, escaped)
}

/**
 * A value as one line of JSON that is safe to be written to a terminal. Unlike the output of
 * `JSON.stringify`, it has C1 controls and bidirectional overrides escaped. It parses to the same value.
 */
export function safeJson(value: unknown): string {
  return safeJsonLine(JSON.stringify(value))
}

/** The same for a line of JSON without its line end. */
export function safeJsonLine(json: string): string {
  return json.replace(UNSAFE_IN_LINE, escapedInJson)
}

/** {@link safeText} for text that arrives in pieces. */
export class SafeTextPieces {
  /** A CR or a high surrogate at the end of the last piece: the next piece completes it. */
  #held = ''

  /** Adds a piece. @returns the text that can be written now */
  push(piece: string): string {
    const text = this.#held + piece
    const isUndecided = /[\r\ud800-\udbff]$/.test(text)
    this.#held = isUndecided ? text.slice(-1) : ''
    return safeText(isUndecided ? text.slice(0, -1) : text)
  }

  /** Ends the text. @returns the rest of it */
  end(): string {
    const rest = safeText(this.#held)
    this.#held = ''
    return rest
  }
}

function escaped(character: string): string {
  const named = NAMED_ESCAPES[character]
  if (named !== undefined) return named
  const code = character.codePointAt(0) ?? 0
  if (code >= 0xd800 && code <= 0xdfff) return '\ufffd'
  const digits = code.toString(16)
  return code <= 0xff ? `\\x${digits.padStart(2, '0')}` : `\\u{${digits}}`
}

/** JSON escapes are UTF-16 code units (RFC 8259, section 7). */
function escapedInJson(character: string): string {
  return Array.from({ length: character.length }, (_, index) => {
    const digits = character.charCodeAt(index).toString(16)
    return `\\u${digits.padStart(4, '0')}`
  }).join('')
}
