import { generationEndSchema, tokenSchema } from '../../../../helpers/protocol/generation.js'
import { type Answer, answer, collect } from '../tiny-llama.js'
import { type ComplianceSubject, FOREVER, requestOf } from './subject.js'

const ANSWER = { maxTokens: 60 }

const SCHEMA = {
  type: 'object',
  properties: { big: { type: 'boolean' } },
  required: ['big'],
  additionalProperties: false,
}

/** The text of one kind from an engine: `thought`, or undefined for the answer. */
function said({ tokens }: Answer, kind?: 'thought'): string {
  return tokens
    .filter((token) => token.kind === kind)
    .map(({ text }) => text)
    .join('')
}

/** An engine whose model thinks before it answers the first prompt. */
export function thoughtChecks(subject: ComplianceSubject): void {
  subject.test('should tell what the model thinks from what it answers', async (t) => {
    const engine = await subject.shared()
    t.ok(engine.info().capabilities.has('thinking'))
    const whole = await answer(engine, subject.prompt(0), ANSWER)
    const { tokens, end } = whole
    t.ok(said(whole, 'thought').length > 0)
    t.ok(said(whole).length > 0)
    t.absent(tokens.some(({ text }) => text.includes('think>')))
    t.absent(/^\s/.test(said(whole)), 'the answer begins with what it says')
    const thoughts = tokens.filter(({ kind }) => kind === 'thought').length
    t.ok(
      tokens.slice(0, thoughts).every(({ kind }) => kind === 'thought'),
      'thoughts come first',
    )
    t.ok(tokens.every((token, index) => token.index === index && tokenSchema.parse(token)))
    t.ok(generationEndSchema.safeParse(end).success)
    const { thoughtTokens = 0, completionTokens } = end
    t.ok(thoughtTokens >= thoughts && thoughtTokens < completionTokens, `${thoughtTokens}`)
  })

  subject.test('should look for stop strings in the answer only', async (t) => {
    const engine = await subject.shared()
    const whole = await answer(engine, subject.prompt(0), ANSWER)
    const thought = said(whole, 'thought')
    const ofThought = thought.slice(2, 12)
    const ofAnswer = said(whole).slice(4, 9)
    const stop = [ofThought, ofAnswer]
    const stopped = await answer(engine, subject.prompt(0), { ...ANSWER, stop })
    t.is(said(stopped, 'thought'), thought)
    t.is(said(stopped), said(whole).slice(0, said(whole).indexOf(ofAnswer)))
    t.is(stopped.end.finishReason, 'stop')
  })

  subject.test('should take what a model thought in an earlier turn', async (t) => {
    const engine = await subject.shared()
    const { options } = requestOf('', ANSWER)
    const messages = [
      { role: 'user' as const, content: 'Hello' },
      { role: 'assistant' as const, content: 'Hi', reasoning: 'They greet me' },
      { role: 'user' as const, content: subject.prompt(0) },
    ]
    const { end } = await collect(engine.generate({ messages, options }, FOREVER))
    t.ok(end.completionTokens > 0)
  })

  if (subject.expectations.kind === 'scripted') return

  subject.test('should not think when it is told not to', async (t) => {
    const engine = await subject.shared()
    const whole = await answer(engine, subject.prompt(0), { ...ANSWER, thinking: false })
    t.is(said(whole, 'thought'), '')
    t.is(whole.end.thoughtTokens, undefined)
    t.ok(said(whole).length > 0)
  })

  subject.test('should answer with JSON, and think before it only if it is told to', async (t) => {
    const engine = await subject.shared()
    const options = { ...ANSWER, jsonSchema: SCHEMA }
    const plain = await answer(engine, subject.prompt(0), options)
    t.is(typeof JSON.parse(said(plain)).big, 'boolean')
    t.is(said(plain, 'thought'), '')
    const thinking = await answer(engine, subject.prompt(0), { ...options, thinking: true })
    t.is(typeof JSON.parse(said(thinking)).big, 'boolean')
    t.ok(said(thinking, 'thought').length > 0)
    t.is(thinking.end.finishReason, 'stop')
  })

  if (!subject.can('resume')) return

  subject.test('should go on with a thought and with the answer after it', async (t) => {
    const engine = await subject.shared()
    const schemas = [{}, { jsonSchema: SCHEMA, thinking: true }]
    for (const more of schemas) {
      const request = requestOf(subject.prompt(0), { ...ANSWER, ...more })
      const whole = await collect(engine.generate(request, FOREVER))
      const { thoughtTokens = 0 } = whole.end
      for (const before of [1, 7, thoughtTokens - 1, thoughtTokens, thoughtTokens + 2]) {
        const resumeFrom = whole.tokenIds.slice(0, before)
        const rest = await collect(engine.generate({ ...request, resumeFrom }, FOREVER))
        t.alike(rest.tokens, whole.tokens.slice(before), `after ${before} tokens`)
        t.is(rest.end.thoughtTokens, thoughtTokens)
      }
    }
  })
}
