import NoiseSecretStream from '@hyperswarm/secret-stream'
import { Duplex } from 'streamx'
import type { KeyPair } from '../../../helpers/identity/key-pair.js'
import { newKeyPair } from './mesh-authority.js'

/** The most bytes of one read. A UDP packet has fewer; only a bound matters here. */
const PACKET_BYTES = 64 * 1024

/** One end of a duplex pipe in memory, in place of the UDP stream of a network connection. */
export class PipeEnd extends Duplex {
  bytesReceived = 0
  /** The address of the other end. */
  remoteHost = '127.0.0.1'
  remotePort = 1
  #other: PipeEnd | null = null
  #stalled = false
  #held: Buffer[] | null = null
  #onRead: (() => void) | null = null

  static pair(): [PipeEnd, PipeEnd] {
    const ends: [PipeEnd, PipeEnd] = [new PipeEnd(), new PipeEnd()]
    ends[0].#other = ends[1]
    ends[1].#other = ends[0]
    return ends
  }

  /** From now on drops everything that is written here, like a cut cable. */
  stall(): void {
    this.#stalled = true
  }

  /** From now on holds back what is written here. */
  hold(): void {
    this.#held = []
  }

  /** Delivers what was held back at once, as packets reach a process that was busy. */
  release(): void {
    for (const packet of this.#held ?? []) this.#other?.push(packet)
    this.#held = null
  }

  protected override _write(chunk: Uint8Array, done: (error: Error | null) => void): void {
    const other = this.#other
    if (this.#stalled || other === null || other.destroying) {
      done(null)
      return
    }
    other.bytesReceived += chunk.byteLength
    if (this.#held !== null) {
      this.#held.push(Buffer.from(chunk))
      done(null)
      return
    }
    let hasRoom = true
    for (let start = 0; start < chunk.byteLength; start += PACKET_BYTES) {
      // A copy: the secret stream decrypts in place.
      hasRoom = other.push(Buffer.from(chunk.subarray(start, start + PACKET_BYTES)))
    }
    if (hasRoom) done(null)
    else other.#onRead = () => done(null)
  }

  protected override _final(done: (error: Error | null) => void): void {
    if (!this.#stalled) this.#other?.push(null)
    done(null)
  }

  protected override _read(done: (error: Error | null) => void): void {
    this.#onRead?.()
    this.#onRead = null
    done(null)
  }

  protected override _predestroy(): void {
    this.#onRead?.()
    this.#onRead = null
    if (!this.#stalled) this.#other?.destroy()
  }
}

/** Two encrypted streams that are connected in memory. */
export interface PipedStreams {
  readonly initiator: NoiseSecretStream
  readonly responder: NoiseSecretStream
  readonly initiatorEnd: PipeEnd
  readonly responderEnd: PipeEnd
}

/** A new pair; await the `opened` of both ends before use, as with a connection. */
export function pipeStreams(
  keyPairs: { initiator?: KeyPair; responder?: KeyPair; fromPort?: number } = {},
): PipedStreams {
  const [initiatorEnd, responderEnd] = PipeEnd.pair()
  responderEnd.remotePort = keyPairs.fromPort ?? 1
  const streams = {
    initiator: new NoiseSecretStream(true, initiatorEnd, {
      keyPair: keyPairs.initiator ?? newKeyPair(),
    }),
    responder: new NoiseSecretStream(false, responderEnd, {
      keyPair: keyPairs.responder ?? newKeyPair(),
    }),
    initiatorEnd,
    responderEnd,
  }
  streams.initiator.on('error', ignore)
  streams.responder.on('error', ignore)
  return streams
}

/** A new pair that has finished its handshake. */
export async function pipeOpenStreams(
  keyPairs: { initiator?: KeyPair; responder?: KeyPair } = {},
): Promise<PipedStreams> {
  const streams = pipeStreams(keyPairs)
  await Promise.all([streams.initiator.opened, streams.responder.opened])
  return streams
}

/** Tests observe the close; an unhandled error would end the process. */
function ignore(): void {}
