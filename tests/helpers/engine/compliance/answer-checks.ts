import {
  generationEndSchema,
  type Token,
  tokenSchema,
} from '../../../../helpers/protocol/generation.js'
import { answer, collect, generate } from '../tiny-llama.js'
import { type ComplianceSubject, codeOf, FOREVER, LONG, requestOf } from './subject.js'

const ANSWER = { maxTokens: 24 }

/** Complete answers: their contents, in parallel and in sequence. */
export function answerChecks(subject: ComplianceSubject): void {
  const { prompts, tooLongPrompt } = subject.expectations

  subject.test(
    'should stream tokens in order and end with counts that agree when it answers',
    async (t) => {
      const engine = await subject.shared()
      const generation = generate(engine, subject.prompt(0), ANSWER)
      const tokens: Token[] = []
      let step = await generation.next()
      for (; !step.done; step = await generation.next()) tokens.push(step.value)
      const end = step.value
      t.ok(tokens.length > 0)
      t.alike(
        tokens.map(({ index }) => index),
        tokens.map((_, position) => position),
      )
      t.ok(tokens.every((token) => tokenSchema.safeParse(token).success))
      t.ok(generationEndSchema.safeParse(end).success, JSON.stringify(end))
      t.ok(tokens.map(({ text }) => text).join('').length > 0)
      t.is(end.completionTokens, 24)
      t.ok(end.promptTokens > 0 && end.cachedTokens <= end.promptTokens)
      if (subject.can('resume')) {
        t.is(tokens.length, 24)
        t.ok(tokens.every(({ tokenId }) => tokenId !== null))
      } else t.ok(tokens.length <= 24)
      t.ok((await generation.next()).done, 'nothing comes after the end')
    },
  )

  subject.test('should end with length when the answer reaches maxTokens', async (t) => {
    const engine = await subject.shared()
    for (const maxTokens of [1, 2, 7]) {
      const { end } = await answer(engine, subject.prompt(1), { maxTokens })
      t.is(end.completionTokens, maxTokens)
      t.is(end.finishReason, 'length')
    }
  })

  subject.test('should fail with CONTEXT_TOO_LONG when the prompt leaves no room', async (t) => {
    const engine = await subject.shared()
    t.is(await codeOf(answer(engine, tooLongPrompt)), 'CONTEXT_TOO_LONG')
    t.ok((await answer(engine, subject.prompt(0), { maxTokens: 2 })).text.length > 0)
  })

  subject.test('should go on with others when a reader stops', async (t) => {
    const engine = await subject.shared()
    const slow = generate(engine, subject.prompt(0), ANSWER)
    const first = [await slow.next(), await slow.next()]
    const beside = await Promise.all(
      [1, 2].map((index) => answer(engine, subject.prompt(index), ANSWER)),
    )
    t.ok(beside.every(({ end }) => end.completionTokens === 24))
    const rest = await collect(slow)
    t.is(rest.end.completionTokens, 24)
    if (!subject.answersRepeat) return
    const taken = first.map((step) => (step.done ? '' : step.value.text)).join('')
    t.is(taken + rest.text, (await answer(engine, subject.prompt(0), ANSWER)).text)
  })

  subject.test('should go on after one answer failed', async (t) => {
    const engine = await subject.shared()
    const beside = answer(engine, subject.prompt(0), ANSWER)
    const wrong = codeOf(answer(engine, tooLongPrompt))
    t.is((await beside).end.completionTokens, 24)
    t.is(await wrong, 'CONTEXT_TOO_LONG')
  })

  if (subject.answersRepeat) repeatingChecks(subject, prompts)
}

