import type { ChatMessage } from '../../helpers/protocol/chat-message.js'
import { gatewayProtocol } from '../../helpers/protocol/gateway-protocol.js'
import type { Token } from '../../helpers/protocol/generation.js'
import type { GenerationOptionsInput } from '../../helpers/protocol/generation-options.js'
import type { EndOf, HeadOf } from '../../helpers/protocol/method.js'
import { TokenOrder } from '../../helpers/protocol/token-chunk.js'
import type { ClientAccounts } from './accounts.js'
import type { GatewayAccess } from './gateway-access.js'

/** The end of an answer. */
export type AnswerEnd = EndOf<typeof gatewayProtocol.infer>

/** What is needed to reproduce an answer. */
type AnswerOrigin = Omit<HeadOf<typeof gatewayProtocol.infer>, 'fingerprint'>

/** A token of an answer. The first one also has what is needed to reproduce the answer. */
export type AnswerToken = Token & Partial<AnswerOrigin>

/** A request for an answer. */
export interface ChatRequest {
  readonly messages: ChatMessage[]
  readonly model?: string | undefined
  readonly options?: GenerationOptionsInput
}

/**
 * Sends a request with the session of this home. If the mesh refuses the session, it is renewed once, unless
 * that needs a password.
 *
 * @throws StarlingError NOT_LOGGED_IN, or as the stream
 */
export async function* ask(
  chat: ChatRequest,
  gateway: GatewayAccess,
  accounts: ClientAccounts,
  signal: AbortSignal,
): AsyncGenerator<AnswerToken, AnswerEnd, void> {
  const request = (credential: string) =>
    gateway.open(
      gatewayProtocol.infer,
      {
        credential,
        messages: chat.messages,
        ...(chat.model === undefined ? {} : { model: chat.model }),
        ...(chat.options === undefined ? {} : { options: chat.options }),
      },
      signal,
    )
  const session = await accounts.session(signal)
  const answer = await request(session.token).catch(async (error: unknown) => {
    // The session was refused before the answer began.
    const renewed = await accounts.replace(error, signal)
    return await request(renewed.token)
  })
  const order = new TokenOrder()
  try {
    const { fingerprint: _, ...origin } = await answer.head()
    for (let isFirst = true; ; isFirst = false) {
      const step = await answer.next()
      if (step.done) return step.value
      order.take({ index: step.value.index, count: 1 })
      yield isFirst ? { ...step.value, ...origin } : step.value
    }
  } finally {
    await answer.return(undefined as never)
  }
}
