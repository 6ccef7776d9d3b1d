import { AccountsLast } from './accounts-last.js'
import { AnswersAreWhole } from './answers-are-whole.js'
import { DoneOnce } from './done-once.js'
import type { Invariant } from './invariant.js'
import { MeshRecovers } from './mesh-recovers.js'
import { NothingGrows } from './nothing-grows.js'
import { NothingUnexpected } from './nothing-unexpected.js'
import { PeersAreNoticed } from './peers-are-noticed.js'
import { RequestsEndOnce } from './requests-end-once.js'
import { SlotsReturn } from './slots-return.js'

/** Every invariant, for one run. A capability that is added to Starling adds its own. */
export function createInvariants(): Invariant[] {
  return [
    new RequestsEndOnce(),
    new AnswersAreWhole(),
    new SlotsReturn(),
    new AccountsLast(),
    new DoneOnce(),
    new NothingGrows(),
    new PeersAreNoticed(),
    new NothingUnexpected(),
    new MeshRecovers(),
  ]
}
