import test from 'brittle'
import fc from 'fast-check'
import { SlotQueue } from '../../../../helpers/limits/slot-queue.js'
import { ensure, holds } from '../../../helpers/property.js'
import { settle } from '../../../helpers/until.js'

/** What may happen to a queue: somebody comes, the one that runs longest ends, somebody gives up. */
const happenings = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: fc.constant({ kind: 'come' as const }) },
    { weight: 2, arbitrary: fc.constant({ kind: 'end' as const }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('leave' as const), who: fc.nat(9) }) },
  ),
  { maxLength: 40 },
)

test('should let in exactly as many as a plain list would, in their order, whatever happens', async (t) => {
  await holds(
    t,
    fc.asyncProperty(
      happenings,
      fc.integer({ min: 1, max: 4 }),
      fc.integer({ min: 0, max: 4 }),
      async (all, slots, maxWaiting) => {
        const queue = new SlotQueue({ slots, maxWaiting })
        const releases = new Map<number, () => void>()
        const leaving = new Map<number, AbortController>()
        // The model: who runs and who waits, by their numbers.
        let running: number[] = []
        let waiting: number[] = []
        let next = 0
        for (const happening of all) {
          if (happening.kind === 'come') {
            const who = next++
            const controller = new AbortController()
            const isRefused = running.length >= slots && waiting.length >= maxWaiting
            let refused = false
            queue.acquire({ signal: controller.signal }).then(
              (release) => releases.set(who, release),
              () => {
                refused = true
              },
            )
            await settle(1)
            ensure(refused === isRefused, 'refused exactly when it is full')
            if (isRefused) continue
            leaving.set(who, controller)
            if (running.length < slots) running.push(who)
            else waiting.push(who)
          } else if (happening.kind === 'end') {
            const [first] = running
            if (first === undefined) continue
            releases.get(first)?.()
            running = running.slice(1)
            const [following] = waiting
            if (following !== undefined) running.push(following)
            waiting = waiting.slice(1)
            await settle(1)
          } else {
            const who = waiting[happening.who % Math.max(1, waiting.length)]
            if (who === undefined) continue
            leaving.get(who)?.abort(new Error('gave up'))
            waiting = waiting.filter((other) => other !== who)
            await settle(1)
          }
          ensure(queue.running === running.length, 'as many run')
          ensure(queue.waiting === waiting.length, 'as many wait')
          ensure(
            running.every((who) => releases.has(who)),
            'those run that came first',
          )
        }
      },
    ),
    200,
  )
})
