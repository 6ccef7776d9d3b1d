/** The part of random-access-memory 6 that the tests use; the package ships no types. */
declare module 'random-access-memory' {
  import type RandomAccessStorage from 'random-access-storage'

  export default class RandomAccessMemory extends RandomAccessStorage {
    readonly length: number
    toBuffer(): Buffer
  }
}
