import type { LlamaModel, Token as NativeToken } from 'node-llama-cpp'
import { ChatPrompt } from '../../helpers/chat-prompt.js'
import { StarlingError } from '../../helpers/errors/starling-error.js'
import type { ChatMessage } from '../../helpers/protocol/generation.js'

/** A model's vocabulary and chat template: conversations to tokens, tokens to text. */
export class LlamaTokenizer {
  readonly #model: LlamaModel
  readonly #chatPrompt: ChatPrompt
  /** Whether the vocabulary puts a space before every text, which only the first part may get. */
  readonly #spacePrefixed: boolean
  /** The bytes of the longest token: a text has at least its length divided by this, in tokens. */
  readonly #longestTokenBytes: number

  /** @throws StarlingError MODEL_INVALID when the model's chat template cannot be parsed */
  constructor(model: LlamaModel) {
    this.#model = model
    const { tokenizer } = model.fileInfo.metadata
    this.#chatPrompt = new ChatPrompt(tokenizer.chat_template ?? null, {
      bosToken: model.tokens.bosString ?? '',
      eosToken: model.tokens.eosString ?? '',
    })
    this.#spacePrefixed = tokenizer.ggml.model !== 'gpt2'
    this.#longestTokenBytes = tokenizer.ggml.tokens.reduce(
      (longest, token) => Math.max(longest, Buffer.byteLength(token)),
      1,
    )
  }

  /**
   * The tokens of a conversation, ending where the answer begins. Special tokens come from the
   * model's template alone, never from what a message says.
   *
   * @throws StarlingError CONTEXT_TOO_LONG when they leave no room for one token of an answer,
   *   INVALID_REQUEST when the template refuses the conversation
   */
  prompt(messages: readonly ChatMessage[], contextTokens: number): number[] {
    const parts = this.#chatPrompt.parts(messages)
    const sizeBytes = parts.reduce((sum, { text }) => sum + Buffer.byteLength(text), 0)
    const atLeast = Math.ceil(sizeBytes / this.#longestTokenBytes)
    // Spares the tokenizer what cannot fit anyway: it works without a pause.
    if (atLeast >= contextTokens) throw tooLong(`at least ${atLeast}`, contextTokens)

    const tokens: number[] = []
    const { bos } = this.#model.tokens
    for (const { text, from } of parts) {
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
    return tokens
  }

  /** The text of tokens; special ones have none, and bytes that are no character become U+FFFD. */
  text(tokens: readonly number[]): string {
    return this.#model.detokenize(this.native(tokens))
  }

  /** Whether the model says with this token that its answer is complete. */
  endsAnswer(token: number): boolean {
    return this.native([token]).some((native) => this.#model.isEogToken(native))
  }

  /** Tokens as node-llama-cpp types them. A copy. */
  native(tokens: readonly number[]): NativeToken[] {
    return tokens.map((token) => token as NativeToken)
  }
}

function tooLong(has: string, contextTokens: number): StarlingError {
  return new StarlingError(
    'CONTEXT_TOO_LONG',
    `The prompt has ${has} tokens; at most ${contextTokens - 1} leave room for an answer`,
  )
}
