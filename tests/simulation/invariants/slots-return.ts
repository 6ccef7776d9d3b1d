import { Invariant, type MeshAtRest } from './invariant.js'

/** The slot of an answer is free again once the answer has ended, however it ended. */
export class SlotsReturn extends Invariant {
  readonly name = 'slots-return'

  override atRest({ processors }: MeshAtRest): void {
    for (const { name, busy, generations } of processors) {
      if (busy > 0) this.violated(`${name} reports ${busy} answers though nothing is asked`)
      if (generations > 0) this.violated(`the engine of ${name} generates ${generations} answers`)
    }
  }
}
