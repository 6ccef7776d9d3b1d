import { z } from 'zod'
import type { Clock } from '../../facilities/clock/clock.js'
import type { Random } from '../../facilities/clock/random.js'
import type { DurableRecords } from '../../facilities/store/durable-records.js'
import type { HealthProblem, WorkerMetric } from '../../facilities/worker/worker-health.js'
import { isStarlingError, StarlingError } from '../../helpers/errors/starling-error.js'
import { createId } from '../../helpers/identity/id.js'
import { type AccountCredential, accountCredentialSchema } from '../../helpers/protocol/account.js'
import { validateMessage } from '../../helpers/protocol/json-message.js'
import { LoginDelays } from './login-delays.js'
import type { HashRequest, PasswordHasher } from './passwords.js'

/** An account as it is stored, under its e-mail address. */
export const accountRecordSchema = z.strictObject({
  /** `usr_…` */
  userId: z.string().startsWith('usr_').max(64),
  email: z.string().max(254),
  /** Argon2id with its salt and parameters. */
  passwordHash: z.string().max(128),
  /** Milliseconds since 1970. */
  createdAt: z.number().int().nonnegative(),
})

export type AccountRecord = z.infer<typeof accountRecordSchema>

/** The caller of an operation on an account. */
export interface AccountCaller {
  /** The public key of the calling gateway, hexadecimal. */
  readonly gateway: string
  /** The client that the gateway calls for: see `peer` in the auth protocol. */
  readonly peer: string
  /** Removes its password from the queue to be hashed. */
  readonly signal?: AbortSignal
}

/** The accounts: registration and authentication. */
export class Accounts {
  readonly #records: DurableRecords<AccountRecord>
  readonly #passwords: PasswordHasher
  readonly #clock: Clock
  readonly #random: Random
  readonly #delays: LoginDelays

  /** @param parts.records of `accountRecordSchema`; closed by their creator */
  constructor(parts: {
    records: DurableRecords<AccountRecord>
    passwords: PasswordHasher
    clock: Clock
    random: Random
  }) {
    this.#records = parts.records
    this.#passwords = parts.passwords
    this.#clock = parts.clock
    this.#random = parts.random
    this.#delays = new LoginDelays(parts.clock)
  }

  /** Why accounts cannot be read or written. */
  problems(): readonly HealthProblem[] {
    const { opened, closing, failure, guardFailure } = this.#records
    if (!opened || closing !== null) {
      return [{ code: 'HOME_UNUSABLE', message: 'The account store is not open', blocks: true }]
    }
    if (failure !== null) return [{ code: failure.code, message: failure.message, blocks: true }]
    if (guardFailure === null) return []
    const code = isStarlingError(guardFailure) ? guardFailure.code : 'DISK_FAILED'
    const message = 'The rollback guard of the store cannot be written'
    return [{ code, message, blocks: false }]
  }

  /** The load of password hashing. */
  get metrics(): readonly WorkerMetric[] {
    return [
      {
        name: 'hashesRunning',
        help: 'Passwords that are being hashed',
        kind: 'gauge',
        value: () => this.#passwords.running,
      },
      {
        name: 'hashesWaiting',
        help: 'Logins and registrations that wait for their password to be hashed',
        kind: 'gauge',
        value: () => this.#passwords.waiting,
      },
    ]
  }

  /**
   * Creates an account. It is on disk when this resolves.
   *
   * @returns the id of the new user
   * @throws StarlingError EMAIL_TAKEN, INVALID_REQUEST, OVERLOADED; DISK_FULL or DISK_FAILED while the
   *   store cannot write
   */
  async register(
    credential: AccountCredential,
    caller: AccountCaller,
  ): Promise<{ readonly userId: string }> {
    const { email, password } = validate(credential)
    if (this.#records.failure !== null) throw this.#records.failure
    // Before the expensive hash. `insert` decides between concurrent registrations.
    if ((await this.#records.get(email)) !== undefined) throw taken(email)
    const passwordHash = await this.#passwords.hash(password, hashRequest(caller))
    const createdAt = this.#clock.now()
    const userId = createId('usr', createdAt, () => this.#random.fraction())
    const isNew = await this.#records.insert(email, { userId, email, passwordHash, createdAt })
    if (!isNew) throw taken(email)
    return { userId }
  }

  /**
   * Verifies a credential. An unknown address and a wrong password cannot be distinguished, neither by the
   * error nor by the time it takes. Failed logins delay further ones of the same peer to the same address.
   *
   * @throws StarlingError INVALID_CREDENTIAL, INVALID_REQUEST, OVERLOADED, RATE_LIMITED
   */
  async authenticate(
    credential: AccountCredential,
    caller: AccountCaller,
  ): Promise<{ readonly userId: string }> {
    const { email, password } = validate(credential)
    const assertNoDelay = () => this.#delays.assertOver(caller.peer, email)
    assertNoDelay()
    const record = await this.#records.get(email)
    const isMatch = await this.#passwords.verify(password, record?.passwordHash, {
      ...hashRequest(caller),
      // Other logins of the same pair may have failed while this one was queued.
      onStart: assertNoDelay,
      onVerified: (matches) =>
        matches
          ? this.#delays.succeeded(caller.peer, email)
          : this.#delays.failed(caller.peer, email),
    })
    if (record === undefined || !isMatch) {
      throw new StarlingError(
        'INVALID_CREDENTIAL',
        'No account has this e-mail address and this password',
      )
    }
    return { userId: record.userId }
  }
}

function hashRequest({ gateway, peer, signal }: AccountCaller): HashRequest {
  return { owner: [gateway, peer], signal }
}

/** Also normalizes the e-mail address. @throws StarlingError INVALID_REQUEST */
function validate(credential: AccountCredential): AccountCredential {
  return validateMessage(credential, accountCredentialSchema, 'the account')
}

function taken(email: string): StarlingError {
  return new StarlingError('EMAIL_TAKEN', `${email} is already registered`)
}
