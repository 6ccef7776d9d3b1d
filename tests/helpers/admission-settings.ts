import { PROTOCOL_LIMITS } from '../../helpers/protocol/limits.js'
import type { AdmissionSettings } from '../../workers/gateway/admission.js'

/** For tests of something else: nobody is asked to slow down. */
export const ADMIT_FREELY: AdmissionSettings = {
  rateLimit: { perMinute: 0, maxUsers: 1 },
  maxPromptBytes: PROTOCOL_LIMITS.promptBytes,
  maxPromptMessages: PROTOCOL_LIMITS.promptMessages,
}
