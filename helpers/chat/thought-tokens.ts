import type { Token } from '../protocol/generation.js'
import type { ThoughtSyntax } from './thought-syntax.js'
import { type TextSegment, ThoughtText } from './thought-text.js'

/** A token and the text that came with it. */
export interface TextToken {
  readonly token: Token
  /** Whether it ends within a character, which a later token completes. */
  readonly isIncomplete: boolean
}

/** A token that is not yet known to be thought or answer. */
interface WaitingToken extends TextToken {
  /** The start and end of its text in the whole text. */
  readonly start: number
  readonly end: number
}

/** Tokens that are now known to be thought or answer, in order: thoughts come first. */
export interface SortedTokens {
  readonly thoughts: readonly Token[]
  readonly answers: readonly TextToken[]
}

/**
 * Separates the tokens of a thought from those of the answer after it: see {@link ThoughtText}. Tokens of
 * the marks count as thought and lose their text.
 */
export class ThoughtTokens {
  readonly #text: ThoughtText
  readonly #keepsMixed: boolean
  #waiting: WaitingToken[] = []
  /** The segments of the text of the waiting tokens, and where they begin. */
  #segments: (TextSegment & { readonly start: number })[] = []
  /** The length of the text, and of the part of it that has become segments. */
  #length = 0
  #settled = 0
  /** Where the answer begins, once that is known. */
  #answerStart: number | null = null
  #sortedThoughts = 0

  /**
   * @param options.isOpen whether the prompt ended with the opening mark
   * @param options.keepsMixed whether a token that ends the closing mark and begins the answer keeps the
   *   latter part
   */
  constructor(syntax: ThoughtSyntax, options: { isOpen: boolean; keepsMixed: boolean }) {
    this.#text = new ThoughtText(syntax, options.isOpen)
    this.#keepsMixed = options.keepsMixed
  }

  /** Whether the answer has begun and no token waits: all further tokens are answer. */
  get isDone(): boolean {
    return this.#text.hasAnswer && this.#waiting.length === 0
  }

  /** Whether a thought has begun and not ended. */
  get isOpen(): boolean {
    return this.#text.isOpen
  }

  /** Tokens that are thought, or may be. */
  get count(): number {
    return this.#sortedThoughts + this.#waiting.length
  }

  /** Takes the next token. @returns those that are known by now */
  push(pushed: TextToken): SortedTokens {
    const start = this.#length
    this.#length += pushed.token.text.length
    this.#waiting.push({ ...pushed, start, end: this.#length })
    this.#note(this.#text.push(pushed.token.text))
    const mustWait = pushed.isIncomplete || this.#text.isUndecided
    return mustWait ? { thoughts: [], answers: [] } : this.#sort()
  }

  /** Ends the text. @param rest what is left of an incomplete character */
  end(rest: string): SortedTokens {
    const last = this.#waiting.pop()
    if (last !== undefined && rest !== '') {
      last.token.text += rest
      this.#length += rest.length
      this.#note(this.#text.push(rest))
    }
    if (last !== undefined) this.#waiting.push({ ...last, end: this.#length })
    this.#note(this.#text.end())
    return this.#sort()
  }

  #note(segments: readonly TextSegment[]): void {
    for (const segment of segments) {
      if (segment.kind === 'answer') this.#answerStart ??= this.#settled
      this.#segments.push({ ...segment, start: this.#settled })
      this.#settled += segment.text.length
    }
    // An answer without any text.
    if (this.#text.hasAnswer) this.#answerStart ??= this.#settled
  }

  #sort(): SortedTokens {
    const thoughts: Token[] = []
    const answers: TextToken[] = []
    const count = this.#waiting.findIndex(({ end }) => end > this.#settled)
    for (const waiting of this.#waiting.splice(0, count < 0 ? this.#waiting.length : count)) {
      const { token, isIncomplete, start, end } = waiting
      const answerStart = this.#answerStart
      if (answerStart !== null && (start >= answerStart || end > answerStart)) {
        const isMixed = start < answerStart
        token.text = isMixed && !this.#keepsMixed ? '' : this.#textOf(waiting, 'answer')
        answers.push({ token, isIncomplete })
      } else {
        token.text = this.#textOf(waiting, 'thought')
        thoughts.push({ ...token, kind: 'thought' })
      }
    }
    this.#sortedThoughts += thoughts.length
    const next = this.#waiting[0]?.start ?? this.#length
    this.#segments = this.#segments.filter(({ start, text }) => start + text.length > next)
    return { thoughts, answers }
  }

  /** The part of a token's text that is of one kind. */
  #textOf({ start, end }: WaitingToken, wanted: TextSegment['kind']): string {
    return this.#segments
      .filter(({ kind }) => kind === wanted)
      .map(({ start: at, text }) => text.slice(Math.max(0, start - at), Math.max(0, end - at)))
      .join('')
  }
}
