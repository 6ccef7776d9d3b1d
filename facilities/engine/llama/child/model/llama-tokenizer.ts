import type { LlamaModel, Token as NativeToken } from 'node-llama-cpp'
import { ChatTemplate, type PromptPart } from '../../../../../helpers/chat/chat-template.js'
import { type ThoughtSyntax, thoughtSyntaxOf } from '../../../../../helpers/chat/thought-syntax.js'
import { type ToolSyntax, toolSyntaxOf } from '../../../../../helpers/chat/tool-syntax.js'
import { StarlingError } from '../../../../../helpers/errors/starling-error.js'
import { DRY_BREAKER } from '../../../../../helpers/generation/dry-penalty.js'
import type { ChatMessage, Tool } from '../../../../../helpers/protocol/chat-message.js'
import { PROTOCOL_LIMITS } from '../../../../../helpers/protocol/limits.js'
import type { TemplatedPrompt } from '../../../engine.js'
import { tryTemplate } from './template-trial.js'
import { withinTime } from './time-limit.js'

/** A text of the maximum size has no more tokens than bytes. */
const MAX_TOKENS = PROTOCOL_LIMITS.promptBytes

/** How long a chat template may take; real ones take some milliseconds, also with many messages. */
const TEMPLATE_TIMEOUT_MS = 2000

/** The most pieces of the template for which it is cached whether they contain special tokens. */
const MAX_REMEMBERED = 256

/** The parts of a prompt. */
export interface PromptRequest {
  readonly messages: readonly ChatMessage[]
  readonly tools?: readonly Tool[] | undefined
  /** Prompt and answer together. */
  readonly contextTokens: number
  /** Whether the model thinks before it answers. Left out: the template decides. */
  readonly thinking?: boolean | undefined
  /** Whether the answer must match a JSON schema. */
  readonly isJson?: boolean | undefined
}

/**
 * Whether the model thinks before it answers. `open`: the prompt ends with the beginning of a thought.
 * `possible`: the model decides. `none`: it does not.
 */
export type ThoughtState = 'open' | 'possible' | 'none'

/** A prompt, and what may come before the answer. */
export interface ChatTokens extends TemplatedPrompt {
  readonly thought: ThoughtState
}

/** A model's vocabulary and chat template: converts conversations to tokens, and tokens to text. */
export class LlamaTokenizer {
  /** How the model calls functions; null if its template has no tools. */
  readonly toolSyntax: ToolSyntax | null
  /** The text of special tokens that belong to the syntax of function calls. */
  readonly toolMarks: ReadonlyMap<number, string>
  /** How the model marks its thought; null if its template has no such marks. */
  readonly thoughtSyntax: ThoughtSyntax | null
  /** The text of special tokens that belong to these marks. */
  readonly thoughtMarks: ReadonlyMap<number, string>
  /** How many tokens the vocabulary has. */
  readonly size: number
  readonly #model: LlamaModel
  readonly #chatPrompt: ChatTemplate
  /** Whether the vocabulary puts a space before every text, which only the first part may get. */
  readonly #spacePrefixed: boolean
  /** The bytes of the longest token: a text has at least its length divided by this, in tokens. */
  readonly #longestTokenBytes: number
  readonly #hasSpecial = new Map<string, boolean>()
  /** Whether a token has a letter or digit, cached. */
  readonly #lettersOrDigits = new Map<number, boolean>()
  /** Whether a token ends a sequence, cached. */
  readonly #breaks = new Map<number, boolean>()

