import { setMaxListeners } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { isStarlingError } from '../../../helpers/errors/starling-error.js'
import type { Target } from '../attacker-messages.js'
import { type Member, openRegisteredMember } from '../member.js'

/** An attack in the attacker process. */
export interface Attacker {
  /** Starts the attack. Resolves when it is in progress. */
  start(): Promise<void>
  /** Stops the attack. Resolves when it has ended. */
  stop(): Promise<void>
  /** What it has counted so far, by name: `attempts`. */
  counts(): Record<string, number>
}

/** Prepares an attack on a mesh. */
export type AttackerFactory = (target: Target) => Promise<Attacker>

/** Counts what an attack does and what happens to it. */
export class Counters {
  readonly #counts: Record<string, number> = {}

  add(name: string, times = 1): void {
    this.#counts[name] = (this.#counts[name] ?? 0) + times
  }

  get values(): Record<string, number> {
    return { ...this.#counts }
  }
}

/** The name under which a failure is counted: its error code. */
export function failureName(error: unknown): string {
  return isStarlingError(error) ? error.code : 'failed'
}

/**
 * An attack that repeats a step in several parallel loops, as fast as possible.
 *
 * @param options.atOnce the number of loops
 * @param options.step one step of the loop `index`. Failures are counted by their error code
 * @param options.pauseMs the pause after each step. After a failure it is at least 5 ms. Default: 0
 * @param options.leadMs how long the attack runs before `start` resolves. Default: 500
 */
export function repeated(options: {
  atOnce: number
  step: (signal: AbortSignal, index: number) => Promise<void>
  counters: Counters
  pauseMs?: number
  leadMs?: number
}): Attacker {
  const { atOnce, step, counters, pauseMs = 0, leadMs = 500 } = options
  let running: { end: AbortController; loops: Promise<unknown> } | undefined
  const loop = async (signal: AbortSignal, index: number) => {
    while (!signal.aborted) {
      counters.add('attempts')
      let waitMs = pauseMs
      try {
        await step(signal, index)
        counters.add('succeeded')
      } catch (error) {
        if (signal.aborted) return
        counters.add(failureName(error))
        waitMs = Math.max(5, pauseMs)
      }
      if (waitMs > 0) await sleep(waitMs)
    }
  }
  return {
    async start() {
      const end = new AbortController()
      setMaxListeners(0, end.signal)
      const loops = Array.from({ length: atOnce }, (_, index) => loop(end.signal, index))
      running = { end, loops: Promise.all(loops) }
      await sleep(leadMs)
    },
    async stop() {
      running?.end.abort(new Error('The attack is over'))
      await running?.loops
      running = undefined
    },
    counts: () => counters.values,
  }
}

/**
 * An attack by a member with a new account. Each start registers another one, so that the limits of a user start
 * afresh.
 */
export function byNewMember(
  target: Target,
  counters: Counters,
  attackOf: (member: Member) => Attacker,
): Attacker {
  let running: { member: Member; attack: Attacker } | undefined
  return {
    async start() {
      const member = await openRegisteredMember(target)
      const attack = attackOf(member)
      running = { member, attack }
      await attack.start()
    },
    async stop() {
      await running?.attack.stop()
      await running?.member.close()
      running = undefined
    },
    counts: () => counters.values,
  }
}
