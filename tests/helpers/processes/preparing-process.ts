import { spawn } from 'node:child_process'
import { join } from 'node:path'
import type { Test } from 'brittle'
import type { PreparedModel } from '../../../facilities/models/cache/model-cache.js'
import type { ModelProgress } from '../../../facilities/models/model-progress.js'
import { Cleanup } from '../cleanup.js'
import { until } from '../until.js'
import { Running } from './worker-processes.js'

type Told = Partial<ModelProgress> & { readonly prepared?: PreparedModel }

/** A separate process that prepares a model: see prepare-model.ts. */
export class PreparingProcess {
  readonly #running: Running

  private constructor(running: Running) {
    this.#running = running
  }

  /** Ended when the test ends. */
  static start(t: Test, directory: string, reference: string): PreparingProcess {
    const script = join(import.meta.dirname, 'prepare-model.js')
    const running = new Running(spawn(process.execPath, [script, directory, reference]))
    new Cleanup(t).add(async () => await running.kill())
    return new PreparingProcess(running)
  }

  /** Waits for a report of that kind. */
  async says(what: string, isIt: (told: Told) => boolean): Promise<void> {
    await until(what, () => this.#told().some(isIt))
  }

  /** The prepared model, after the process has ended. */
  async prepared(): Promise<PreparedModel> {
    await this.#running.exit
    const model = this.#told().find(({ prepared }) => prepared !== undefined)?.prepared
    if (model === undefined) throw new Error(this.#running.stderr)
    return model
  }

  /** Sends SIGKILL. */
  async kill(): Promise<void> {
    await this.#running.kill()
  }

  #told(): Told[] {
    const lines = this.#running.stdout.split('\n').slice(0, -1)
    return lines.map((line) => JSON.parse(line) as Told)
  }
}
