import test from 'brittle'
import { EngineLifecycle } from '../../../../../facilities/engine/remote/engine-lifecycle.js'
import { StarlingError } from '../../../../../helpers/errors/starling-error.js'
import { codeOf, FOREVER } from '../../../../helpers/engine/compliance/subject.js'
import { settle } from '../../../../helpers/until.js'

/** A life whose model is found when the test says so. */
function scene() {
  const reads: {
    resolve: (model: string) => void
    reject: (error: Error) => void
    signal: AbortSignal
  }[] = []
  let ends = 0
  const life = new EngineLifecycle<string>({
    read: (signal) =>
      new Promise((resolve, reject) => {
        reads.push({ resolve, reject, signal })
      }),
    onEnd: () => {
      ends += 1
    },
  })
  return { life, reads, ends: () => ends }
}

test('should find out once what the model is when several ask', async (t) => {
  const { life, reads } = scene()
  const all = [life.load(), life.load(), life.run(FOREVER, async (model) => model)]
  await settle()
  t.is(reads.length, 1)
  reads[0]?.resolve('tiny')
  t.alike(await Promise.all(all), [undefined, undefined, 'tiny'])
  t.is(life.model, 'tiny')
  await life.load()
  t.is(reads.length, 1)
})

test('should try again when finding out failed', async (t) => {
  const { life, reads } = scene()
  const first = codeOf(life.load())
  await settle()
  reads[0]?.reject(new StarlingError('ENGINE_UNREACHABLE', 'nobody there'))
  t.is(await first, 'ENGINE_UNREACHABLE')
  const second = life.load()
  await settle()
  reads[1]?.resolve('tiny')
  await second
  t.is(life.model, 'tiny')
})

test('should end the wait of one who gives up, and not the load', async (t) => {
  const { life, reads } = scene()
  const impatient = new AbortController()
  const load = codeOf(life.load(impatient.signal))
  await settle()
  impatient.abort()
  t.is(await load, 'CANCELLED')
  t.absent(reads[0]?.signal.aborted)
})

test('should end everything when it is unloaded or disposed of', async (t) => {
  const { life, reads, ends } = scene()
  const loading = codeOf(life.load())
  await settle()
  await life.unload()
  t.is(await loading, 'DRAINING')
  t.ok(reads[0]?.signal.aborted)

  const again = life.load()
  await settle()
  reads[1]?.resolve('tiny')
  await again
  const seen: AbortSignal[] = []
  const work = codeOf(
    life.run(FOREVER, async (_, ending) => {
      seen.push(ending)
      await new Promise(() => {})
    }),
  )
  await settle()
  await life.dispose()
  t.is(await work, 'ENGINE_DISPOSED')
  t.is(Object(seen[0]?.reason).code, 'ENGINE_DISPOSED')
  t.is(await codeOf(life.load()), 'ENGINE_DISPOSED')
  t.is(ends(), 2)
  t.is(life.model, 'tiny', 'what it was is still known')
})

test('should keep no listener of a signal when the work is done', async (t) => {
  const { life, reads } = scene()
  const load = life.load()
  await settle()
  reads[0]?.resolve('tiny')
  await load
  let listeners = 0
  const signal = new AbortController().signal
  const { addEventListener, removeEventListener } = signal
  signal.addEventListener = (...args: Parameters<typeof addEventListener>) => {
    listeners += 1
    addEventListener.apply(signal, args)
  }
  signal.removeEventListener = (...args: Parameters<typeof removeEventListener>) => {
    listeners -= 1
    removeEventListener.apply(signal, args)
  }
  await life.run(signal, async () => undefined)
  t.is(listeners, 0)
})
