import ReadyResource from 'ready-resource'
import { type MemoryUse, type MemoryVerdict, memoryVerdict } from '../../helpers/budget-shares.js'

/** What is left to the system and to other programs when nobody says how much to take. */
const SHARE = 0.8

/**
 * How much memory the loaded models of a home's processors may take together, in bytes.
 *
 * @param memoryMebibytes as it was configured; `auto`: four fifths of what is available now
 * @param availableBytes default: what the system says
 */
export function memoryBudgetBytes(
  memoryMebibytes: number | 'auto',
  availableBytes: number = process.availableMemory(),
): number {
  return memoryMebibytes === 'auto' ? Math.floor(availableBytes * SHARE) : memoryMebibytes * 2 ** 20
}

/**
 * What the models of a processor may take of its machine. Emits `change` when its shares are others
 * than before.
 */
export interface ProcessorBudget {
  /** Of this processor and those that it shares with, together. */
  readonly totalBytes: number
  /** What several models of this processor may take together. */
  readonly shareBytes: number
  /** With how many threads its models may compute; null sets no limit. */
  readonly threads: number | null
  /** Whether memory would be granted, as far as is known of the others. */
  verdict(use: MemoryUse): MemoryVerdict
  /** Takes memory in the place of what was taken before, if that is granted. */
  take(use: MemoryUse): Promise<MemoryVerdict>
  /** Takes less than before. */
  give(use: MemoryUse): Promise<void>
  /** Resolves when it has been looked again what the others take, or the budget is closed. */
  looked(): Promise<void>
  on(event: 'change', listener: () => void): unknown
}

/** The budget of a processor that shares with nobody. */
export class SoleBudget extends ReadyResource implements ProcessorBudget {
  readonly totalBytes: number
  readonly threads = null

  constructor(totalBytes: number) {
    super()
    this.totalBytes = totalBytes
  }

  get shareBytes(): number {
    return this.totalBytes
  }

  verdict(use: MemoryUse): MemoryVerdict {
    return memoryVerdict(this.totalBytes, use, [])
  }

  async take(use: MemoryUse): Promise<MemoryVerdict> {
    return this.verdict(use)
  }

  async give(): Promise<void> {
    // Nobody else counts on it.
  }

  async looked(): Promise<void> {
    // There are no others.
  }
}
