import type { Fork } from '../../../facilities/process/child-process.js'
import { until } from '../until.js'
import { ChildStandIn } from './child-stand-in.js'

/** Replaces `fork` and records the child processes that it started. */
export class ChildrenStandIn {
  readonly started: ChildStandIn[] = []

  readonly fork: Fork = (...how) => {
    const child = new ChildStandIn()
    this.started.push(child)
    return child.fork(...how)
  }

  /** The `count`-th child, as soon as it is started. @param count from 1 */
  async child(count: number): Promise<ChildStandIn> {
    return await until(`child ${count}`, () => this.started[count - 1])
  }
}
