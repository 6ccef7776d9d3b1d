import { join } from 'node:path'
import { z } from 'zod'
import { type AccountCredential, accountCredentialSchema } from '../../helpers/protocol/account.js'
import type { Random } from '../clock/random.js'
import { readPrivateFile, removePrivateFile, writePrivateFile } from '../files/private-file.js'
import { ChatHistory } from './chat-history.js'
import type { Home } from './home.js'

const storedSessionSchema = z.strictObject({
  email: z.string(),
  token: z.string(),
  /** Milliseconds since 1970. */
  expiresAt: z.number(),
})

/** A session as it is kept between two commands. */
export type StoredSession = z.infer<typeof storedSessionSchema>

/** The private files of the clients of one home. */
export class ClientFolder {
  /** An absolute path. */
  readonly path: string
  readonly #random: Random

  private constructor(path: string, random: Random) {
    this.path = path
    this.#random = random
  }

  /** @throws StarlingError HOME_UNUSABLE */
  static async open(home: Home, random: Random): Promise<ClientFolder> {
    return new ClientFolder(await home.folder('client'), random)
  }

  /** The session of the last login, or undefined. */
  async session(): Promise<StoredSession | undefined> {
    return await readPrivateFile(this.#file('session.json'), storedSessionSchema)
  }

  async saveSession(session: StoredSession): Promise<void> {
    await writePrivateFile(this.#file('session.json'), session, this.#random)
  }

  /** Removes the session. @returns whether there was one @throws StarlingError HOME_UNUSABLE */
  async removeSession(): Promise<boolean> {
    return await removePrivateFile(this.#file('session.json'))
  }

  /** The lines typed into chats. */
  get chatHistory(): ChatHistory {
    return new ChatHistory(this.#file('history'), this.#random)
  }

  /** The account that was created for the owner of this home, or undefined. */
  async localAccount(): Promise<AccountCredential | undefined> {
    return await readPrivateFile(this.#file('local-account.json'), accountCredentialSchema)
  }

  /**
   * As {@link localAccount}; creates the credentials if there are none, so that nobody has to register to use
   * their own machine. The name is random like the password, so that nobody else can register it first.
   */
  async ensureLocalAccount(): Promise<AccountCredential> {
    const existing = await this.localAccount()
    if (existing !== undefined) return existing
    const hex = (sizeBytes: number) => Buffer.from(this.#random.bytes(sizeBytes)).toString('hex')
    const account = { email: `local-${hex(6)}@starling.internal`, password: hex(24) }
    await writePrivateFile(this.#file('local-account.json'), account, this.#random)
    return account
  }

  #file(name: string): string {
    return join(this.path, name)
  }
}
