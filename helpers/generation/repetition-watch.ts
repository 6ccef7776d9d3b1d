import type { ChatMessage } from '../protocol/chat-message.js'
import type { GenerationOptions } from '../protocol/generation-options.js'

/** The longest unit that is recognised, in tokens: a paragraph. */
const MAX_UNIT_TOKENS = 128

/**
 * How many of an answer's last tokens must be repetitions of one unit. What users ask for is usually
 * shorter: a table of zeros with 20 rows, a line of 256 characters, a word written 100 times.
 */
const MIN_REPEATED_TOKENS = 256

/** How often a unit must occur, so that a long one that occurs twice is not taken for a loop. */
const MIN_REPETITIONS = 4

/** How much more may be repeated if the unit is in the prompt, because the repetition may be wanted. */
const QUOTED_FACTOR = 8

/** What is needed to decide whether a repetition was requested. */
export interface RepetitionContext<Token> {
  /** Decodes tokens of the answer. */
  readonly textOf: (tokens: readonly Token[]) => string
  /** The prompt that is answered. */
  readonly prompt: string
}

/**
 * Detects that an answer only repeats itself: its last {@link MIN_REPEATED_TOKENS} tokens are a unit of
 * up to {@link MAX_UNIT_TOKENS} tokens, at least {@link MIN_REPETITIONS} times. Lists, tables and code
 * with different lines never match.
 *
 * The result depends on the tokens alone, so that a resumed answer ends at the same position.
 *
 * @example
 * const watch = new RepetitionWatch({ textOf, prompt: 'Tell me a story' })
 * const isRepeating = watch.push(token)
 */
export class RepetitionWatch<Token extends number | string> {
  readonly #context: RepetitionContext<Token>
  readonly #tokens: Token[] = []
  /** For each length of a unit, how many of the last tokens equal those one unit before them. */
  readonly #equal = new Uint32Array(MAX_UNIT_TOKENS + 1)

  #isRepeating = false
  /** Computed when first needed: a prompt may be long. */
  #plainPrompt: string | undefined
  /** The last repetition that was searched for in the prompt. */
  #looked = { start: -1, length: 0, isQuoted: false }

  constructor(context: RepetitionContext<Token>) {
    this.#context = context
  }

  /** Whether the answer only repeats itself. */
  get isRepeating(): boolean {
    return this.#isRepeating
  }

  /** Takes the next token of the answer. @returns whether it only repeats itself by now */
  push(token: Token): boolean {
    this.#isRepeating ||= this.#repeats(token)
    return this.#isRepeating
  }

  #repeats(token: Token): boolean {
    const index = this.#tokens.push(token) - 1
    let unit = 0
    for (let length = 1; length <= Math.min(index, MAX_UNIT_TOKENS); length++) {
      const equal = this.#tokens[index - length] === token ? (this.#equal[length] ?? 0) + 1 : 0
      this.#equal[length] = equal
      if (unit === 0 && equal + length >= neededTokens(length)) unit = length
    }
    if (unit === 0) return false
    const repeated = (this.#equal[unit] ?? 0) + unit
    if (repeated >= QUOTED_FACTOR * neededTokens(unit)) return true
    return !this.#isQuoted(this.#tokens.length - repeated, unit)
  }

  /** Whether the prompt contains the unit at a position of the answer. Searches once for each unit. */
  #isQuoted(start: number, length: number): boolean {
    if (this.#looked.start !== start || this.#looked.length !== length) {
      const unit = plain(this.#context.textOf(this.#tokens.slice(start, start + length)))
      this.#plainPrompt ??= plain(this.#context.prompt)
      const isQuoted = unit !== '' && this.#plainPrompt.includes(unit)
      this.#looked = { start, length, isQuoted }
    }
    return this.#looked.isQuoted
  }
}

function neededTokens(unit: number): number {
  return Math.max(MIN_REPEATED_TOKENS, MIN_REPETITIONS * unit)
}

/** Words only: punctuation and capitals may differ from the prompt. */
function plain(text: string): string {
  return text
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}]+/gu, ' ')
    .trim()
}

/**
 * A watch for the answer to a request; null if the answer may repeat itself, because the request allows
 * it or a JSON schema determines its content.
 */
export function watchFor<Token extends number | string>(
  {
    messages,
    options,
  }: {
    readonly messages: readonly ChatMessage[]
    readonly options: Pick<GenerationOptions, 'allowRepetition' | 'jsonSchema'>
  },
  textOf: RepetitionContext<Token>['textOf'],
): RepetitionWatch<Token> | null {
  if (options.allowRepetition === true || options.jsonSchema !== undefined) return null
  const prompt = messages.findLast(({ role }) => role === 'user')?.content ?? ''
  return new RepetitionWatch({ textOf, prompt })
}
