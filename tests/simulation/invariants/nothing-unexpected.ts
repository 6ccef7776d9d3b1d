import { Invariant } from './invariant.js'
import { type Observation, reasonOf } from './observation.js'

/** No request of an honest user to honest workers may fail with these, whatever the network and the disks do. */
const NEVER: readonly string[] = [
  'INTERNAL',
  'PROTOCOL_VIOLATION',
  'INVALID_REQUEST',
  'INVALID_CREDENTIAL',
  'UNKNOWN_METHOD',
  'FORBIDDEN',
  'NOT_LOGGED_IN',
  'NOT_SUPPORTED',
  'PAYLOAD_TOO_LARGE',
  'CONTEXT_TOO_LONG',
  'CERTIFICATE_INVALID',
  'CERTIFICATE_EXPIRED',
  'VERSION_UNSUPPORTED',
  'STORE_DAMAGED',
]

/** Honest workers accuse each other of nothing, and nothing fails that cannot fail. */
export class NothingUnexpected extends Invariant {
  readonly name = 'nothing-unexpected'

  override observe(observation: Observation): void {
    if (observation.kind === 'failed') {
      this.violated(`${observation.what}: ${reasonOf(observation.error)}`)
    }
    if (observation.kind === 'ended' && isNever(observation.code)) {
      this.violated(`${observation.request} ended with ${observation.code}`)
    }
    if (observation.kind === 'registered' && isNever(observation.code)) {
      this.violated(`the registration of ${observation.email} ended with ${observation.code}`)
    }
  }
}

/** @param code what follows it describes an error that is not one of ours */
function isNever(code: string): boolean {
  return NEVER.includes(code.split(' ', 1)[0] ?? code)
}
