import type { RecordEvent, Revision } from '../../helpers/store/record.js'
import { unlessAborted } from '../clock/bounded-wait.js'
import type { NewsPage } from './records-core.js'

/** Wakes those who wait for something to happen. */
export class Notice {
  #next: Promise<void> | null = null
  #wake: () => void = () => undefined

  /** Resolves at the next call of `notify`. */
  next(): Promise<void> {
    this.#next ??= new Promise((resolve) => {
      this.#wake = resolve
    })
    return this.#next
  }

  notify(): void {
    this.#next = null
    this.#wake()
  }
}

/**
 * All events after a revision, and then further ones: see `Records.follow`.
 *
 * @param parts.read the first events after a revision
 * @param parts.notice notified when there may be more
 */
export async function* followRecords(parts: {
  readonly since: Revision
  readonly signal: AbortSignal
  readonly read: (since: Revision) => Promise<NewsPage>
  readonly notice: Notice
}): AsyncGenerator<RecordEvent> {
  const { signal, notice } = parts
  let since = parts.since
  while (!signal.aborted) {
    // Before reading: otherwise what happens in between would not be noticed.
    const more = notice.next()
    const { events, at } = await parts.read(since)
    yield* events
    if (at === null) {
      yield { kind: 'cut' }
      return
    }
    since = at
    if (events.length === 0) await unlessAborted(more, signal).catch(() => undefined)
  }
}
