import { z } from 'zod'
import { roles } from '../../../helpers/protocol/call-policy.js'
import { jsonChunks } from '../../../helpers/protocol/chunk-codec.js'
import type { Token } from '../../../helpers/protocol/generation.js'
import { stream } from '../../../helpers/protocol/method.js'
import { tokenChunks } from '../../../helpers/protocol/token-chunk.js'

/** Says words, which are sent as tokens after a head. */
export const say = stream({
  name: 'gateway.say',
  request: z.strictObject({ words: z.number() }),
  head: z.strictObject({ title: z.string() }),
  chunk: tokenChunks,
  end: z.strictObject({ total: z.number() }),
  timeoutMs: 20_000,
  idempotent: true,
  callers: roles('client', 'gateway'),
})

/** Adds up what its caller sends, for as long as both stay. */
export const addUp = stream({
  name: 'gateway.addUp',
  request: z.strictObject({}),
  chunk: jsonChunks(z.strictObject({ sum: z.number() })),
  input: jsonChunks(z.strictObject({ n: z.number() })),
  end: z.strictObject({ total: z.number() }),
  timeoutMs: 'lasting',
  idempotent: true,
  callers: roles('client', 'gateway'),
})

/** The token at a position. */
export function tokenAt(index: number): Token {
  return { text: ` w${index}`, tokenId: index, index }
}

/** Tokens that become ready when a test says so. */
export class TokenSource {
  readonly #ready: Token[] = []
  #made = 0
  #ended = false
  #failure: Error | null = null
  #wake: () => void = () => undefined
  /** Tokens that were requested and delivered. */
  taken = 0

  /** Makes the next tokens ready, all in one tick. */
  push(count = 1): void {
    for (let pushed = 0; pushed < count; pushed += 1) this.#ready.push(tokenAt(this.#made++))
    this.#wake()
  }

  end(): void {
    this.#ended = true
    this.#wake()
  }

  fail(error: Error): void {
    this.#failure = error
    this.#wake()
  }

  async *tokens(): AsyncGenerator<Token, { total: number }, void> {
    for (;;) {
      const token = this.#ready.shift()
      if (token !== undefined) {
        this.taken += 1
        yield token
      } else if (this.#failure !== null) {
        throw this.#failure
      } else if (this.#ended) {
        return { total: this.taken }
      } else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve
        })
      }
    }
  }
}
