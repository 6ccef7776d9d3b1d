import test from 'brittle'
import { ScriptedEngine } from '../../../../facilities/engine/scripted/scripted-engine.js'
import { answer, collect, generate } from '../../../helpers/engine/tiny-llama.js'
import { until } from '../../../helpers/until.js'
import {
  beginAnswer,
  failureOf,
  REMOTE_KINDS,
  remoteScene,
} from '../../../helpers/upstream/remote-engines.js'

for (const kind of REMOTE_KINDS) {
  test(`should stop the server at once when its reader disconnects (${kind.name})`, async (t) => {
    const below = new ScriptedEngine({
      script: () => Array.from({ length: 1000 }, () => 'word '),
      // After the first, none comes: there is nothing that could be noticed by being sent.
      beforeToken: (index) => (index === 0 ? undefined : new Promise(() => {})),
    })
    const { server, engine } = await remoteScene(t, kind, { below })
    const leave: ((cancel: AbortController, taken: AsyncGenerator) => Promise<unknown>)[] = [
      async (cancel, taken) => {
        const next = failureOf(taken.next())
        cancel.abort()
        t.is((await next).code, 'CANCELLED')
      },
      async (cancel) => cancel.abort(),
      async (_, taken) => await taken.return(undefined),
      async () => await engine.unload(),
      async () => await engine.dispose(),
    ]
    for (const one of leave) {
      const cancel = new AbortController()
      const generation = generate(engine, 'x', { maxTokens: 1000 }, cancel.signal)
      await generation.next()
      t.is(below.activeGenerations, 1)
      await one(cancel, generation)
      await until('the model to stop', () => below.activeGenerations === 0 && server.running === 0)
    }
  })

  test(`should end an answer that only repeats itself, and say why (${kind.name})`, async (t) => {
    const below = new ScriptedEngine({
      script: () => ['In', ' the', ...Array.from({ length: 900 }, () => ' night')],
    })
    const { server, engine } = await remoteScene(t, kind, { below })
    const { tokens, end } = await answer(engine, 'Tell me a story', { maxTokens: 900 })
    t.is(tokens.length, 258)
    t.is(end.completionTokens, 258)
    t.is(end.finishReason, 'length')
    t.is(end.stopReason, 'repetition')
    await until('the model to stop', () => below.activeGenerations === 0 && server.running === 0)
    const whole = await answer(engine, 'x', { maxTokens: 900, allowRepetition: true })
    t.is(whole.tokens.length, 900)
    t.is(whole.end.stopReason, undefined)
  })

  test(`should stop the model when its reader stops (${kind.name})`, async (t) => {
    const piece = 'word '.repeat(400)
    const below = new ScriptedEngine({
      contextTokens: 100_000,
      script: () => Array.from({ length: 30_000 }, () => piece),
    })
    const { engine } = await remoteScene(t, kind, { below })
    const slow = generate(engine, 'x', { maxTokens: 30_000, allowRepetition: true })
    await slow.next()
    let produced = 0
    // It has stopped when another answer comes and goes without its getting further.
    await until('the model to stop', () => {
      const isStill = below.tokensProduced === produced && produced > 1
      produced = below.tokensProduced
      return isStill
    })
    const quick = generate(engine, 'x', { maxTokens: 3 })
    t.is((await collect(quick)).end.completionTokens, 3)
    t.is(below.tokensProduced, produced + 3, `${produced} pieces of 2 kB ahead of the reader`)
    t.ok(produced < 10_000)
    for (let taken = 1; taken < 100; taken++) await slow.next()
    await slow.return({
      finishReason: 'stop',
      promptTokens: 0,
      cachedTokens: 0,
      completionTokens: 0,
      timings: { promptMs: 0, generationMs: 0 },
    })
    await until('the model to be free', () => below.activeGenerations === 0)
  })

  test(`should use a connection again, and another one when it was closed (${kind.name})`, async (t) => {
    const { server, engine } = await remoteScene(t, kind)
    for (let round = 0; round < 5; round++) await answer(engine, 'one two')
    // Asked again at once, the end of the last answer may still be on its way.
    t.ok((await server.connections()) <= 2)
    const used = new WeakSet<object>()
    server.misbehaviour = (_, response) => {
      const { socket } = response
      if (socket === null || used.has(socket)) return response.destroy()
      used.add(socket)
      beginAnswer(kind, response, kind.part('once'), kind.end)
      response.end()
    }
    for (let round = 0; round < 3; round++) t.is((await answer(engine, 'x')).text, 'once')
  })

  test(`should enforce maxTokens when the server continues (${kind.name})`, async (t) => {
    const { server, engine } = await remoteScene(t, kind)
    server.misbehaviour = (_, response) => {
      beginAnswer(kind, response, ...Array.from({ length: 50 }, () => kind.part('word ')))
    }
    const { text, end } = await answer(engine, 'x', { maxTokens: 5 })
    t.is(end.finishReason, 'length')
    t.is(end.completionTokens, 5)
    t.is(text, 'word '.repeat(5))
  })

  test(`should refuse requests beyond the limit (${kind.name})`, async (t) => {
    const below = new ScriptedEngine({ beforeToken: () => new Promise(() => {}) })
    const { engine } = await remoteScene(t, kind, { below })
    const cancel = new AbortController()
    const waiting = Array.from({ length: 256 }, () =>
      failureOf(generate(engine, 'one', {}, cancel.signal).next()),
    )
    const error = await failureOf(answer(engine, 'one'))
    t.is(error.code, 'OVERLOADED')
    cancel.abort()
    t.ok((await Promise.all(waiting)).every(({ code }) => code === 'CANCELLED'))
  })
}
