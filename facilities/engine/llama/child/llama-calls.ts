import { encodeVector } from '../../../../helpers/generation/vector-bytes.js'
import type { EngineCall, EngineCallResult } from '../llama-messages.js'
import type { RequestWatch } from '../request-watch.js'
import type { RequestRuntime } from './llama-requests.js'

/** The result of one method. */
type ResultOf<Method extends EngineCall['method']> = Extract<EngineCallResult, { method: Method }>

/** Answers a call in the child. */
export async function answerCall(
  runtime: RequestRuntime,
  call: EngineCall,
  signal: AbortSignal,
  watch: RequestWatch,
): Promise<EngineCallResult> {
  switch (call.method) {
    case 'tokenize': {
      const tokens = await watch.during('tokens', () => runtime.tokenize(call.text))
      return { method: 'tokenize', tokens: [...tokens] }
    }
    case 'detokenize': {
      const text = await watch.during('tokens', () => runtime.detokenize(call.tokens))
      return { method: 'detokenize', text }
    }
    case 'applyTemplate': {
      const { text, tokens } = await watch.during('prompt', () =>
        runtime.applyTemplate(call.messages, call.tools),
      )
      return { method: 'applyTemplate', text, tokens: [...tokens] }
    }
    case 'embed': {
      const vectors = await runtime.embed(call.texts, signal, watch)
      return { method: 'embed', vectors: vectors.map(encodeVector) }
    }
  }
}

/** The result of one method, of which the type says only that it is one of several. */
export function resultOf<Method extends EngineCall['method']>(
  method: Method,
  result: EngineCallResult,
): ResultOf<Method> {
  if (isResultOf(method, result)) return result
  throw new Error(`a call of ${method} was answered with ${result.method}`)
}

function isResultOf<Method extends EngineCall['method']>(
  method: Method,
  result: EngineCallResult,
): result is ResultOf<Method> {
  return result.method === method
}
