import type { ChatMessage } from '../../helpers/protocol/chat-message.js'
import { gatewayProtocol } from '../../helpers/protocol/gateway-protocol.js'
import type { GenerationOptionsInput } from '../../helpers/protocol/generation.js'
import type { ChunkOf, EndOf } from '../../helpers/protocol/method.js'
import type { ClientAccounts } from './accounts.js'
import type { GatewayAccess } from './gateway-access.js'

/** How an answer of the mesh ended. */
export type AnswerEnd = EndOf<typeof gatewayProtocol.infer>

/** A token of an answer. The first one has what is needed to repeat the answer. */
export type AnswerToken = ChunkOf<typeof gatewayProtocol.infer>

/** A question to the mesh. */
export interface ChatRequest {
  readonly messages: ChatMessage[]
  readonly model?: string | undefined
  readonly options?: GenerationOptionsInput
}

/**
 * Asks the mesh with whatever session this home has. A session that the mesh does not accept any
 * more is renewed once, where that needs no password.
 *
 * @throws StarlingError NOT_LOGGED_IN, or as the stream
 */
export async function* ask(
  question: ChatRequest,
  gateway: GatewayAccess,
  accounts: ClientAccounts,
  signal: AbortSignal,
): AsyncGenerator<AnswerToken, AnswerEnd, void> {
  const request = (credential: string) =>
    gateway.open(
      gatewayProtocol.infer,
      {
        credential,
        messages: question.messages,
        ...(question.model === undefined ? {} : { model: question.model }),
        ...(question.options === undefined ? {} : { options: question.options }),
      },
      signal,
    )
  const session = await accounts.session(signal)
  try {
    return yield* request(session.token)
  } catch (error) {
    // Refused before anything was answered.
    const renewed = await accounts.replace(error, signal)
    return yield* request(renewed.token)
  }
}
