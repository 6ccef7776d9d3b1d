import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { type AttackerMessage, attackerMessageSchema, type Target } from './attacker-messages.js'

/** An attacker in a process of its own, so that what it computes does not delay the honest members. */
export class AttackerProcess {
  readonly #child: ChildProcess
  readonly #exit: Promise<unknown>
  #figures: Readonly<Record<string, number>> = {}

  private constructor(child: ChildProcess) {
    this.#child = child
    this.#exit = once(child, 'exit')
  }

  /** Starts the process. Resolves when the attack is prepared. */
  static async open(attacker: string, target: Target): Promise<AttackerProcess> {
    const child = fork(join(import.meta.dirname, 'attacker.js'), [attacker], {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    })
    const opened = new AttackerProcess(child)
    const ready = opened.#heard('ready')
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
  get figures(): Readonly<Record<string, number>> {
    return this.#figures
  }

  /** Starts the attack. Resolves when it is under way. */
  async start(): Promise<void> {
    const started = this.#heard('started')
    this.#child.send('start')
    await started
  }

  /** Stops the attack. Resolves when it is over. */
  async stop(): Promise<void> {
    if (!this.#child.connected) return
    const stopped = this.#heard('stopped')
    this.#child.send('stop')
    this.#figures = (await stopped).figures
  }

  async close(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#exit
  }

  /** Waits for one message of the child. @throws Error when it ends first */
  #heard(kind: AttackerMessage['kind']): Promise<AttackerMessage> {
    return new Promise((resolve, reject) => {
      const onMessage = (raw: unknown) => {
        const message = attackerMessageSchema.parse(raw)
        if (message.kind !== kind) return
        this.#child.off('message', onMessage)
        this.#child.off('exit', onExit)
        resolve(message)
      }
      const onExit = () => reject(new Error(`The attacker ended before it was ${kind}`))
      this.#child.on('message', onMessage)
      this.#child.once('exit', onExit)
    })
  }
}
