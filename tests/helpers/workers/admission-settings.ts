import { PROTOCOL_LIMITS } from '../../../helpers/protocol/limits.js'
import type { AccountCallSettings } from '../../../workers/gateway/account-calls.js'
import type { AdmissionSettings } from '../../../workers/gateway/admission.js'

/** All limits of a gateway. */
export type GatewayLimits = AdmissionSettings & AccountCallSettings

/** For tests of something else: no rate limits. */
export const ADMIT_FREELY: GatewayLimits = {
  rateLimit: { perMinute: 0, maxUsers: 1 },
  answersPerUser: 1_000_000,
  registrationsPerHour: 0,
  loginsPerMinute: 0,
  maxCountedClients: 1,
  maxPromptBytes: PROTOCOL_LIMITS.promptBytes,
  maxPromptMessages: PROTOCOL_LIMITS.promptMessages,
}
