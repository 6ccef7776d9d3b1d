import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { type AttackerMessage, attackerMessageSchema, type Target } from './attacker-messages.js'

/** An attacker in a separate process, so that it does not block the event loop of the regular clients. */
export class AttackerProcess {
  readonly #child: ChildProcess
  readonly #exit: Promise<unknown>
  #counts: Readonly<Record<string, number>> = {}

  private constructor(child: ChildProcess) {
    this.#child = child
    this.#exit = once(child, 'exit')
  }

  /** Starts the process. Resolves when the attack is prepared. */
  static async open(attacker: string, target: Target): Promise<AttackerProcess> {
    const child = fork(join(import.meta.dirname, 'run-attacker.js'), [attacker], {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    })
    const opened = new AttackerProcess(child)
    const ready = opened.#waitFor('ready')
    child.send(target)
    try {
      await ready
    } catch (error) {
      await opened.close()
      throw error
    }
    return opened
  }

  /** What the attacker has counted since its process was started. */
  get counts(): Readonly<Record<string, number>> {
    return this.#counts
  }

  /** Starts the attack. Resolves when it is in progress. */
  async start(): Promise<void> {
    const started = this.#waitFor('started')
    this.#child.send('start')
    await started
  }

  /** Stops the attack. Resolves when it has ended. */
  async stop(): Promise<void> {
    if (!this.#child.connected) return
    const stopped = this.#waitFor('stopped')
    this.#child.send('stop')
    this.#counts = (await stopped).counts
  }

  async close(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#exit
  }

  /** Waits for one message of the child. @throws Error if the child ends first */
  #waitFor(kind: AttackerMessage['kind']): Promise<AttackerMessage> {
    return new Promise((resolve, reject) => {
      const onMessage = (raw: unknown) => {
        const message = attackerMessageSchema.parse(raw)
        if (message.kind !== kind) return
        this.#child.off('message', onMessage)
        this.#child.off('exit', onExit)
        resolve(message)
      }
      const onExit = () => reject(new Error(`The attacker process ended before it was ${kind}`))
      this.#child.on('message', onMessage)
      this.#child.once('exit', onExit)
    })
  }
}
