/** The types of two small packages that ship none: ready-resource 1.2 and safety-catch 1.0. */

declare module 'ready-resource' {
  import type { EventEmitter } from 'node:events'

  /** Something that is opened and closed once, however often it is asked to. */
  export default class ReadyResource extends EventEmitter {
    readonly opened: boolean
    /** Set as soon as closing has begun. */
    readonly closing: Promise<void> | null
    readonly closed: boolean
    ready(): Promise<void>
    close(): Promise<void>
    protected _open(): Promise<void>
    protected _close(): Promise<void>
  }
}

declare module 'safety-catch' {
  /** Swallows an operational error; throws a programming error again, outside of any promise. */
  export default function safetyCatch(error: unknown): void
}
