import { setMaxListeners } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { isStarlingError } from '../../../helpers/errors/starling-error.js'
import type { Target } from '../attacker-messages.js'
import { type Member, openRegisteredMember } from '../member.js'

/** An attack as its own process runs it. */
export interface Attacker {
  /** Resolves when the attack is under way. */
  start(): Promise<void>
  /** Resolves when it is over. */
  stop(): Promise<void>
  /** What it has counted so far: `asked`. */
  figures(): Record<string, number>
}

/** Prepares an attack on a mesh. */
export type AttackerFactory = (target: Target) => Promise<Attacker>

/** Counts what an attack does and what happens to it. */
export class Tally {
  readonly #counts: Record<string, number> = {}

  add(name: string, times = 1): void {
    this.#counts[name] = (this.#counts[name] ?? 0) + times
  }

  get counts(): Record<string, number> {
    return { ...this.#counts }
  }
}

/** The name under which a failure is counted: its code. */
export function failureName(error: unknown): string {
  return isStarlingError(error) ? error.code : 'failed'
}

/**
 * An attack that repeats a step, several at once, as fast as it is let.
 *
 * @param options.step one step; a failure is counted by its code
 * @param options.pauseMs after each step, and at least 5 ms after each that failed
 * @param options.leadMs how long the attack runs before it counts as under way
 */
export function repeated(options: {
  atOnce: number
  step: (signal: AbortSignal, index: number) => Promise<void>
  tally: Tally
  pauseMs?: number
  leadMs?: number
}): Attacker {
  const { atOnce, step, tally, pauseMs = 0, leadMs = 500 } = options
  let running: { end: AbortController; loops: Promise<unknown> } | undefined
  const loop = async (signal: AbortSignal, index: number) => {
    while (!signal.aborted) {
      tally.add('attempts')
      let waitMs = pauseMs
      try {
        await step(signal, index)
        tally.add('succeeded')
      } catch (error) {
        if (signal.aborted) return
        tally.add(failureName(error))
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
    figures: () => tally.counts,
  }
}

/**
 * An attack by a member who has just registered, another one for each time that it is started: what the
 * limits of one user allow is allowed again.
 */
export function byNewMember(
  target: Target,
  tally: Tally,
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
    figures: () => tally.counts,
  }
}
