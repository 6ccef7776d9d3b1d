// Private-use characters: no template contains them, and trimming does not remove them.
const OPEN = '\u{F0000}'
const CLOSE = '\u{F0001}'

/**
 * The quotation mark shows how a template wrote the placeholder: in JSON it is escaped with one
 * backslash, in JSON within JSON with three.
 */
const PLACEHOLDER = new RegExp(`${OPEN}(\\d+)(\\\\*)"${CLOSE}`, 'u')

/** A piece of a template's output. */
export interface TemplatePiece {
  readonly text: string
  /** Null for what the template wrote itself. */
  readonly content: string | null
}

/**
 * Hides texts of users from a template: the template gets a placeholder for each text. Afterwards the
 * texts replace the placeholders, escaped as the template escaped them.
 */
export class TemplatePlaceholders {
  readonly #contents: string[] = []

  /** A placeholder for a text. An empty text has none: templates test whether a text is empty. */
  text(content: string): string {
    if (content === '') return ''
    this.#contents.push(content)
    return `${OPEN}${this.#contents.length - 1}"${CLOSE}`
  }

  /** The same value with placeholders for its texts and property names, except for the words in `plain`. */
  value(value: unknown, plain: ReadonlySet<string>): unknown {
    if (typeof value === 'string') return plain.has(value) ? value : this.text(value)
    if (Array.isArray(value)) return value.map((item) => this.value(item, plain))
    if (typeof value !== 'object' || value === null) return value
    return Object.fromEntries(
      Object.entries(value).map(([key, inner]) => [
        plain.has(key) ? key : this.text(key),
        this.value(inner, plain),
      ]),
    )
  }

  /**
   * The output of a template with the texts in place of the placeholders; null if the template changed
   * one.
   */
  fill(rendered: string): TemplatePiece[] | null {
    const pieces: TemplatePiece[] = []
    // split() puts the two groups of each placeholder between the texts around it.
    const parts = rendered.split(PLACEHOLDER)
    for (let index = 0; index < parts.length; index += 3) {
      const text = parts[index] ?? ''
      if (text.includes(OPEN) || text.includes(CLOSE)) return null
      if (text !== '') pieces.push({ text, content: null })
      const content = this.#contents[Number(parts[index + 1])]
      if (parts[index + 1] === undefined || content === undefined) continue
      const escaped = escapedAs(content, parts[index + 2]?.length ?? 0)
      pieces.push({ text: escaped, content: escaped })
    }
    return pieces
  }
}

/** @param backslashes how many precede the quotation mark: 0, 1, 3, 7, … */
function escapedAs(content: string, backslashes: number): string {
  let text = content
  for (let left = backslashes; left > 0; left = (left - 1) / 2) {
    text = JSON.stringify(text).slice(1, -1)
  }
  return text
}
