import type { ChatMessage } from '../../helpers/protocol/chat-message.js'
import { gatewayProtocol } from '../../helpers/protocol/gateway-protocol.js'
import type { GenerationOptionsInput } from '../../helpers/protocol/generation-options.js'
import type { ChunkOf, EndOf } from '../../helpers/protocol/method.js'
import type { ClientAccounts } from './accounts.js'
import type { GatewayAccess } from './gateway-access.js'

/** The end of an answer. */
export type AnswerEnd = EndOf<typeof gatewayProtocol.infer>

/** A token of an answer. The first one contains what is needed to reproduce the answer. */
export type AnswerToken = ChunkOf<typeof gatewayProtocol.infer>

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
  try {
    return yield* request(session.token)
  } catch (error) {
    // The session was refused before the first token.
    const renewed = await accounts.replace(error, signal)
    return yield* request(renewed.token)
  }
}