/** Checks that need reproducible answers. */
function repeatingChecks(subject: ComplianceSubject, prompts: readonly string[]): void {
  subject.test('should end before a stop string, wherever its tokens begin', async (t) => {
    const engine = await subject.shared()
    const { text: whole } = await answer(engine, subject.prompt(0), ANSWER)
    for (const [start, end] of [
      [1, 4],
      [6, 7],
      [9, 17],
      [3, 20],
    ]) {
      const stop = whole.slice(start, end)
      const stopped = await answer(engine, subject.prompt(0), {
        ...ANSWER,
        stop: ['\u0000never', stop],
      })
      t.is(stopped.text, whole.slice(0, whole.indexOf(stop)), JSON.stringify(stop))
      t.is(stopped.end.finishReason, 'stop')
    }
    const other = await answer(engine, subject.prompt(0), {
      ...ANSWER,
      stop: [`${whole.slice(4)}\u0000`],
    })
    t.is(other.text, whole, 'one that only begins is part of the answer')
  })

  subject.test(
    'should give each prompt its own answer when more ask than there are slots',
    async (t) => {
      const engine = await subject.shared()
      const alone: string[] = []
      for (const prompt of prompts) alone.push((await answer(engine, prompt, ANSWER)).text)
      t.is(new Set(alone).size, prompts.length, 'the prompts tell the answers apart')
      const asked = Array.from({ length: engine.info().slots * 2 + 1 }, (_, index) => index)
      const outcomes = await Promise.allSettled(
        asked.map((index) => answer(engine, subject.prompt(index), ANSWER)),
      )
      for (const [index, outcome] of outcomes.entries()) {
        if (outcome.status === 'fulfilled') t.is(outcome.value.text, alone[index % alone.length])
        else t.is(outcome.reason.code, 'OVERLOADED')
      }
      t.ok(outcomes.filter(({ status }) => status === 'fulfilled').length >= engine.info().slots)
    },
  )

  if (subject.can('seed')) {
    subject.test('should give the same answer when the seed is the same', async (t) => {
      const engine = await subject.shared()
      const options = { ...ANSWER, temperature: 1, topP: 0.95 }
      for (const seed of [7, 4_294_967_295]) {
        const once = await answer(engine, subject.prompt(2), { ...options, seed })
        const again = await answer(engine, subject.prompt(2), { ...options, seed })
        t.is(again.text, once.text)
      }
    })
  }

  subject.test('should leave no trace in the next answer when one was left early', async (t) => {
    const engine = await subject.shared()
    const { slots } = engine.info()
    const fresh = await answer(engine, subject.prompt(0), ANSWER)
    for (let round = 0; round <= slots; round++) {
      for await (const { index } of generate(engine, subject.prompt(round), LONG)) {
        if (index === 2) break
      }
    }
    const again = await Promise.all(
      Array.from({ length: slots }, () => answer(engine, subject.prompt(0), ANSWER)),
    )
    t.ok(again.every(({ text }) => text === fresh.text))
  })

  subject.test(
    'should free all slots and leave no trace when its answers are cancelled',
    async (t) => {
      const engine = await subject.shared()
      const { slots } = engine.info()
      const fresh = await answer(engine, subject.prompt(0), ANSWER)
      const cancel = new AbortController()
      const running = Array.from({ length: slots }, (_, index) =>
        generate(engine, subject.prompt(index), LONG, cancel.signal),
      )
      await Promise.all(running.map((generation) => generation.next()))
      const reading = running.slice(1).map((generation) => codeOf(collect(generation)))
      cancel.abort()
      t.alike(
        await Promise.all(reading),
        reading.map(() => 'CANCELLED'),
      )
      for (const generation of running.slice(0, 1))
        t.is(await codeOf(collect(generation)), 'CANCELLED')
      const again = await Promise.all(
        Array.from({ length: slots }, () => answer(engine, subject.prompt(0), ANSWER)),
      )
      t.ok(again.every(({ text }) => text === fresh.text))
    },
  )

  subject.test('should leave the line when it is cancelled while it waits', async (t) => {
    const engine = await subject.shared()
    const { slots } = engine.info()
    const fresh = await answer(engine, subject.prompt(0), ANSWER)
    const busy = Array.from({ length: slots }, (_, index) =>
      generate(engine, subject.prompt(index), ANSWER),
    )
    await Promise.all(busy.map((generation) => generation.next()))
    const cancel = new AbortController()
    const outcome = codeOf(collect(generate(engine, subject.prompt(1), LONG, cancel.signal)))
    cancel.abort()
    t.is(await outcome, 'CANCELLED')
    const ends = await Promise.all(busy.map((generation) => collect(generation)))
    t.ok(ends.every(({ end }) => end.completionTokens === 24))
    t.is((await answer(engine, subject.prompt(0), ANSWER)).text, fresh.text)
  })

  subject.test('should throw CANCELLED when the signal was aborted before', async (t) => {
    const engine = await subject.shared()
    const generation = generate(engine, subject.prompt(0), ANSWER, AbortSignal.abort())
    t.is(await codeOf(generation.next()), 'CANCELLED')
  })

  if (subject.can('resume')) {
    subject.test(
      'should go on as if it had never broken off when an answer is resumed',
      async (t) => {
        const engine = await subject.shared()
        for (const options of [ANSWER, { ...ANSWER, temperature: 0.9, seed: 11 }]) {
          const whole = await answer(engine, subject.prompt(1), options)
          for (const delivered of [0, 1, 7, 23]) {
            const resumeFrom = whole.tokenIds.slice(0, delivered)
            const request = { ...requestOf(subject.prompt(1), options), resumeFrom }
            const rest = await collect(engine.generate(request, FOREVER))
            t.alike(rest.tokenIds, whole.tokenIds.slice(delivered), `after ${delivered}`)
            t.ok(whole.text.endsWith(rest.text))
            t.is(rest.end.completionTokens, whole.end.completionTokens)
          }
        }
      },
    )
  }
}
