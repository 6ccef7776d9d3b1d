/** What the tests use of @hyperswarm/secret-stream 6.9. */
declare module '@hyperswarm/secret-stream' {
  import type { EventEmitter } from 'node:events'
  import type HyperDHT from 'hyperdht'

  interface NoiseSecretStream extends HyperDHT.SecretStream {
    write(bytes: Uint8Array): boolean
    pause(): void
    resume(): void
  }

  class NoiseSecretStream {
    constructor(
      isInitiator: boolean,
      rawStream: EventEmitter,
      options: { keyPair: HyperDHT.KeyPair },
    )
  }

  export default NoiseSecretStream
}
