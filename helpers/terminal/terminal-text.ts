/**
 * Format characters (Unicode category Cf) that are visible: signs that stand before Arabic, Syriac and
 * Kaithi numbers.
 */
const VISIBLE_FORMATS = '\\u0600-\\u0605\\u06dd\\u070f\\u0890\\u0891\\u08e2\\u{110bd}\\u{110cd}'

/**
 * Format characters that prose needs: soft hyphens, breaks between words of Khmer and Thai, joiners
 * in emoji and Persian, and the direction of single characters in Arabic and Hebrew.
 */
const PROSE_FORMATS = '\\u00ad\\u061c\\u200b-\\u200f\\u2060'

/** Control characters, lone surrogates, and the separators that some programs end a line at. */
const CONTROLS = '\\p{Cc}\\p{Cs}\\p{Zl}\\p{Zp}'

const UNSAFE_IN_LINE = new RegExp(`[${CONTROLS}]|(?![${VISIBLE_FORMATS}])\\p{Cf}`, 'gu')

const UNSAFE_IN_TEXT = new RegExp(
  `(?![\\n\\t])[${CONTROLS}]|(?![${VISIBLE_FORMATS}${PROSE_FORMATS}])\\p{Cf}`,
  'gu',
)

const NAMED_ESCAPES: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' }

/**
 * A text as one line that can be written to a terminal or a log, whoever chose its characters: what
 * would end the line, move the cursor, change a setting of the terminal, reorder the characters around
 * it or not be seen stands as an escape such as `\n`, `\x1b` or `\u{202e}`.
 */
export function safeLine(text: string): string {
  return text.replace(UNSAFE_IN_LINE, escaped)
}

/**
 * The same for a text of several lines, such as an answer: line ends and tabs stay, CRLF becomes LF,
 * and so do the format characters that prose needs.
 */
export function safeText(text: string): string {
  return text.replaceAll('\r\n', '\n').replace(UNSAFE_IN_TEXT, escaped)
}

/**
 * A value as one line of JSON that can be written to a terminal: it parses to the same value as
 * `JSON.stringify` would give, which leaves C1 controls and bidirectional overrides as they are.
 */
export function safeJson(value: unknown): string {
  return safeJsonLine(JSON.stringify(value))
}

/** A line of JSON, without its line end, as {@link safeJson} writes it. */
export function safeJsonLine(json: string): string {
  return json.replace(UNSAFE_IN_LINE, escapedInJson)
}

/** {@link safeText} for a text that arrives in pieces, wherever it is cut. */
export class SafeTextPieces {
  /** What the next piece decides on: a CR, or the first half of a surrogate pair. */
  #held = ''

  /** What can be written now that this piece is there. */
  push(piece: string): string {
    const text = this.#held + piece
    const isUndecided = /[\r\ud800-\udbff]$/.test(text)
    this.#held = isUndecided ? text.slice(-1) : ''
    return safeText(isUndecided ? text.slice(0, -1) : text)
  }

  /** What is left when no piece follows. Begins anew. */
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

/** JSON knows escapes of UTF-16 code units alone (RFC 8259, section 7). */
function escapedInJson(character: string): string {
  return Array.from({ length: character.length }, (_, index) => {
    const digits = character.charCodeAt(index).toString(16)
    return `\\u${digits.padStart(4, '0')}`
  }).join('')
}
