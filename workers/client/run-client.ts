import { fstatSync } from 'node:fs'
import { TerminalSession } from '../../facilities/cli/terminal-session.js'
import type { Clock } from '../../facilities/clock/clock.js'
import { SystemClock } from '../../facilities/clock/system-clock.js'
import { ClientFolder } from '../../facilities/home/client-folder.js'
import { findMeshKeys } from '../../facilities/home/mesh-keys.js'
import { MeshNetwork, type NetworkSettings } from '../../facilities/network/mesh-network.js'
import type { LoopbackSettings } from '../../facilities/network/modes/loopback-mode.js'
import { EXIT_CODES } from '../../facilities/process/exit-codes.js'
import { onParentNotice, whenParentGone } from '../../facilities/process/parent-channel.js'
import { protectProcess } from '../../facilities/process/protect-process.js'
import { ResourceStack } from '../../facilities/worker/resource-stack.js'
import {
  type HostSettings,
  openClientHost,
  type WorkerHost,
} from '../../facilities/worker/worker-host.js'
import { isStarlingError, StarlingError } from '../../helpers/errors/starling-error.js'
import { proveLocalAccount } from '../../helpers/identity/local-account-proof.js'
import { ClientWorker } from './client-worker.js'
import { Output } from './output.js'

/** The settings of a client command. Comes from the configuration. */
export interface ClientSettings extends HostSettings {
  readonly network: NetworkSettings & LoopbackSettings
  readonly client: { readonly waitMs: number }
}

/** Standard input. */
export type TerminalInput = NodeJS.ReadableStream & {
  readonly isTTY?: boolean
  setRawMode?(isRaw: boolean): unknown
}

/** A terminal whose settings were changed. */
export type HeldTerminal = Pick<TerminalSession, 'stopJob' | 'close'>

/** The terminal of a command, or the streams in its place. */
export interface Terminal {
  readonly input: TerminalInput
  readonly screen: NodeJS.WritableStream
  /** Whether the input is a pipe or a file. */
  readonly isPiped?: boolean
  /** Changes the settings of the terminal until it is closed, and while the program is not stopped. */
  openSession?(hooks: TerminalHooks): HeldTerminal
}

/** The callbacks of a terminal session. */
export interface TerminalHooks {
  readonly setRawMode: (isRaw: boolean) => void
  /** Called when the program continues after a stop. */
  readonly onContinued: () => void
  /** Whether to use bracketed paste mode. Default: true. */
  readonly marksPastes?: boolean
}

/** The tools of a command before the home is opened. */
export interface InputTools {
  readonly host: Pick<WorkerHost, 'clock'>
  readonly output: Output
  readonly terminal: Terminal
  /** Aborted by Ctrl-C, SIGTERM and the end of the process that started this one. */
  readonly signal: AbortSignal
}

/** The tools of a command that needs no mesh. */
export interface OfflineTools extends InputTools {
  readonly host: WorkerHost
  readonly folder: ClientFolder
}

/** The tools of a command that needs a mesh. */
export interface ClientTools extends OfflineTools {
  readonly client: ClientWorker
  readonly network: MeshNetwork
}

/** The action of a command. @returns its exit code, if it is not 0 */
export type ClientAction<Tools, Flags> = (
  tools: Tools,
  flags: Flags,
  parameters: readonly string[],
) => Promise<number | undefined>

/** The reader of the output may close the pipe: `client.js ask … | head -1`. */
const READER_LEFT = new StarlingError('CANCELLED', 'The output is no longer read')

/**
 * Runs one client command and ends the process with its exit code: 0 done, 1 failed, 2 bad usage.
 *
 * @param readInput reads what the command needs before the home is opened, so that bad usage is reported
 *   even if there is no mesh
 */