  /**
   * @param templateTimeoutMs how long the chat template may take with a conversation
   * @throws StarlingError MODEL_INVALID when the model's chat template cannot be parsed, or does not
   *   finish for a conversation
   */
  constructor(model: LlamaModel, templateTimeoutMs = TEMPLATE_TIMEOUT_MS) {
    this.#model = model
    const { tokenizer } = model.fileInfo.metadata
    const template = tokenizer.chat_template ?? null
    const variables = {
      bosToken: model.tokens.bosString ?? '',
      eosToken: model.tokens.eosString ?? '',
    }
    this.#chatPrompt = new ChatTemplate(template, variables, (work) =>
      withinTime(templateTimeoutMs, work),
    )
    this.size = tokenizer.ggml.tokens.length
    this.#spacePrefixed = tokenizer.ggml.model !== 'gpt2'
    this.#longestTokenBytes = tokenizer.ggml.tokens.reduce(
      (longest, token) => Math.max(longest, Buffer.byteLength(token)),
      1,
    )
    this.toolSyntax = template === null ? null : toolSyntaxOf(template)
    this.toolMarks = this.#marksOf(this.toolSyntax)
    this.thoughtSyntax = template === null ? null : thoughtSyntaxOf(template)
    this.thoughtMarks = this.#marksOf(this.thoughtSyntax)
    tryTemplate(
      (messages, tools) => this.#chatPrompt.parts(messages, tools),
      this.toolSyntax !== null,
    )
  }

  /**
   * The prompt of a conversation, ending where the answer begins. Special tokens come from the
   * model's template alone, never from what a message says.
   *
   * @throws StarlingError CONTEXT_TOO_LONG when it leaves no room for one token of an answer,
   *   INVALID_REQUEST when the template refuses the conversation, NOT_SUPPORTED for tools if the
   *   model supports none, or if thinking is turned off and the model always thinks
   */
  prompt(request: PromptRequest): ChatTokens {
    const { contextTokens, tools = [] } = request
    if (tools.length > 0 && this.toolSyntax === null) {
      throw new StarlingError('NOT_SUPPORTED', "The model's chat template does not support tools")
    }
    const { parts, thought } = this.#parts(request)
    const sizeBytes = parts.reduce((sum, { text }) => sum + Buffer.byteLength(text), 0)
    const atLeast = Math.ceil(sizeBytes / this.#longestTokenBytes)
    // What cannot fit is not tokenized: the tokenizer blocks the process.
    if (atLeast >= contextTokens) throw tooLong(`at least ${atLeast}`, contextTokens)

    const tokens: number[] = []
    const { bos } = this.#model.tokens
    for (const { text, from } of this.#joined(parts)) {
      const continues = this.#spacePrefixed && tokens.length > 0
      for (const token of this.#model.tokenize(
        text,
        from === 'template',
        continues ? 'trimLeadingSpace' : undefined,
      )) {
        tokens.push(token)
      }
    }
    if (bos !== null && this.#model.tokens.shouldPrependBosToken && tokens[0] !== bos) {
      tokens.unshift(bos)
    }
    if (tokens.length === 0) {
      throw new StarlingError('INVALID_REQUEST', 'The conversation has no text to be answered')
    }
    if (tokens.length >= contextTokens) throw tooLong(String(tokens.length), contextTokens)
    return { text: parts.map(({ text }) => text).join(''), tokens, thought }
  }

  /**
   * The tokens of a text, in which special tokens are plain text.
   *
   * @throws StarlingError PAYLOAD_TOO_LARGE above 1 MiB of UTF-8
   */
  tokens(text: string): number[] {
    if (Buffer.byteLength(text) > PROTOCOL_LIMITS.promptBytes) {
      throw new StarlingError(
        'PAYLOAD_TOO_LARGE',
        `The text is longer than ${PROTOCOL_LIMITS.promptBytes} bytes`,
      )
    }
    return this.#model.tokenize(text, false)
  }

  /** The text of tokens; special ones have none, and invalid bytes become U+FFFD. */
  text(tokens: readonly number[]): string {
    return this.#model.detokenize(nativeTokens(tokens))
  }

  /** Whether the token ends an answer. */
  endsAnswer(token: number): boolean {
    return this.#model.isEogToken(token as NativeToken)
  }

  /** Whether a token contains a letter or a digit. Punctuation and white space do not. */
  hasLetterOrDigit(token: number): boolean {
    let found = this.#lettersOrDigits.get(token)
    if (found === undefined) {
      found = /[\p{L}\p{N}]/u.test(this.text([token]))
      this.#lettersOrDigits.set(token, found)
    }
    return found
  }

  /** Whether a sequence of tokens that is repeated ends with this token: see {@link DRY_BREAKER}. */
  breaksSequence(token: number): boolean {
    let breaks = this.#breaks.get(token)
    if (breaks === undefined) {
      const text = this.text([token])
      breaks = text === '' || text.includes(DRY_BREAKER)
      this.#breaks.set(token, breaks)
    }
    return breaks
  }

  /** @throws StarlingError INVALID_REQUEST if one of the numbers is not a token of the model */
  validate(tokens: readonly number[], what: string): void {
    if (!Array.isArray(tokens) || tokens.length > MAX_TOKENS) {
      throw new StarlingError(
        'INVALID_REQUEST',
        `${what} is not a list of up to ${MAX_TOKENS} tokens`,
      )
    }
    const wrong = tokens.findIndex((token) => !this.has(token))
    if (wrong >= 0) {
      throw new StarlingError(
        'INVALID_REQUEST',
        `${what}: ${tokens[wrong]} is not a token of this model`,
      )
    }
  }

  /** Whether a number is one of the vocabulary's tokens. */
  has(token: unknown): boolean {
    return typeof token === 'number' && Number.isInteger(token) && token >= 0 && token < this.size
  }

  #parts({ messages, tools = [], thinking, isJson = false }: PromptRequest): {
    readonly parts: readonly PromptPart[]
    readonly thought: ThoughtState
  } {
    const syntax = this.thoughtSyntax
    if (syntax === null) return { parts: this.#chatPrompt.parts(messages, tools), thought: 'none' }
    // A thought takes time and tokens, and JSON is usually requested by programs.
    const wanted = thinking ?? (isJson && this.#chatPrompt.switchesThinking ? false : undefined)
    const parts = this.#chatPrompt.parts(messages, tools, { thinking: wanted })
    const thought = thoughtAfter(parts, syntax)
    if (wanted === false && thought === 'open') {
      throw new StarlingError(
        'NOT_SUPPORTED',
        'The model always thinks before it answers: its chat template cannot turn that off',
      )
    }
    // A grammar starts with the answer, so the end of the thought must be recognisable.
    if (wanted !== true || thought !== 'possible' || !isJson) return { parts, thought }
    const opening: PromptPart = { text: `${syntax.opening}\n`, from: 'template' }
    return { parts: [...parts, opening], thought: 'open' }
  }

  /**
   * Joins parts that have no special token between them, because a vocabulary splits words differently
   * at the ends of a text. What is joined to content counts as content.
   */
  #joined(parts: readonly PromptPart[]): PromptPart[] {
    const joined: PromptPart[] = []
    for (const part of parts) {
      const from = part.from === 'template' && this.#isSpecial(part.text) ? 'template' : 'content'
      const last = joined.at(-1)
      if (last?.from === 'content' && from === 'content') {
        joined[joined.length - 1] = { text: last.text + part.text, from }
      } else {
        joined.push({ text: part.text, from })
      }
    }
    return joined
  }

  /** Whether a text of the template contains special tokens. */
  #isSpecial(text: string): boolean {
    const known = this.#hasSpecial.get(text)
    if (known !== undefined) return known
    const plain = this.#model.tokenize(text, false)
    const special = this.#model.tokenize(text, true)
    const differs =
      plain.length !== special.length || plain.some((token, index) => token !== special[index])
    if (this.#hasSpecial.size < MAX_REMEMBERED) this.#hasSpecial.set(text, differs)
    return differs
  }

  #marksOf(syntax: ToolSyntax | ThoughtSyntax | null): Map<number, string> {
    const marks = new Map<number, string>()
    for (const mark of [syntax?.opening, syntax?.closing]) {
      if (mark === null || mark === undefined) continue
      const [token, ...more] = this.#model.tokenize(mark, true)
      if (token !== undefined && more.length === 0) marks.set(token, mark)
    }
    return marks
  }
}

/** Tokens in node-llama-cpp's type: the same list, which must not be changed. */
export function nativeTokens(tokens: readonly number[]): NativeToken[] {
  return tokens as NativeToken[]
}

/** The state of the thought at the end of a prompt. Content is ignored. */
function thoughtAfter(parts: readonly PromptPart[], syntax: ThoughtSyntax): ThoughtState {
  const last = parts.at(-1)
  const end = last?.from === 'template' ? last.text.trimEnd() : ''
  if (end.endsWith(syntax.opening)) return 'open'
  return end.endsWith(syntax.closing) ? 'none' : 'possible'
}

function tooLong(has: string, contextTokens: number): StarlingError {
  return new StarlingError(
    'CONTEXT_TOO_LONG',
    `The prompt has ${has} tokens; at most ${contextTokens - 1} leave room for an answer`,
  )
}
