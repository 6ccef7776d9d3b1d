import type { ToolCall } from '../protocol/chat-message.js'
import type { Token, TokenLogprob } from '../protocol/generation.js'
import { StreamingDetokenizer } from '../text/streaming-detokenizer.js'
import { JsonEnd } from './json-end.js'
import { StopStrings } from './stop-strings.js'
import type { ThoughtSyntax } from './thought-syntax.js'
import { type SortedTokens, type TextToken, ThoughtTokens } from './thought-tokens.js'
import { ToolCallText } from './tool-call-text.js'
import type { ToolSyntax } from './tool-syntax.js'

/** A token that was chosen, before its text is known. */
export interface ChosenToken {
  readonly tokenId: number
  readonly logprob?: number
  readonly topLogprobs?: TokenLogprob[]
}

/** How an answer's tokens become text. */
export interface AnswerTextOptions {
  /** The text of several tokens; invalid bytes become U+FFFD. */
  readonly decode: (tokens: readonly number[]) => string
  /** The tokens before the answer. */
  readonly preceding: readonly number[]
  readonly stop: readonly string[]
  /** How the model marks its thought. Left out: it does not think. */
  readonly thoughts?: {
    readonly syntax: ThoughtSyntax
    /** The text of the special tokens of the syntax, which otherwise have none. */
    readonly marks: ReadonlyMap<number, string>
    /** Whether the prompt ended with the opening mark. */
    readonly isOpen: boolean
  } | null
  /** Whether the answer is one JSON value; it ends with that value. */
  readonly isJson: boolean
  /** How the model calls functions; null if the request offers none. */
  readonly tools: {
    readonly syntax: ToolSyntax
    /** The text of the special tokens of the syntax, which otherwise have none. */
    readonly marks: ReadonlyMap<number, string>
    /** Makes the ids of the calls differ from those of other answers. */
    readonly salt: string
  } | null
  /** How many tokens were delivered before: they are processed, but not delivered again. */
  readonly delivered: number
}

/** A token that cannot be delivered before later tokens are known. */
interface WaitingToken {
  readonly token: Token
  /** The offset of its text in the text of the answer. */
  readonly start: number
  /** The end of the last character that it is a part of. */
  end: number
  /** Whether that character is completed by a later token. */
  readonly isIncomplete: boolean
}

/**
 * Turns the tokens of an answer into what is delivered: text that never splits a character, stops
 * before a stop string or after the JSON value, and has none of the syntax of function calls. The
 * tokens of thoughts have the kind `thought`; stop strings, JSON and calls are searched for in the
 * answer only.
 *
 * Every delivered token keeps its id and its own text. A token waits as long as a stop string may have
 * begun before it or a character is incomplete; one that is entirely within a stop string is never
 * delivered. What is delivered depends on the tokens alone, not on timing: given the tokens that were
 * delivered before, it continues as if it had never been interrupted.
 */
export class AnswerText {
  readonly #detokenizer: StreamingDetokenizer
  readonly #stop: StopStrings
  readonly #json: JsonEnd | null
  readonly #tools: ToolCallText | null
  readonly #thoughtMarks: ReadonlyMap<number, string>
  readonly #toolMarks: ReadonlyMap<number, string>
  readonly #delivered: number
  /** Null once all further tokens are part of the answer. */
  #thoughts: ThoughtTokens | null
  #thoughtCount = 0
  #waiting: WaitingToken[] = []
  /** Ready, but kept: if the answer ends now, the text that is held back is added to it. */
  #last: Token | null = null
  #count = 0
  #length = 0
  #isEnded = false

  constructor(options: AnswerTextOptions) {
    this.#detokenizer = new StreamingDetokenizer(options.decode, options.preceding)
    this.#stop = new StopStrings(options.stop)
    this.#json = options.isJson ? new JsonEnd() : null
    this.#tools = options.tools && new ToolCallText(options.tools.syntax, options.tools.salt)
    const { thoughts = null } = options
    this.#thoughts =
      thoughts &&
      // What comes before the grammar of a JSON answer is not part of that answer.
      new ThoughtTokens(thoughts.syntax, { ...thoughts, keepsMixed: !options.isJson })
    this.#thoughtMarks = thoughts?.marks ?? new Map()
    this.#toolMarks = options.tools?.marks ?? new Map()
    this.#delivered = options.delivered
  }

  /** How many tokens were pushed. */
  get count(): number {
    return this.#count
  }

  /** How many of them are known to be part of the thought. */
  get thoughtCount(): number {
    return this.#thoughts?.count ?? this.#thoughtCount
  }

  /** Whether a thought has begun and not ended. */
  get isThinking(): boolean {
    return this.#thoughts?.isOpen ?? false
  }

  /** Whether a stop string or the end of the JSON value has ended the answer. */
  get isEnded(): boolean {
    return this.#isEnded
  }

  /** The function calls so far. */
  get toolCalls(): readonly ToolCall[] {
    return this.#tools?.calls ?? []
  }

