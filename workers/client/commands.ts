import { StarlingError } from '../../helpers/errors/starling-error.js'
import { readPassword } from './read-password.js'
import type { ClientTools } from './run-client.js'
import { streamAnswer } from './stream-answer.js'
import { SURVEYED_ROLES, surveyMesh } from './survey.js'

/** The flags of `register` and `login`. */
export interface AccountFlags {
  readonly email: string
  readonly passwordStdin?: boolean
}

/** Makes an account and logs in. */
export async function register(tools: ClientTools, flags: AccountFlags): Promise<void> {
  const { email, expiresAt } = await tools.client.accounts.register(
    { email: flags.email, password: await password(tools, flags) },
    tools.signal,
  )
  tools.output.line(`Registered ${email} and logged in.`, { type: 'registered', email, expiresAt })
}

/** Opens a session. */
export async function login(tools: ClientTools, flags: AccountFlags): Promise<void> {
  const { email, expiresAt } = await tools.client.accounts.login(
    { email: flags.email, password: await password(tools, flags) },
    tools.signal,
  )
  tools.output.line(`Logged in as ${email}.`, { type: 'loggedIn', email, expiresAt })
}

/** Asks one question and streams the answer. */
export async function askOnce(
  tools: ClientTools,
  { model }: { model?: string },
  [content = '']: readonly string[],
): Promise<void> {
  await streamAnswer(tools, { messages: [{ role: 'user', content }], model })
}

/** Says who is there. @throws StarlingError GATEWAY_NOT_FOUND when there is no gateway */
export async function status({ host, network, output, signal }: ClientTools): Promise<void> {
  const found = await surveyMesh(network, { ...host, signal })
  for (const role of SURVEYED_ROLES) {
    const workers = found.filter((worker) => worker.role === role)
    if (workers.length === 0) {
      output.line(`${role.padEnd(10)} none found`, { type: 'missing', role })
    }
    for (const { name, info, load, error } of workers) {
      const up = info && `${info.version}, up ${(info.uptimeMs / 1000).toFixed(0)} s`
      const busy =
        load &&
        `, ${load.models.join(', ') || 'model not loaded yet'}, ` +
          `${load.running}/${load.slots} busy, ${load.queued} waiting`
      output.line(`${role.padEnd(10)} ${name.padEnd(30)} ${up ?? error}${busy ?? ''}`, {
        type: 'worker',
        role,
        name,
        info,
        load,
        error,
      })
    }
  }
  if (!found.some(({ role }) => role === 'gateway')) {
    throw new StarlingError('GATEWAY_NOT_FOUND', 'Without a gateway nobody can be served')
  }
}

function password({ signal }: ClientTools, flags: AccountFlags): Promise<string> {
  return readPassword(
    { input: process.stdin, output: process.stderr },
    { fromInput: flags.passwordStdin ?? false, signal },
  )
}
