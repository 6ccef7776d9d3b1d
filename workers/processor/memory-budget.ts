import ReadyResource from 'ready-resource'
import {
  type MemoryUse,
  type MemoryVerdict,
  memoryVerdict,
} from '../../helpers/limits/budget-shares.js'

/** Used of the available memory if no amount is configured. The rest is for the system and other programs. */
const SHARE = 0.8

/**
 * How much memory the loaded models of all processors of a home may use together, in bytes.
 *
 * @param memoryMebibytes as configured; `auto`: four fifths of what is available now
 * @param availableBytes default: as the system reports it
 */
export function memoryBudgetBytes(
  memoryMebibytes: number | 'auto',
  availableBytes: number = process.availableMemory(),
): number {
  return memoryMebibytes === 'auto' ? Math.floor(availableBytes * SHARE) : memoryMebibytes * 2 ** 20
}

/** How much of a machine the models of a processor may use. Emits `change` when a share changes. */
export interface ProcessorBudget {
  /** Of all processors that share it. */
  readonly totalBytes: number
  /** The most that several models of this processor may use together. */
  readonly shareBytes: number
  /** The most threads that its models may compute with; null: no limit. */
  readonly threads: number | null
  /** Whether a use would be granted, given the known uses of the others. */
  verdict(use: MemoryUse): MemoryVerdict
  /** Replaces the previous use, if the new one is granted. */
  take(use: MemoryUse): Promise<MemoryVerdict>
  /** Replaces the previous use by a smaller one. */
  give(use: MemoryUse): Promise<void>
  /** Resolves when the uses of the others have been read again, or the budget is closed. */
  looked(): Promise<void>
  on(event: 'change', listener: () => void): unknown
}

/** The budget of a processor that shares it with no other. */
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
    // No other processor depends on it.
  }

  async looked(): Promise<void> {
    // There are no others.
  }
}
