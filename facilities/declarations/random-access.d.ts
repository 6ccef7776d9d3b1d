/** The part of random-access-storage 3 that Starling uses; the package ships no types. */
declare module 'random-access-storage' {
  /** One file: bytes at positions. Opened by the first operation, made by the first write. */
  export default class RandomAccessStorage {
    /** Fails when not all of them are there. */
    read(offset: number, sizeBytes: number, callback: Callback<Buffer>): void
    write(offset: number, bytes: Uint8Array, callback: Callback<void>): void
    truncate(sizeBytes: number, callback: Callback<void>): void
    close(callback: Callback<void>): void
  }

  type Callback<Result> = (error: Error | null, result: Result) => void
}

/** The part of random-access-file 4 that Starling uses; the package ships no types. */
declare module 'random-access-file' {
  import type RandomAccessStorage from 'random-access-storage'

  class RandomAccessFile extends RandomAccessStorage {
    constructor(path: string)
    readonly filename: string
    /** The descriptor of the open file; 0 while it is not open. */
    readonly fd: number
    /** Called before the first operation. */
    protected _open(request: RandomAccessFile.OpenRequest): void
  }

  namespace RandomAccessFile {
    interface OpenRequest {
      readonly callback: (error: unknown) => void
    }
  }

  export default RandomAccessFile
}
