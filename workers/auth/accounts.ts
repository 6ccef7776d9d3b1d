import type { Clock } from '../../facilities/clock/clock.js'
import type { Random } from '../../facilities/clock/random.js'
import { CommandRunner } from '../../facilities/store/command-runner.js'
import type { Records } from '../../facilities/store/records.js'
import type { HealthProblem, WorkerMetric } from '../../facilities/worker/worker-health.js'
import {
  type AccountRecord,
  accountKey,
  parseAccount,
} from '../../helpers/accounts/account-record.js'
import { registerAccount } from '../../helpers/accounts/register-account.js'
import { StarlingError } from '../../helpers/errors/starling-error.js'
import { createId } from '../../helpers/identity/id.js'
import { type AccountCredential, accountCredentialSchema } from '../../helpers/protocol/account.js'
import { validateMessage } from '../../helpers/protocol/json-message.js'
import { LoginDelays } from './login-delays.js'
import type { HashRequest, PasswordHasher } from './passwords.js'

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
  readonly #records: Records
  readonly #commands: CommandRunner
  readonly #passwords: PasswordHasher
  readonly #clock: Clock
  readonly #random: Random
  readonly #delays: LoginDelays

  /** @param parts.records closed by their creator */
  constructor(parts: {
    records: Records
    passwords: PasswordHasher
    clock: Clock
    random: Random
  }) {
    this.#records = parts.records
    this.#commands = new CommandRunner(parts)
    this.#passwords = parts.passwords
    this.#clock = parts.clock
    this.#random = parts.random
    this.#delays = new LoginDelays(parts.clock)
  }

  /** Why accounts cannot be read or written. */
  problems(): readonly HealthProblem[] {
    return this.#records.problems()
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
    // Before the expensive hash. The command decides between concurrent registrations.
    if ((await this.#find(email)) !== undefined) throw taken(email)
    const passwordHash = await this.#passwords.hash(password, hashRequest(caller))
    const userId = createId('usr', this.#clock.now(), () => this.#random.fraction())
    const isNew = await this.#commands.run(registerAccount, { userId, email, passwordHash })
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
    const record = await this.#find(email)
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

  async #find(email: string): Promise<AccountRecord | undefined> {
    const entry = await this.#records.get(accountKey(email))
    return entry && parseAccount(entry.value)
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
