/** What the tests use of streamx. */
declare module 'streamx' {
  import type { EventEmitter } from 'node:events'

  /** Other than Node's: hypercore-storage maps what it reads through the state of this one. */
  export class Readable {
    static from(items: readonly unknown[]): Readable
    [Symbol.asyncIterator](): AsyncIterator<unknown>
  }

  /** What the encrypted streams of the network stand on. */
  export class Duplex extends EventEmitter {
    readonly destroying: boolean
    readonly destroyed: boolean
    /** Not documented: `buffered` bytes were written and not taken yet. */
    readonly _writableState: { readonly buffered: number }
    /** @returns false when the reader has enough for now */
    push(chunk: Uint8Array | null): boolean
    write(chunk: Uint8Array): boolean
    pause(): void
    resume(): void
    end(): void
    destroy(error?: Error): void
    protected _open(done: (error: Error | null) => void): void
    protected _destroy(done: (error: Error | null) => void): void
    protected _write(chunk: Uint8Array, done: (error: Error | null) => void): void
    protected _final(done: (error: Error | null) => void): void
    protected _read(done: (error: Error | null) => void): void
    protected _predestroy(): void
  }
}
