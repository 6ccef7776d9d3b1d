import HyperDHT from 'hyperdht'
import { createSandbox, type SinonStubbedInstance } from 'sinon'

/** A DHT in memory that stores records for any writer and any reader. */
export class RecordDht {
  /** Everything that was stored, by the hexadecimal address; a test may change it. */
  readonly mutable = new Map<string, HyperDHT.MutableRecord>()
  readonly immutable = new Map<string, Uint8Array>()
  /** Whether it answers requests. */
  isSilent = false
  // A separate sandbox: the default one keeps every stub that was ever made.
  readonly #sandbox = createSandbox()

  /** Removes all records, like the restart of a DHT's only node. */
  restart(): void {
    this.mutable.clear()
    this.immutable.clear()
  }

  /** A DHT node of one process. */
  node(): SinonStubbedInstance<HyperDHT> {
    const dht = this.#sandbox.createStubInstance(HyperDHT)
    dht.mutableGet.callsFake(async (publicKey, { seq = 0 } = {}) => {
      await this.#answer()
      const record = this.mutable.get(hex(publicKey))
      return record === undefined || record.seq < seq ? null : record
    })
    dht.mutablePut.callsFake(async ({ publicKey }, value, { seq, signMutable }) => {
      await this.#answer()
      const stored = this.mutable.get(hex(publicKey))
      if (stored !== undefined && stored.seq >= seq) return
      this.mutable.set(hex(publicKey), { seq, value, signature: signMutable() })
    })
    dht.immutableGet.callsFake(async (hash) => {
      await this.#answer()
      const value = this.immutable.get(hex(hash))
      return value === undefined ? null : { value }
    })
    dht.immutablePut.callsFake(async (value) => {
      await this.#answer()
      this.immutable.set(hex(HyperDHT.hash(value)), value)
    })
    return dht
  }

  async #answer(): Promise<void> {
    if (this.isSilent) await new Promise(() => undefined)
  }
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}
