import type { Readable } from 'node:stream'

/** Finds out whether a pipe contains data, without reading it. */
export class PipeWatch {
  /** Resolves when data arrives or the pipe ends. It may never resolve. */
  readonly settled: Promise<'something' | 'nothing'>

  constructor(input: Readable) {
    this.settled = new Promise((resolve) => {
      input.once('readable', () => resolve(input.readableLength > 0 ? 'something' : 'nothing'))
      for (const event of ['error', 'close']) input.once(event, () => resolve('nothing'))
    })
  }
}
