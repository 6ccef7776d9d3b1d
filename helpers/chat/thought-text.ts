import { textBeginningAtEnd } from './text-beginning.js'
import type { ThoughtSyntax } from './thought-syntax.js'

/** The most white space that is held back; more of it is text. */
const MAX_HELD_SPACE = 256

/**
 * A piece of a text. `mark`: the marks around a thought and the white space next to them, which belong to
 * neither.
 */
export interface TextSegment {
  readonly kind: 'thought' | 'mark' | 'answer'
  readonly text: string
}

/**
 * Separates a model's thought from its answer, in a text that arrives in pieces. A thought can only
 * come first: marks within the answer are part of the answer.
 *
 * Text is held back as long as it may be part of a mark, or is white space that may be next to one. The
 * segments add up to the whole text.
 */
export class ThoughtText {
  readonly #syntax: ThoughtSyntax
  /**
   * `before`: a thought may begin. `thought`: within it. `after`: it has ended and nothing but white
   * space has followed. `answer`: no mark can follow any more.
   */
  #state: 'before' | 'thought' | 'after' | 'answer'
  #hasText = false
  #unread = ''

  /** @param isOpen whether the prompt ended with the opening mark */
  constructor(syntax: ThoughtSyntax, isOpen: boolean) {
    this.#syntax = syntax
    this.#state = isOpen ? 'thought' : 'before'
  }

  /** Whether it is still unknown if there is a thought. */
  get isUndecided(): boolean {
    return this.#state === 'before'
  }

  /** Whether the answer has begun. */
  get hasAnswer(): boolean {
    return this.#state === 'answer'
  }

  /** Whether a thought has begun and not ended. */
  get isOpen(): boolean {
    return this.#state === 'thought'
  }

  /** Reads on. @returns the segments that are known by now */
  push(text: string): TextSegment[] {
    this.#unread += text
    const segments: TextSegment[] = []
    // Each step reads something or changes the state, which only goes forward.
    while (this.#step(segments)) {
      // Nothing else to do.
    }
    return segments
  }

  /** Ends the text. @returns what was held back */
  end(): TextSegment[] {
    if (this.#state === 'before') this.#state = 'answer'
    const kind = { thought: 'thought', after: 'mark', answer: 'answer' } as const
    return this.#take(this.#unread.length, kind[this.#state])
  }

  /** @returns whether another step may find more */
  #step(segments: TextSegment[]): boolean {
    switch (this.#state) {
      case 'before':
        return this.#readBefore(segments)
      case 'thought':
        return this.#readThought(segments)
      case 'after': {
        segments.push(...this.#take(leadingSpace(this.#unread), 'mark'))
        if (this.#unread === '') return false
        this.#state = 'answer'
        return true
      }
      case 'answer':
        segments.push(...this.#take(this.#unread.length, 'answer'))
        return false
    }
  }

  #readBefore(segments: TextSegment[]): boolean {
    const { opening } = this.#syntax
    const space = leadingSpace(this.#unread)
    const begun = this.#unread.slice(space, space + opening.length)
    if (begun === opening) {
      segments.push(...this.#take(space + opening.length, 'mark'))
      this.#state = 'thought'
      return true
    }
    if (opening.startsWith(begun) && space <= MAX_HELD_SPACE) return false
    this.#state = 'answer'
    return true
  }

  #readThought(segments: TextSegment[]): boolean {
    const { closing } = this.#syntax
    if (!this.#hasText) {
      segments.push(...this.#take(leadingSpace(this.#unread), 'mark'))
      this.#hasText = this.#unread !== ''
    }
    const at = this.#unread.indexOf(closing)
    const end = at < 0 ? this.#unread.length - textBeginningAtEnd(this.#unread, closing) : at
    const trimmed = this.#unread.slice(0, end).trimEnd().length
    segments.push(...this.#take(end - trimmed > MAX_HELD_SPACE ? end : trimmed, 'thought'))
    if (at < 0) return false
    segments.push(...this.#take(this.#unread.indexOf(closing) + closing.length, 'mark'))
    this.#state = 'after'
    return true
  }

  #take(length: number, kind: TextSegment['kind']): TextSegment[] {
    if (length === 0) return []
    const text = this.#unread.slice(0, length)
    this.#unread = this.#unread.slice(length)
    return [{ kind, text }]
  }
}

function leadingSpace(text: string): number {
  return text.length - text.trimStart().length
}
