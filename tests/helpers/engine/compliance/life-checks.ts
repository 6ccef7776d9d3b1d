import type { Engine } from '../../../../facilities/engine/engine.js'
import { answer, collect, generate } from '../tiny-llama.js'
import { type ComplianceSubject, codeOf, FOREVER, LONG, requestOf } from './subject.js'

/** Loading. The first test of a file loads the engine that the others share. */
export function loadChecks(subject: ComplianceSubject): void {
  const { expectations } = subject

  subject.test('should be one and the same when several load it at a time', async (t) => {
    const engine = await subject.shared()
    t.is(await codeOf((async () => engine.info())()), 'INTERNAL', 'nothing is known before')
    const impatient = new AbortController()
    const givenUp = codeOf(engine.load(impatient.signal))
    const loads = [engine.load(), engine.load(), engine.load()]
    const prepared = engine.prepare()
    impatient.abort()
    t.is(await givenUp, 'CANCELLED', 'who gives up leaves the load to the others')
    await Promise.all(loads)
    const info = engine.info()
    t.is(info.kind, expectations.kind)
    t.alike([...info.capabilities].sort(), [...expectations.capabilities].sort())
    t.is(info.reproducibility, expectations.reproducibility)
    t.ok(info.model !== '')
    t.ok(info.modelSha256 === null || /^[\da-f]{64}$/.test(info.modelSha256))
    t.ok(info.fingerprint === null || /^[\da-f]{64}$/.test(info.fingerprint))
    t.ok(Number.isInteger(info.contextTokens) && info.contextTokens > 0)
    t.ok(Number.isInteger(info.slots) && info.slots > 0)
    t.ok(Number.isInteger(info.memoryBytes) && info.memoryBytes >= 0)
    t.is(await prepared, info.memoryBytes)
    t.is(await engine.prepare(), info.memoryBytes, 'also when it is loaded')
    await engine.load()
    t.alike(engine.info(), info)
    t.is(await codeOf(engine.load(AbortSignal.abort())), 'CANCELLED')
  })

  subject.test('should load after it was prepared, and unloaded meanwhile', async (t) => {
    const engine = await subject.create(t)
    const memoryBytes = await engine.prepare()
    await engine.unload()
    await engine.load()
    t.is(engine.info().memoryBytes, memoryBytes)
  })

  subject.test('should end the load when it is disposed of while it loads', async (t) => {
    const engine = await subject.create(t)
    const load = codeOf(engine.load())
    await engine.dispose()
    t.ok(['ENGINE_DISPOSED', 'DRAINING'].includes(await load), await load)
    t.is(await codeOf(engine.load()), 'ENGINE_DISPOSED')
  })

  subject.test(
    'should fail with ENGINE_DISPOSED when it was disposed of before its first load',
    async (t) => {
      const engine = await subject.create(t)
      await engine.dispose()
      await checkDisposed(engine, (code, what) => t.is(code, 'ENGINE_DISPOSED', what))
    },
  )
}

/** Unloading and disposing: the last tests of a file. They dispose of the shared engine. */
export function endChecks(subject: ComplianceSubject): void {
  if (subject.can('chat')) {
    subject.test(
      'should end answers with DRAINING when it is unloaded, and load again when asked',
      async (t) => {
        const engine = await subject.shared()
        const before = await answer(engine, subject.prompt(0), { maxTokens: 8 })
        const { taken, rest } = await beginTwo(subject, engine)
        await Promise.all([engine.unload(), engine.unload()])
        t.is(await rest, 'DRAINING', 'one that is being read')
        t.is(await codeOf(collect(taken)), 'DRAINING', 'one that is not')
        t.is(engine.info().kind, subject.expectations.kind, 'what it was is still known')
        const after = await answer(engine, subject.prompt(0), { maxTokens: 8 })
        t.ok(after.text.length > 0)
        if (subject.answersRepeat) t.is(after.text, before.text)
      },
    )
  }

  subject.test('should end everything with a typed error when it is disposed of', async (t) => {
    t.teardown(async () => await subject.end())
    const engine = await subject.shared()
    const running = subject.can('chat') ? await beginTwo(subject, engine) : null
    await Promise.all([engine.dispose(), engine.dispose()])
    if (running !== null) {
      for (const code of [await running.rest, await codeOf(collect(running.taken))]) {
        t.ok(code === 'DRAINING' || code === 'ENGINE_DISPOSED', code)
      }
    }
    await checkDisposed(engine, (code, what) => t.is(code, 'ENGINE_DISPOSED', what))
    await engine.dispose()
    await engine.unload()
  })
}

/** Two answers that have begun: the rest of the first is being read, the second is not read yet. */
async function beginTwo(subject: ComplianceSubject, engine: Engine) {
  const taken = generate(engine, subject.prompt(0), LONG)
  const read = generate(engine, subject.prompt(1), LONG)
  await Promise.all([taken.next(), read.next()])
  return { taken, rest: codeOf(collect(read)) }
}

async function checkDisposed(
  engine: Engine,
  check: (code: string, what: string) => void,
): Promise<void> {
  for (const use of [
    () => engine.prepare(),
    () => engine.load(),
    () => engine.tokenize('x'),
    () => engine.detokenize([1]),
    () => engine.applyTemplate([{ role: 'user', content: 'x' }]),
    () => engine.embed(['x'], FOREVER),
    () => engine.generate(requestOf('x'), FOREVER).next(),
  ]) {
    check(await codeOf(use()), String(use))
  }
}
