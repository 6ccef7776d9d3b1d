import type { Writable } from 'node:stream'

/** The size of the buffer: enough for the longest answer, even with `--json`. */
const MAX_UNWRITTEN_BYTES = 4 * 1024 * 1024

/**
 * Buffers text that the reader of an output stream has not read yet. An answer occupies a slot of a processor
 * until it is read. With this buffer the client can read an answer to its end even if the reader of its
 * output, such as `less`, does not read.
 */
export class OutputBuffer {
  readonly #stream: Writable

  constructor(stream: Writable) {
    this.#stream = stream
  }

  /** Resolves when the buffer has room, the stream is closed, or the signal is aborted. */
  async room(signal?: AbortSignal): Promise<void> {
    const stream = this.#stream
    if (stream.writableLength < MAX_UNWRITTEN_BYTES) return
    await this.#until((resolve) => {
      stream.once('drain', resolve)
      return () => stream.off('drain', resolve)
    }, signal)
  }

  /** Resolves when the buffer is empty, the stream is closed, or the signal is aborted. */
  async written(signal?: AbortSignal): Promise<void> {
    const stream = this.#stream
    if (stream.writableLength === 0) return
    await this.#until((resolve) => {
      // The callback runs after everything that was written before.
      stream.write('', () => resolve())
      return () => undefined
    }, signal)
  }

  /** @param wait starts waiting and returns a function that stops it */
  async #until(wait: (resolve: () => void) => () => void, signal?: AbortSignal): Promise<void> {
    const stream = this.#stream
    if (!stream.writable || signal?.aborted) return
    await new Promise<void>((resolve) => {
      let stopWaiting: () => void = () => undefined
      const done = () => {
        stopWaiting()
        stream.off('close', done)
        signal?.removeEventListener('abort', done)
        resolve()
      }
      stream.once('close', done)
      signal?.addEventListener('abort', done, { once: true })
      stopWaiting = wait(done)
    })
  }
}
