import { availableParallelism } from 'node:os'
import ReadyResource from 'ready-resource'
import { z } from 'zod'
import type { Clock, Timer } from '../../facilities/clock/clock.js'
import { repeat } from '../../facilities/clock/repeat.js'
import { ProcessRegistry } from '../../facilities/home/process-registry.js'
import type { WorkerHost } from '../../facilities/worker/worker-host.js'
import {
  type MemoryUse,
  type MemoryVerdict,
  memoryShare,
  memoryVerdict,
  threadShare,
} from '../../helpers/limits/budget-shares.js'
import { memoryBudgetBytes, type ProcessorBudget, SoleBudget } from './memory-budget.js'

/** How soon a processor notices that another one of its home has started or ended. */
const LOOK_INTERVAL_MS = 2_000

const bytesSchema = z.number().int().nonnegative()

const entrySchema = z.strictObject({
  version: z.literal(1),
  /** The budget of all processors. */
  totalBytes: bytesSchema,
  /** Whether `totalBytes` was measured. Processors that start later adopt it then. */
  isMeasured: z.boolean(),
  takenBytes: bytesSchema,
  largestBytes: bytesSchema,
})

/** What a processor reports to the others of its home. */
export type ProcessorEntry = z.infer<typeof entrySchema>

const NOTHING_TAKEN: ProcessorEntry = {
  version: 1,
  totalBytes: 0,
  isMeasured: false,
  takenBytes: 0,
  largestBytes: 0,
}

type Others = ReadonlyMap<string, ProcessorEntry | undefined>

/** The ledger of the processors of a home. */
export type ProcessorLedger = Pick<
  ProcessRegistry<typeof entrySchema>,
  'name' | 'ready' | 'update' | 'close'
>

/** How much of a machine the processors of a home may use. Comes from the configuration. */
export interface BudgetSettings {
  readonly engines: readonly string[]
  readonly memoryMebibytes: number | 'auto'
  readonly threads: number | 'auto'
}

/** The parts of a {@link SharedBudget}. */
export interface SharedBudgetOptions {
  readonly settings: Pick<BudgetSettings, 'memoryMebibytes' | 'threads'>
  /** The budget opens and closes it. */
  readonly ledger: ProcessorLedger
  readonly clock: Clock
  /** Called when the entries of the others could not be read. It is tried again. */
  readonly onFailure: (error: unknown) => void
  /** Default: as the system reports it. */
  readonly availableBytes?: () => number
  /** Default: as the system reports it. */
  readonly availableThreads?: () => number
}

/**
 * The budget of a processor. It is shared if the processor runs llama.cpp, and not only uses servers.
 *
 * @throws StarlingError HOME_UNUSABLE
 */
export async function createBudget(
  settings: BudgetSettings,
  host: Pick<WorkerHost, 'home' | 'clock' | 'log'> & {
    readonly identity: { readonly name: string }
  },
): Promise<SharedBudget | SoleBudget> {
  if (!settings.engines.includes('llama')) {
    return new SoleBudget(memoryBudgetBytes(settings.memoryMebibytes))
  }
  const budget = new SharedBudget({
    settings,
    ledger: new ProcessRegistry({
      folder: await host.home.folder('shares'),
      name: host.identity.name,
      schema: entrySchema,
      clock: host.clock,
    }),
    clock: host.clock,
    onFailure: (err) => host.log.warn({ err }, 'cannot read the shares of the other processors'),
  })
  budget.on('change', () => {
    const { shareBytes, totalBytes, threads } = budget
    host.log.info({ shareBytes, totalBytes, threads }, 'share of the machine')
  })
  return budget
}

/**
 * The share of one processor in the memory and threads that all processors of its home share: see
 * {@link memoryVerdict} and {@link threadShare}. Shares change within two seconds after another processor
 * has started or ended, also if that crashed.
 */
