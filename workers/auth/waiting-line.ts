import { StarlingError } from '../../helpers/errors/starling-error.js'
import { FairQueue, type OwnerPath } from '../../helpers/limits/fair-queue.js'

/** Logins that may start one after the other while a registration waits. */
export const LOGINS_PER_REGISTRATION = 8

/** The kind of an action. Logins come first. */
export type TurnKind = 'login' | 'registration'

/** A caller that waits for a turn. */
export interface Turn {
  readonly kind: TurnKind
  /** The owner of the turn: the calling gateway and the client that it calls for. */
  readonly asker: OwnerPath
  /** Leaves the line when aborted, with its reason; an action that runs is not stopped. */
  readonly signal?: AbortSignal | undefined
}

/** The limits of a {@link WaitingLine}. */
export interface WaitingLineOptions {
  /** Actions that run at once. */
  readonly concurrent: number
  /** Callers that may wait, of each kind. */
  readonly places: number
  /** Callers that may wait of one asker, of each kind. */
  readonly placesPerAsker: number
  /** How long an action takes, for computing `retryAfterMs`. */
  readonly typicalMs: number
}

interface Waiter {
  readonly turn: Turn
  readonly admit: () => void
  readonly refuse: (error: unknown) => void
}

/**
 * Runs a limited number of actions at once and lets a limited number wait. Askers take turns: gateways
 * among each other, and the clients of each. Logins come before registrations: registrations leave one
 * of the places to run free for logins where there are several, and start while logins wait only once
 * for every {@link LOGINS_PER_REGISTRATION} of them. A full line drops the newest caller of the asker
 * with the most.
 */
export class WaitingLine {
  readonly #options: WaitingLineOptions
  readonly #maxRegistrations: number
  readonly #waiting = { login: new FairQueue<Waiter>(), registration: new FairQueue<Waiter>() }
  readonly #running = { login: 0, registration: 0 }
  /** Logins that started since a registration last did, or had nothing to wait for. */
  #loginsAhead = 0

  constructor(options: WaitingLineOptions) {
    this.#options = options
    this.#maxRegistrations = Math.max(1, options.concurrent - 1)
  }

  /** Actions that run now. */
  get running(): number {
    return this.#running.login + this.#running.registration
  }

  /** Callers that wait now. */
  get waiting(): number {
    return this.#waiting.login.size + this.#waiting.registration.size
  }

  /**
   * The action's outcome, once it was its turn.
   *
   * @throws StarlingError OVERLOADED with `retryAfterMs` when the line is full, also after having
   *   waited; or the signal's reason
   */
  async run<T>(action: () => Promise<T>, turn: Turn): Promise<T> {
    turn.signal?.throwIfAborted()
    const { kind } = turn
    if (this.#waiting[kind].size === 0 && this.#mayStart(kind)) this.#enter(kind)
    else await this.#turn(turn)
    try {
      return await action()
    } finally {
      this.#running[kind] -= 1
      this.#startWaiting()
    }
  }

  #mayStart(kind: TurnKind): boolean {
    if (this.running >= this.#options.concurrent) return false
    return kind === 'login' || this.#running.registration < this.#maxRegistrations
  }

  #enter(kind: TurnKind): void {
    this.#running[kind] += 1
    if (kind === 'registration' || this.#waiting.registration.size === 0) this.#loginsAhead = 0
    else this.#loginsAhead += 1
  }

  #turn(turn: Turn): Promise<void> {
    const line = this.#waiting[turn.kind]
    const { placesPerAsker, places } = this.#options
    if (line.sizeOf(turn.asker) >= placesPerAsker) throw this.#full(turn.kind)
    return new Promise((resolve, reject) => {
      const leave = () => turn.signal?.removeEventListener('abort', onAbort)
      const waiter: Waiter = {
        turn,
        admit: () => {
          leave()
          resolve()
        },
        refuse: (error) => {
          leave()
          reject(error)
        },
      }
      const onAbort = () => {
        line.remove(turn.asker, waiter)
        reject(turn.signal?.reason)
      }
      turn.signal?.addEventListener('abort', onAbort, { once: true })
      line.push(turn.asker, waiter)
      if (line.size > places) line.evict()?.refuse(this.#full(turn.kind))
    })
  }

  #full(kind: TurnKind): StarlingError {
    const { concurrent, typicalMs } = this.#options
    const { size } = this.#waiting[kind]
    return new StarlingError('OVERLOADED', `${size} others wait already`, {
      retryAfterMs: Math.ceil((size / concurrent) * typicalMs),
    })
  }

  /** Starts the next callers synchronously, so that no new caller gets ahead of them. */
  #startWaiting(): void {
    for (;;) {
      const kind = this.#nextKind()
      if (kind === undefined) return
      this.#enter(kind)
      this.#waiting[kind].shift()?.admit()
    }
  }

  #nextKind(): TurnKind | undefined {
    const may = (kind: TurnKind) => this.#waiting[kind].size > 0 && this.#mayStart(kind)
    if (may('registration') && this.#loginsAhead >= LOGINS_PER_REGISTRATION) return 'registration'
    if (may('login')) return 'login'
    return may('registration') ? 'registration' : undefined
  }
}
