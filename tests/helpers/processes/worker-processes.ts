import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { copyFile, link, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { SystemRandom } from '../../../facilities/clock/random.js'
import { ModelCache } from '../../../facilities/models/cache/model-cache.js'
import { DEFAULT_MODEL_NAME } from '../../../facilities/models/sources/catalog.js'
import { Cleanup } from '../cleanup.js'
import { SHARED_MODELS_DIRECTORY } from '../engine/tiny-llama.js'
import { freeUdpPort } from '../network/udp-port.js'
import type { Scope } from '../scope.js'
import '../umask.js'
import { until } from '../until.js'
import { processGone } from './process-gone.js'

/** Long: on a busy machine, converting and measuring a model takes many seconds. */
const START_TIMEOUT_MS = 60_000

/** A variable of all processes of a mesh, by which a test finds those of its own mesh. */
const MARK = 'XDG_CACHE_HOME'

/** The repository. */
const ROOT = join(import.meta.dirname, '..', '..', '..')

/** A process that was started as a user would start it. */
export class Running {
  readonly process: ChildProcess
  readonly pid: number
  /** Resolves with the exit code, or the signal's name. */
  readonly exit: Promise<number | string>
  stdout = ''
  stderr = ''
  #ended = false

  constructor(child: ChildProcess) {
    this.process = child
    this.pid = child.pid ?? 0
    child.stdout?.on('data', (chunk) => {
      this.stdout += chunk
    })
    child.stderr?.on('data', (chunk) => {
      this.stderr += chunk
    })
    this.exit = new Promise((resolve) => {
      child.once('close', (code, signal) => resolve(code ?? signal ?? 'unknown'))
    })
    void this.exit.then(() => {
      this.#ended = true
    })
  }

  /** Whether the process has ended and all its output was read. */
  get hasEnded(): boolean {
    return this.#ended
  }

  /** Waits until standard error contains that text. */
  async says(text: string, timeoutMs = 15_000): Promise<void> {
    const said = () => this.stderr.includes(text)
    await until(`${text}, from ${this}`, () => said() || this.#ended, timeoutMs)
    if (!said()) throw new Error(`${this} ended without saying ${text}:\n${this.stderr}`)
  }

  toString(): string {
    return this.process.spawnargs.slice(1).join(' ')
  }

  /** Sends SIGKILL. */
  async kill(): Promise<void> {
    this.process.kill('SIGKILL')
    await this.exit
  }
}

/** A new home and bootstrap port, and the processes that use them; all removed at the end of the scope. */
export class WorkerProcesses {
  readonly home: string
  readonly bootstrapPort: number
  readonly #environment: NodeJS.ProcessEnv
  readonly #cleanup: Cleanup

  private constructor(
    home: string,
    bootstrapPort: number,
    settings: NodeJS.ProcessEnv,
    cleanup: Cleanup,
  ) {
    this.home = home
    this.bootstrapPort = bootstrapPort
    this.#environment = {
      ...process.env,
      // An Ollama server on this machine must not affect the test.
      STARLING_PROCESSOR__FIND_OLLAMA: 'false',
      ...settings,
      STARLING_HOME: home,
      STARLING_NETWORK__BOOTSTRAP_PORT: String(bootstrapPort),
      // Every process of a mesh inherits this one, the engine's included: see everyProcess.
      [MARK]: home,
    }
    this.#cleanup = cleanup
  }

  /** @param settings environment variables of all its processes */
  static async create(scope: Scope, settings: NodeJS.ProcessEnv = {}): Promise<WorkerProcesses> {
    const cleanup = new Cleanup(scope)
    const home = await mkdtemp(join(tmpdir(), 'starling-e2e-'))
    cleanup.add(() => rm(home, { recursive: true, force: true }))
    return new WorkerProcesses(home, await freeUdpPort(), settings, cleanup)
  }

  /**
   * Runs `node workers/<name>.js` with its standard input empty, or what `input` says.
   *
   * @param stdout a file descriptor for its standard output, instead of `Running.stdout`
   */
  run(
    name: string,
    parameters: readonly string[] = [],
    input: string | Uint8Array = '',
    stdout: 'pipe' | number = 'pipe',
  ): Running {
    const script = join(ROOT, 'workers', `${name}.js`)
    const child = this.spawn(process.execPath, [script, ...parameters], stdout)
    // A process that does not read all its input is no failure of the test.
    child.process.stdin?.on('error', () => undefined)
    child.process.stdin?.end(input)
    return child
  }

  /** The same, and waits until it serves. */
  async start(name: string, flags: readonly string[] = []): Promise<Running> {
    const worker = this.run(name, flags)
    await worker.says(' ready ', START_TIMEOUT_MS)
    return worker
  }

  /** Puts the default model into the home, as if a processor had run there before. */
  async provideModel(): Promise<void> {
    const cache = new ModelCache({ directory: SHARED_MODELS_DIRECTORY, random: new SystemRandom() })
    const model = basename((await cache.prepare(DEFAULT_MODEL_NAME)).path)
    const directory = join(this.home, 'models')
    await mkdir(directory, { mode: 0o700 })
    await link(join(SHARED_MODELS_DIRECTORY, model), join(directory, model))
    const manifest = `${model}.json`
    await copyFile(join(SHARED_MODELS_DIRECTORY, manifest), join(directory, manifest))
  }

  /** Waits until a worker has created the mesh. Before, clients fail with MESH_NOT_FOUND. */
  async meshCreated(): Promise<void> {
    const record = join(this.home, 'mesh', 'mesh.json')
    await until('the mesh', () => existsSync(record), START_TIMEOUT_MS)
  }

  /** Runs a command with this mesh's environment. */
  spawn(command: string, parameters: readonly string[], stdout: 'pipe' | number = 'pipe'): Running {
    const stdio = ['pipe', stdout, 'pipe'] as const
    const running = new Running(
      spawn(command, parameters, { cwd: ROOT, env: this.#environment, stdio: [...stdio] }),
    )
    this.#cleanup.add(async () => {
      running.process.kill('SIGKILL')
      await running.exit
      await this.allGone()
    })
    return running
  }

  /** Resolves when no process is left that was started with this home on its command line. */
  async allGone(): Promise<void> {
    for (const pid of await this.processes()) await processGone(pid)
  }

  /** The ids of the processes that a mesh in this home has started, or of one of its workers. */
  async processes(name = ''): Promise<number[]> {
    return await listed(['-eo', 'pid=,args='], `--home ${this.home}`, name)
  }

  /** The ids of all processes with this mesh's environment, however they were started. */
  async everyProcess(name = ''): Promise<number[]> {
    return await listed(['axeww', '-o', 'pid=,args='], `${MARK}=${this.home}`, name)
  }
}

/** The ids of the processes whose line in the output of `ps` contains all those texts. */
async function listed(parameters: readonly string[], ...texts: string[]): Promise<number[]> {
  const list = new Running(spawn('ps', parameters, { stdio: 'pipe' }))
  await list.exit
  return list.stdout
    .split('\n')
    .filter((line) => texts.every((text) => line.includes(text)))
    .map((line) => Number.parseInt(line, 10))
}
