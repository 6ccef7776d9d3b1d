import { createHash } from 'node:crypto'
import type { EngineInfo, GenerateRequest } from '../../../facilities/engine/engine.js'
import { ScriptedEngine } from '../../../facilities/engine/scripted/scripted-engine.js'
import { StarlingError } from '../../../helpers/errors/starling-error.js'
import type { ToolCall } from '../../../helpers/protocol/chat-message.js'
import type { GenerationEnd, Token } from '../../../helpers/protocol/generation.js'

const DIMENSIONS = 8

/** Embeds texts: equal texts get equal vectors; similar texts need not get similar ones. */
export class ScriptedEmbeddings extends ScriptedEngine {
  override info(): EngineInfo {
    return { ...super.info(), capabilities: new Set(['embed'] as const) }
  }

  override async embed(texts: readonly string[] = []): Promise<readonly Float32Array[]> {
    if (texts.some((text) => text.length > this.info().contextTokens)) {
      throw new StarlingError('CONTEXT_TOO_LONG', 'A text is longer than the context length')
    }
    // Not of length 1: the caller normalizes.
    return texts.map((text) => {
      const hash = createHash('sha256').update(text).digest()
      return Float32Array.from({ length: DIMENSIONS }, (_, index) => hash.readInt8(index) + 0.5)
    })
  }
}

/** Calls functions when it is offered any, and records its requests. */
export class ScriptedCalls extends ScriptedEngine {
  readonly requests: GenerateRequest[] = []
  readonly #calls: readonly ToolCall[]

  constructor(calls: readonly ToolCall[]) {
    super()
    this.#calls = calls
  }

  override info(): EngineInfo {
    const { capabilities, ...rest } = super.info()
    const more = ['tools', 'json-schema', 'logit-bias', 'logprobs'] as const
    return { ...rest, capabilities: new Set([...capabilities, ...more]) }
  }

  override async *generate(
    request: GenerateRequest,
    signal: AbortSignal,
  ): AsyncGenerator<Token, GenerationEnd, void> {
    this.requests.push(request)
    const end = yield* super.generate(request, signal)
    if (request.options.tools === undefined) return end
    return { ...end, finishReason: 'tool_calls', toolCalls: [...this.#calls] }
  }
}