  /** Takes the next token. @returns the tokens that can be delivered now */
  push(chosen: ChosenToken): Token[] {
    const text = this.#textOf(chosen.tokenId)
    const token: Token = { text, index: this.#count, ...chosen }
    this.#count += 1
    const pushed = { token, isIncomplete: this.#detokenizer.incomplete }
    if (this.#thoughts === null) return this.#answer(pushed)
    return this.#sorted(this.#thoughts.push(pushed))
  }

  /** Takes the next token of the answer itself. */
  #answer({ token, isIncomplete }: TextToken): Token[] {
    const { text } = token
    const start = this.#length
    const jsonEnd = this.#json?.push(text) ?? null
    const stopAt = this.#stop.push(text)
    this.#length += text.length
    if (text !== '') this.#complete(start)
    const cut = earliest(stopAt, jsonEnd === null ? null : start + jsonEnd)
    this.#isEnded = cut !== null
    if (cut === null && this.#waiting.length === 0 && !isIncomplete) {
      // The common case: nothing waits, nothing is held back.
      if (this.#stop.settled === this.#length) return this.#deliver([token])
    }
    this.#waiting.push({ token, start, end: this.#length, isIncomplete })
    if (cut !== null) return this.#deliver(this.#upTo(cut))
    return isIncomplete ? [] : this.#deliver(this.#settled())
  }

  /**
   * Ends the answer.
   *
   * @returns the tokens that were still held back, the last one with what was left of the text
   */
  end(): Token[] {
    const rest = this.#isEnded ? '' : this.#detokenizer.flush()
    if (this.#thoughts === null) return this.#endAnswer(rest)
    return [...this.#sorted(this.#thoughts.end(rest)), ...this.#endAnswer('')]
  }

  /** @param rest what is left of an incomplete character */
  #endAnswer(rest: string): Token[] {
    const tokens = this.#waiting.map(({ token }) => token)
    this.#waiting = []
    const last = tokens.at(-1)
    if (last !== undefined) last.text += rest
    const out = this.#deliver(tokens)
    const held = this.#tools?.flush() ?? ''
    if (this.#last !== null) {
      this.#last.text += held
      out.push(this.#last)
      this.#last = null
    }
    return this.#fresh(out)
  }

  /** Delivers the tokens of the thought and processes those of the answer. */
  #sorted({ thoughts, answers }: SortedTokens): Token[] {
    if (this.#thoughts?.isDone) {
      this.#thoughtCount = this.#thoughts.count
      this.#thoughts = null
    }
    const out = this.#fresh([...thoughts])
    for (const token of answers) {
      if (this.#isEnded) break
      out.push(...this.#answer(token))
    }
    return out
  }

  #textOf(tokenId: number): string {
    const text = this.#detokenizer.push(tokenId)
    if (text !== '') return text
    const mark = this.#thoughts === null ? undefined : this.#thoughtMarks.get(tokenId)
    return mark ?? this.#toolMarks.get(tokenId) ?? ''
  }

  /** Takes the tokens whose text cannot be part of a stop string any more. */
  #settled(): Token[] {
    const { settled } = this.#stop
    let count = 0
    for (const { end } of this.#waiting) {
      if (end > settled) break
      count += 1
    }
    return this.#waiting.splice(0, count).map(({ token }) => token)
  }

  /** Takes the tokens that begin before the cut, and cuts the text of the last of them. */
  #upTo(cut: number): Token[] {
    const tokens: Token[] = []
    for (const { token, start, end, isIncomplete } of this.#waiting) {
      const hasOwnPlace = end > start || isIncomplete
      if (hasOwnPlace ? start >= cut : start > cut) break
      token.text = token.text.slice(0, cut - start)
      tokens.push(token)
    }
    this.#waiting = []
    return tokens
  }

  /** The character that tokens waited for is complete: they are delivered only together with all of it. */
  #complete(start: number): void {
    for (const waiting of this.#waiting) {
      if (waiting.isIncomplete && waiting.end === start) waiting.end = this.#length
    }
  }

  /** Removes the calls from the text of the tokens, and drops tokens that were delivered before. */
  #deliver(tokens: Token[]): Token[] {
    const tools = this.#tools
    if (tools === null) return this.#fresh(tokens)
    const out: Token[] = []
    for (const token of tokens) {
      if (this.#last !== null) out.push(this.#last)
      token.text = tools.push(token.text)
      this.#last = token
    }
    if (this.#last !== null && !tools.holds && !this.#isEnded) {
      out.push(this.#last)
      this.#last = null
    }
    return this.#fresh(out)
  }

  #fresh(tokens: Token[]): Token[] {
    const [first] = tokens
    if (first === undefined || first.index >= this.#delivered) return tokens
    return tokens.filter(({ index }) => index >= this.#delivered)
  }
}

function earliest(one: number | null, other: number | null): number | null {
  if (one === null) return other
  return other === null ? one : Math.min(one, other)
}
