import test from 'brittle'
import {
  TimeLimitPassed,
  withinTime,
} from '../../../../../../../facilities/engine/llama/child/model/time-limit.js'

/** What an action throws. */
function thrownBy(action: () => unknown): unknown {
  try {
    action()
    return null
  } catch (error) {
    return error
  }
}

test('should give what the work gives, or throw what it throws', (t) => {
  t.is(
    withinTime(1_000, () => 7),
    7,
  )
  t.is(
    withinTime(1_000, () => undefined),
    undefined,
  )
  const error = new Error('mine')
  const thrown = thrownBy(() =>
    withinTime(1_000, () => {
      throw error
    }),
  )
  t.is(thrown, error)
})

test('should end work that does not terminate, also when it catches every error', (t) => {
  const endless = [
    () => {
      for (;;);
    },
    () => {
      for (;;) {
        try {
          for (;;);
        } catch {
          // Goes on.
        }
      }
    },
    () => /^(a+)+$/.test(`${'a'.repeat(40)}b`),
  ]
  for (const work of endless) {
    t.ok(thrownBy(() => withinTime(10, work)) instanceof TimeLimitPassed)
  }
  t.is(
    withinTime(1_000, () => 'on'),
    'on',
  )
})
