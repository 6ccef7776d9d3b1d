import type { ReaderPatience, SendCredit } from '../../../helpers/limits/credit.js'
import { type AnyChunkCodec, EncodedChunk } from '../../../helpers/protocol/chunk-codec.js'
import { PROTOCOL_LIMITS } from '../../../helpers/protocol/limits.js'
import type { Clock, Timer } from '../../clock/clock.js'

/** Leaves room in a message for what it has besides its chunks. */
const MOST_GATHERED_BYTES = PROTOCOL_LIMITS.streamChunkBytes - 1024

/** Timers are not finer. Chunks that were gathered elsewhere for as long may come a little early. */
const SHORTEST_WAIT_MS = 1

/** What a {@link ChunkSender} depends on. */
export interface ChunkSenderOptions {
  readonly clock: Clock
  readonly codec: AnyChunkCodec
  readonly credit: SendCredit
  /** How long chunks may wait to be sent together, in milliseconds; 0: not at all. */
  readonly gatherMs: number
  /** How long the reader may keep the sender waiting, and the error after that. Left out: for any time. */
  readonly stall?: { readonly patience: ReaderPatience; error(): Error }
  /** Writes a message of `chunks` chunks. */
  write(message: Uint8Array, chunks: number): void
  /** Chunks that were gathered could not be encoded. */
  onFailed(error: unknown): void
}

/** A wait for credit. */
interface CreditWait {
  /** When it began, or when the last grant came, in monotonic milliseconds. */
  since: number
  timer: Timer | undefined
  end(error?: Error): void
}

/**
 * The sending end of the chunks of a stream, in one direction: requests chunks from their source as long as there is
 * credit for them, gathers those that follow each other closely, and writes them.
 *
 * The first chunk is written at once. A later one leaves at the end of the tick in which it became ready, together
 * with the others of that tick; if the last message is younger than `gatherMs`, it waits for at most the rest of that
 * time. Nothing waits when there is no credit for a further chunk, and nothing is requested without credit. Messages
 * that are passed on as they came ({@link EncodedChunk}) are not gathered again.
 */
export class ChunkSender {
  readonly #options: ChunkSenderOptions
  #gathered: unknown[] = []
  #gatheredBytes = 0
  /** When the last message was written, in monotonic milliseconds; undefined before the first one. */
  #writtenAt: number | undefined
  #isFlushDue = false
  #flushTimer: Timer | undefined
  #waiting: CreditWait | undefined
  #isStopped = false

  constructor(options: ChunkSenderOptions) {
    this.#options = options
  }

  /**
   * Sends everything that the source yields. The source is not closed.
   *
   * @returns what the source returned, when all chunks are written; undefined if the sender was stopped
   * @throws what the source throws, after the chunks before it were written; the error of a stalled reader; what the codec
   *   throws
   */
  async sendAll<End>(source: AsyncIterator<unknown, End, void>): Promise<End | undefined> {
    try {
      for (;;) {
        if (!this.#hasRoom) await this.#makeRoom()
        if (this.#isStopped) return undefined
        const step = await source.next()
        if (this.#isStopped) return undefined
        if (step.done) return step.value
        this.#take(step.value)
      }
    } finally {
      this.#flush()
    }
  }

  /** Takes the credit that the reader granted. @throws StarlingError PROTOCOL_VIOLATION */
  grant(chunks: number): void {
    const { clock, credit, stall } = this.#options
    credit.grant(chunks)
    const waiting = this.#waiting
    stall?.patience.granted(chunks, waiting === undefined ? 0 : clock.monotonic() - waiting.since)
    if (waiting === undefined) return
    if (credit.available > 0) waiting.end()
    else this.#watch(waiting)
  }

  /** Writes nothing any more. What was gathered is dropped. */
  stop(): void {
    this.#isStopped = true
    this.#gathered = []
    this.#flushTimer?.cancel()
    this.#waiting?.end()
  }

  /** Whether there is credit for one chunk more than those that are gathered. */
  get #hasRoom(): boolean {
    return this.#options.credit.available > this.#gathered.length
  }

  async #makeRoom(): Promise<void> {
    this.#flush()
    if (this.#isStopped || this.#options.credit.available > 0) return
    await new Promise<void>((resolve, reject) => {
      const waiting: CreditWait = {
        since: 0,
        timer: undefined,
        end: (error) => {
          waiting.timer?.cancel()
          this.#waiting = undefined
          if (error === undefined) resolve()
          else reject(error)
        },
      }
      this.#waiting = waiting
      this.#watch(waiting)
    })
  }

  /** Ends a wait for credit with an error when the patience with the reader is at its end. */
  #watch(waiting: CreditWait): void {
    const { clock, stall } = this.#options
    waiting.since = clock.monotonic()
    waiting.timer?.cancel()
    if (stall === undefined) return
    waiting.timer = clock.schedule(stall.patience.leftMs, () => waiting.end(stall.error()))
  }

  #take(chunk: unknown): void {
    const { codec } = this.#options
    if (chunk instanceof EncodedChunk) {
      this.#flush()
      this.#write(chunk.bytes, chunk.start.count)
    } else if (codec.gathering === undefined) {
      this.#write(codec.encode([chunk]), 1)
    } else {
      const sizeBytes = codec.gathering.sizeBytes(chunk)
      if (this.#gatheredBytes + sizeBytes > MOST_GATHERED_BYTES) this.#flush()
      this.#gathered.push(chunk)
      this.#gatheredBytes += sizeBytes
      const isFull = this.#gathered.length === codec.gathering.mostChunks
      if (isFull || this.#writtenAt === undefined) this.#flush()
      else this.#flushSoon(this.#writtenAt)
    }
  }

  #flushSoon(writtenAt: number): void {
    if (this.#isFlushDue) return
    this.#isFlushDue = true
    const { clock, gatherMs } = this.#options
    const waitMs = writtenAt + gatherMs - clock.monotonic()
    const flush = () => {
      try {
        this.#flush()
      } catch (error) {
        this.#options.onFailed(error)
      }
    }
    if (waitMs >= SHORTEST_WAIT_MS) this.#flushTimer = clock.schedule(waitMs, flush)
    // Called from a microtask, nextTick runs when the whole microtask queue is empty.
    else process.nextTick(flush)
  }

  #flush(): void {
    this.#isFlushDue = false
    this.#flushTimer?.cancel()
    if (this.#gathered.length === 0) return
    const chunks = this.#gathered
    this.#gathered = []
    this.#gatheredBytes = 0
    this.#write(this.#options.codec.encode(chunks), chunks.length)
  }

  #write(message: Uint8Array, chunks: number): void {
    const { clock, credit, write } = this.#options
    credit.spend(chunks)
    this.#writtenAt = clock.monotonic()
    write(message, chunks)
  }
}
