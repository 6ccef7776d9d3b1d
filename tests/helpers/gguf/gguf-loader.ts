import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { LoadOutcome } from './gguf-load-child.js'

const CHILD_PATH = fileURLToPath(new URL('./gguf-load-child.js', import.meta.url))

/** Many times the load time of a small model on a busy machine. */
const LOAD_TIMEOUT_MS = 15_000

const KEPT_CHARACTERS = 2_000

/** How loading a file ended: with a model, with an error, or with the process. */
export type LoadResult =
  | { readonly end: 'loaded' }
  | { readonly end: 'failed' | 'died' | 'hung'; readonly reason: string }

/** Loads model files with llama.cpp in one process, which is replaced when it crashes. */
export class GgufLoader {
  #child: ChildProcess | null = null
  #said = ''

  /** The number of processes that were started. */
  starts = 0

  async load(path: string): Promise<LoadResult> {
    const child = this.#child ?? (await this.#start())
    const waiting = new AbortController()
    const { signal } = waiting
    const timeout = AbortSignal.timeout(LOAD_TIMEOUT_MS)
    child.send({ path })
    try {
      return await Promise.race([
        once(child, 'message', { signal }).then(([outcome]) => answered(outcome)),
        once(child, 'exit', { signal }).then(() => this.#ended('died')),
        once(timeout, 'abort', { signal }).then(() => this.#ended('hung')),
      ])
    } finally {
      waiting.abort()
    }
  }

  async close(): Promise<void> {
    const child = this.#child
    this.#child = null
    if (child === null || child.exitCode !== null || child.signalCode !== null) return
    const gone = once(child, 'exit')
    child.kill('SIGKILL')
    await gone
  }

  async #ended(end: 'died' | 'hung'): Promise<LoadResult> {
    await this.close()
    return { end, reason: this.#said.trim() }
  }

  async #start(): Promise<ChildProcess> {
    const child = fork(CHILD_PATH, [], {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      // Otherwise llama.cpp runs a debugger for a stack trace, which takes seconds.
      env: { ...process.env, GGML_NO_BACKTRACE: '1' },
    })
    this.#child = child
    this.#said = ''
    this.starts += 1
    child.stderr?.on('data', (data: Buffer) => {
      this.#said = (this.#said + data.toString()).slice(-KEPT_CHARACTERS)
    })
    await once(child, 'message')
    return child
  }
}

function answered({ failure }: LoadOutcome): LoadResult {
  return failure === null ? { end: 'loaded' } : { end: 'failed', reason: failure }
}
