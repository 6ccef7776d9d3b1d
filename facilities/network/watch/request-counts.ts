import type { ErrorCode } from '../../../helpers/errors/error-codes.js'
import type { EndedRequest, RequestObserver } from './request-observer.js'

/** Requests of one kind. */
export interface Workload {
  /** Ended since the worker started, with or without an error. */
  readonly answered: number
  /** In progress. */
  readonly underWay: number
}

/** Counts what a worker answers. */
export class RequestCounts implements RequestObserver {
  readonly #workload = {
    unary: { answered: 0, underWay: 0 },
    stream: { answered: 0, underWay: 0 },
  }
  readonly #failures = new Map<ErrorCode, number>()

  get calls(): Workload {
    return { ...this.#workload.unary }
  }

  get streams(): Workload {
    return { ...this.#workload.stream }
  }

  /** How often each error code was answered. */
  get failures(): Record<string, number> {
    return Object.fromEntries(this.#failures)
  }

  onRequestBegun(kind: EndedRequest['kind']): void {
    this.#workload[kind].underWay += 1
  }

  onRequestEnded({ kind, code }: EndedRequest): void {
    this.#workload[kind].underWay -= 1
    this.#workload[kind].answered += 1
    if (code !== 'OK') this.#failures.set(code, (this.#failures.get(code) ?? 0) + 1)
  }
}