export async function runClient<Input>(
  settings: ClientSettings,
  command: (tools: ClientTools, input: Input) => Promise<number | undefined>,
  readInput: (tools: InputTools) => Promise<Input>,
): Promise<void> {
  await runToEnd(settings, async (inputTools, resources) => {
    const input = await readInput(inputTools)
    const tools = await openHome(settings, inputTools)
    const { host, folder, output } = tools
    const network = new MeshNetwork({ ...host, settings: settings.network })
    const client = new ClientWorker({
      ...host,
      gateways: network.peers('gateway'),
      folder,
      lookedFor:
        `gateways of mesh ${host.identity.mesh.slice(0, 12)} (home ${host.home.directory}) ` +
        `by the DHT at ${host.mode.bootstrap}`,
      waitMs: settings.client.waitMs,
      onWaiting: ({ message }) => output.notice(`${message}; waiting …`),
      proveLocal: async (account) => {
        const keys = await findMeshKeys(host.home)
        return keys?.root ? proveLocalAccount(keys.root, account) : undefined
      },
    })
    await resources.open(network)
    return await command({ ...tools, network, client }, input)
  })
}

/** Runs a client command that needs no mesh. */
export async function runOffline(
  settings: ClientSettings,
  command: (tools: OfflineTools) => Promise<number | undefined>,
): Promise<void> {
  await runToEnd(settings, async (tools) => await command(await openHome(settings, tools)))
}

async function openHome(settings: ClientSettings, tools: InputTools): Promise<OfflineTools> {
  const host = await openClientHost(settings)
  const folder = await ClientFolder.open(host.home, host.random)
  return { ...tools, host, folder }
}

async function runToEnd(
  settings: ClientSettings,
  run: (tools: InputTools, resources: ResourceStack) => Promise<number | undefined>,
): Promise<void> {
  const { stdin, stdout, stderr } = process
  const output = new Output({
    json: settings.json,
    home: settings.home,
    result: stdout,
    notices: stderr,
    isTerminal: stdout.isTTY ?? false,
    // Respects NO_COLOR, and knows terminals without colours.
    isColored: stdout.isTTY && stdout.hasColors(),
    columns: () => stdout.columns,
  })
  const resources = new ResourceStack()
  const signal = endOfProcess()
  // The mesh shares the terminal but does not know whether a prompt is shown.
  onParentNotice((text) => output.notice(text))
  await protectProcess()
  let exitCode: number = EXIT_CODES.done
  try {
    const clock = new SystemClock()
    // What is typed must not be written to a file or between JSON objects.
    const screen = stdout.isTTY && !settings.json ? stdout : stderr
    const terminal: Terminal = {
      input: stdin,
      screen,
      isPiped: isPipe(stdin.fd),
      openSession: (hooks) => openSession(hooks, screen, clock),
    }
    exitCode = (await run({ host: { clock }, output, terminal, signal }, resources)) ?? exitCode
  } catch (error) {
    exitCode = isStarlingError(error, 'BAD_USAGE') ? EXIT_CODES.badUsage : EXIT_CODES.failed
    if (signal.reason !== READER_LEFT) output.failure(error)
  }
  await resources.close()
  // process.exit() would discard what the reader of a pipe has not taken yet.
  await output.written(signal)
  process.exit(signal.reason === READER_LEFT ? EXIT_CODES.unread : exitCode)
}

/** Whether a file descriptor is a pipe or a file rather than a terminal or /dev/null. */
function isPipe(fd: number): boolean {
  const stats = fstatSync(fd)
  // Node.js uses sockets as pipes to child processes.
  return stats.isFIFO() || stats.isFile() || stats.isSocket()
}

function openSession(
  { marksPastes = true, ...hooks }: TerminalHooks,
  screen: NodeJS.WritableStream,
  clock: Clock,
): TerminalSession {
  const isDumb = process.env.TERM === 'dumb'
  const session = new TerminalSession({
    ...hooks,
    screen,
    clock,
    marksPastes: marksPastes && !isDumb,
  })
  session.open()
  return session
}

function endOfProcess(): AbortSignal {
  const controller = new AbortController()
  const end = () => {
    if (controller.signal.aborted) process.exit(EXIT_CODES.failed)
    controller.abort(new StarlingError('CANCELLED', 'Cancelled'))
  }
  process.stdout.on('error', (cause: NodeJS.ErrnoException) => {
    const why = cause.code ?? cause.message
    const reason = new StarlingError('CANCELLED', `The output cannot be written: ${why}`, { cause })
    controller.abort(why === 'EPIPE' ? READER_LEFT : reason)
  })
  process.stderr.on('error', () => {
    // Notices are dropped if standard error is closed.
  })
  process.on('SIGINT', end)
  process.on('SIGTERM', end)
  whenParentGone(end)
  return controller.signal
}