export class SharedBudget extends ReadyResource implements ProcessorBudget {
  readonly #options: SharedBudgetOptions
  readonly #ledger: ProcessorLedger
  readonly #threads: number
  #entry: ProcessorEntry = NOTHING_TAKEN
  #othersUses: readonly MemoryUse[] = []
  #shares = { bytes: 0, threads: 1 }
  #timer: Timer | null = null
  #waiting: (() => void)[] = []

  constructor(options: SharedBudgetOptions) {
    super()
    const { settings, availableThreads = availableParallelism } = options
    this.#options = options
    this.#ledger = options.ledger
    this.#threads = settings.threads === 'auto' ? availableThreads() : settings.threads
  }

  get totalBytes(): number {
    return this.#entry.totalBytes
  }

  get shareBytes(): number {
    return this.#shares.bytes
  }

  get threads(): number {
    return this.#shares.threads
  }

  verdict(use: MemoryUse): MemoryVerdict {
    return memoryVerdict(this.totalBytes, use, this.#othersUses)
  }

  /** @throws StarlingError as the ledger */
  async take(use: MemoryUse): Promise<MemoryVerdict> {
    let verdict: MemoryVerdict = 'insufficient'
    await this.#enter(() => {
      verdict = this.verdict(use)
      if (verdict === 'granted') this.#entry = { ...this.#entry, ...use }
    })
    return verdict
  }

  async give(use: MemoryUse): Promise<void> {
    this.#entry = { ...this.#entry, ...use }
    // If this fails, the next interval writes it.
    await this.#look()
  }

  async looked(): Promise<void> {
    if (this.closing !== null) return
    await new Promise<void>((resolve) => this.#waiting.push(resolve))
  }

  /** @throws StarlingError as the ledger */
  protected override async _open(): Promise<void> {
    await this.#ledger.ready()
    const { memoryMebibytes } = this.#options.settings
    await this.#enter((others) => {
      const isMeasured = memoryMebibytes === 'auto'
      this.#entry = { ...this.#entry, isMeasured, totalBytes: this.#measure(others) }
    })
    this.#timer = repeat(this.#options.clock, LOOK_INTERVAL_MS, async () => {
      await this.#look()
      this.#tellWaiting()
    })
  }

  protected override async _close(): Promise<void> {
    this.#timer?.cancel()
    this.#tellWaiting()
    await this.#ledger.close()
  }

  /** Not only what is free now, because the others may have loaded models already. */
  #measure(others: Others): number {
    const { settings, availableBytes } = this.#options
    const entries = [...others.values()].filter((entry) => entry !== undefined)
    const measured = entries.find(({ isMeasured }) => isMeasured)
    if (settings.memoryMebibytes === 'auto' && measured !== undefined) return measured.totalBytes
    const taken = entries.reduce((sum, { takenBytes }) => sum + takenBytes, 0)
    const free = memoryBudgetBytes(settings.memoryMebibytes, availableBytes?.())
    return settings.memoryMebibytes === 'auto' ? free + taken : free
  }

  async #look(): Promise<void> {
    try {
      await this.#enter(() => undefined)
    } catch (error) {
      if (this.closing === null) this.#options.onFailure(error)
    }
  }

  /** Writes the entry as it is after `decide`, and updates the shares. */
  async #enter(decide: (others: Others) => void): Promise<void> {
    const before = this.#shares
    await this.#ledger.update((others) => {
      // A processor whose entry cannot be read is counted as well.
      this.#othersUses = [...others.values()].map((entry) => entry ?? NOTHING_TAKEN)
      decide(others)
      const { name } = this.#ledger
      const names = [...others.keys(), name].sort()
      const place = names.indexOf(name)
      this.#shares = {
        bytes: memoryShare(this.totalBytes, names.length),
        threads: threadShare(this.#threads, names.length, place),
      }
      return this.#entry
    })
    const { bytes, threads } = this.#shares
    if (bytes !== before.bytes || threads !== before.threads) this.emit('change')
  }

  #tellWaiting(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const resolve of waiting) resolve()
  }
}
