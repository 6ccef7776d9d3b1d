import type { StoredSession } from '../../facilities/home/client-folder.js'
import { safeLine } from '../../helpers/text/terminal-text.js'
import { readPassword } from './input/read-password.js'
import type { ClientTools, OfflineTools } from './run-client.js'

const SECOND_MS = 1_000
const MINUTE_MS = 60 * SECOND_MS
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS

/** The flags of `register` and `login`. */
export interface AccountFlags {
  readonly email: string
  readonly passwordStdin?: boolean
}

/** Creates an account and logs in. */
export async function register(tools: ClientTools, flags: AccountFlags): Promise<undefined> {
  const { email, expiresAt } = await tools.client.accounts.register(
    { email: flags.email, password: await password(tools, flags) },
    tools.signal,
  )
  tools.output.line(`Registered ${email} and logged in.`, { type: 'registered', email, expiresAt })
}

/** Opens a session. */
export async function login(tools: ClientTools, flags: AccountFlags): Promise<undefined> {
  const { email, expiresAt } = await tools.client.accounts.login(
    { email: flags.email, password: await password(tools, flags) },
    tools.signal,
  )
  tools.output.line(`Logged in as ${email}.`, { type: 'loggedIn', email, expiresAt })
}

/** Shows the user of the session, as verified by the mesh. */
export async function whoami({ client, output, signal }: ClientTools): Promise<undefined> {
  const { email, userId, expiresInMs } = await client.whoami(signal)
  output.line(`${email} (${safeLine(userId)}); the session ends in ${inWords(expiresInMs)}.`, {
    type: 'whoami',
    email,
    userId,
    expiresInMs,
  })
}

/**
 * Removes the session. Works without a mesh, so the session is not revoked: a copy of it can be used until it
 * expires.
 */
export async function logout({ folder, output }: OfflineTools): Promise<undefined> {
  // A damaged session is removed, too.
  const session = await folder.session().catch((): StoredSession | undefined => undefined)
  const wasThere = await folder.removeSession()
  const email = session?.email
  const hasLocalAccount = (await folder.localAccount()) !== undefined
  const done = wasThere
    ? `Logged out${email === undefined ? '' : ` ${email}`}: the session is removed.`
    : 'There was no session.'
  const next = hasLocalAccount
    ? " The next command opens one with this home's own account; log in to use another."
    : ''
  output.line(`${done}${next}`, { type: 'loggedOut', email, wasThere, hasLocalAccount })
}

function password({ terminal, signal }: ClientTools, flags: AccountFlags): Promise<string> {
  return readPassword(
    { ...terminal, output: process.stderr },
    { fromInput: flags.passwordStdin ?? false, signal },
  )
}

/** A duration for people, in its two largest units: `11 h 58 min`. */
export function inWords(durationMs: number): string {
  const days = Math.floor(durationMs / DAY_MS)
  const hours = Math.floor((durationMs % DAY_MS) / HOUR_MS)
  const minutes = Math.floor((durationMs % HOUR_MS) / MINUTE_MS)
  const seconds = Math.floor((durationMs % MINUTE_MS) / SECOND_MS)
  if (days > 0) return `${days} d ${hours} h`
  if (hours > 0) return `${hours} h ${minutes} min`
  if (minutes > 0) return `${minutes} min ${seconds} s`
  return `${seconds} s`
}
