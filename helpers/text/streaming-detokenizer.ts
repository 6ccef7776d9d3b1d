/** What a decoder writes for bytes that are no character, or not one yet. */
const REPLACEMENT = '\uFFFD'

/**
 * How many tokens may wait for one character to be complete. A character has at most four bytes, so
 * only a broken answer comes near this; it is then let through as replacement characters.
 */
const MAX_WAITING_TOKENS = 32

/** How many earlier tokens are decoded together with a new one, which settles its leading space. */
const CONTEXT_TOKENS = 4

/** How many tokens may be decoded together before those that are done with are left out. */
const WINDOW_TOKENS = 12

/**
 * Turns tokens into text one by one, without ever splitting a character that several tokens share:
 * the token that completes a character brings it, those before it bring nothing.
 *
 * Tokens are decoded together with the few before them and the difference is taken, because some
 * vocabularies decide on a token's leading space by what stands before it.
 *
 * @example
 * const detokenizer = new StreamingDetokenizer((tokens) => model.detokenize(tokens), promptTokens)
 * process.stdout.write(detokenizer.push(token))
 */
export class StreamingDetokenizer {
  readonly #decode: (tokens: readonly number[]) => string
  /** Tokens whose text has been returned, as context, and after them those that wait. */
  #window: number[]
  /** How many tokens of the window wait for their character to be complete. */
  #waiting = 0
  /** How much of the window's text has been returned. */
  #returned: string

  /**
   * @param decode the text of several tokens; bytes that are no character become U+FFFD
   * @param preceding the tokens before the first one, such as the prompt's; the last few are used
   */
  constructor(decode: (tokens: readonly number[]) => string, preceding: readonly number[] = []) {
    this.#decode = decode
    this.#window = preceding.slice(-CONTEXT_TOKENS)
    this.#returned = this.#window.length === 0 ? '' : decode(this.#window)
  }

  /** Whether tokens wait for the rest of their character. */
  get incomplete(): boolean {
    return this.#waiting > 0
  }

  /** The text that this token completes; empty while its last character is incomplete. */
  push(token: number): string {
    this.#window.push(token)
    this.#waiting += 1
    const text = this.#decode(this.#window)
    // A character of three or four bytes shows as one U+FFFD until its last byte is there.
    const incomplete = text.endsWith(REPLACEMENT) && this.#waiting < MAX_WAITING_TOKENS
    const fresh = this.#since(incomplete ? text.slice(0, -REPLACEMENT.length) : text)
    if (incomplete) this.#returned += fresh
    else this.#settle(text)
    return fresh
  }

  /** Ends the text: what is still incomplete comes out as replacement characters. */
  flush(): string {
    if (this.#waiting === 0) return ''
    const text = this.#decode(this.#window)
    const rest = this.#since(text)
    this.#settle(text)
    return rest
  }

  #since(text: string): string {
    if (text.startsWith(this.#returned)) return text.slice(this.#returned.length)
    // The decoder rewrote what was returned already; then only the waiting tokens by themselves are
    // certain to be new.
    return this.#decode(this.#window.slice(-this.#waiting))
  }

  /** All of the window's text has been returned. */
  #settle(text: string): void {
    this.#waiting = 0
    this.#returned = text
    if (this.#window.length < WINDOW_TOKENS) return
    this.#window = this.#window.slice(-CONTEXT_TOKENS)
    this.#returned = this.#decode(this.#window)
  }
}
