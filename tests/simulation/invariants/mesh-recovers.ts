import { Invariant, type MeshAtRest } from './invariant.js'

/** Once all faults are over, every client is answered again, as many requests at a time as it may send. */
export class MeshRecovers extends Invariant {
  readonly name = 'mesh-recovers'

  override atRest({ unanswered }: MeshAtRest): void {
    for (const { client, code } of unanswered) {
      this.violated(`${client} is still refused after all faults are over: ${code}`)
    }
  }
}
