import type { Readable } from 'node:stream'

/** Finds out whether a pipe brings something, and takes nothing from it. */
export class PipeWatch {
  /** Resolves when it brings something, or has ended without. A pipe may be silent for ever. */
  readonly settled: Promise<'something' | 'nothing'>

  constructor(input: Readable) {
    this.settled = new Promise((resolve) => {
      input.once('readable', () => resolve(input.readableLength > 0 ? 'something' : 'nothing'))
      for (const event of ['error', 'close']) input.once(event, () => resolve('nothing'))
    })
  }
}
