import type { Token, TokenLogprob } from '../../../../helpers/protocol/generation.js'
import { answer, collect, generate } from '../tiny-llama.js'
import { type ComplianceSubject, codeOf, FOREVER, requestOf } from './subject.js'

const TEXTS = [
  '',
  'x',
  'Hello, world!',
  '  two spaces, a tab\tand a line\nend ',
  'naïve café, Größe, Ω, 漢字かな, 👩‍👩‍👧‍👦 and 🏴󠁧󠁢󠁳󠁣󠁴󠁿',
  '<|im_start|></s><unk>[INST]',
  'a\u0000b',
]

const SCHEMA = {
  type: 'object',
  properties: { colour: { enum: ['red', 'green', 'blue'] }, big: { type: 'boolean' } },
  required: ['colour', 'big'],
  additionalProperties: false,
}

/** Optional abilities, checked for an engine that declares them. */
export function abilityChecks(subject: ComplianceSubject): void {
  if (subject.can('tokens')) tokenChecks(subject)
  if (subject.can('template')) templateChecks(subject)
  if (subject.can('logprobs')) logprobChecks(subject)
  if (subject.can('embed')) embedChecks(subject)

  if (subject.can('json-schema')) {
    subject.test('should answer with JSON of its form when a schema is given', async (t) => {
      const engine = await subject.shared()
      for (const temperature of [0, 1]) {
        const options = { jsonSchema: SCHEMA, maxTokens: 100, temperature, seed: 3 }
        const { text, end } = await answer(engine, subject.prompt(0), options)
        t.is(end.finishReason, 'stop')
        const value = JSON.parse(text)
        t.ok(SCHEMA.properties.colour.enum.includes(value.colour) && typeof value.big === 'boolean')
        t.is(Object.keys(value).length, 2)
      }
    })
  }

  if (subject.can('tools')) {
    subject.test('should take the functions that a request offers', async (t) => {
      const engine = await subject.shared()
      const tools = [
        { type: 'function' as const, function: { name: 'now', description: 'The time' } },
      ]
      const { end } = await answer(engine, subject.prompt(0), { maxTokens: 24, tools })
      t.is(end.finishReason === 'tool_calls', end.toolCalls !== undefined)
      t.ok((end.toolCalls ?? []).every((call) => call.id !== '' && call.function.name === 'now'))
    })
  }

  if (subject.can('logit-bias') && subject.can('logprobs')) {
    subject.test('should keep from a token that is banned', async (t) => {
      const engine = await subject.shared()
      const options = { maxTokens: 1, logprobs: 0 }
      const free = await generate(engine, subject.prompt(0), options).next()
      const banned = free.done ? null : free.value.tokenId
      if (banned === null) return t.pass('the engine does not tell its tokens')
      const logitBias = { [banned]: -100 }
      const other = await generate(engine, subject.prompt(0), { ...options, logitBias }).next()
      t.not(other.done ? null : other.value.tokenId, banned)
    })
  }
}

function tokenChecks(subject: ComplianceSubject): void {
  subject.test('should give a text back when its tokens are turned into text', async (t) => {
    const engine = await subject.shared()
    for (const text of TEXTS) {
      const tokens = await engine.tokenize(text)
      t.ok(tokens.every((token) => Number.isInteger(token) && token >= 0))
      const again = await engine.detokenize(tokens)
      // An embedding-only engine may fold case, accents and spaces.
      if (subject.can('chat')) t.is(again, text, JSON.stringify(text))
    }
  })

  subject.test('should refuse texts and tokens that are out of bounds', async (t) => {
    const engine = await subject.shared()
    t.is(await codeOf(engine.tokenize('x'.repeat(2 ** 20 + 1))), 'PAYLOAD_TOO_LARGE')
    for (const wrong of [-1, 2 ** 31 - 1, 2 ** 53, 0.5, Number.NaN]) {
      t.is(await codeOf(engine.detokenize([wrong])), 'INVALID_REQUEST', String(wrong))
    }
  })

  if (!subject.can('chat')) return
  subject.test('should stream the text that its tokens stand for', async (t) => {
    const engine = await subject.shared()
    const { text, tokenIds } = await answer(engine, subject.prompt(2), { maxTokens: 24 })
    t.is((await engine.detokenize(tokenIds)).trim(), text.trim())
  })
}

function templateChecks(subject: ComplianceSubject): void {
  subject.test('should read a conversation as its template says', async (t) => {
    const engine = await subject.shared()
    const { messages, options } = requestOf(subject.prompt(0), { maxTokens: 1 })
    const { text, tokens } = await engine.applyTemplate(messages)
    t.ok(text.includes(subject.prompt(0)))
    const { end } = await collect(engine.generate({ messages, options }, FOREVER))
    t.is(end.promptTokens, tokens.length)
    const long = { role: 'user' as const, content: subject.expectations.tooLongPrompt }
    t.is(await codeOf(engine.applyTemplate([long])), 'CONTEXT_TOO_LONG')
  })
}

function logprobChecks(subject: ComplianceSubject): void {
  subject.test('should tell how likely its tokens were when it is asked', async (t) => {
    const engine = await subject.shared()
    const options = { maxTokens: 12, logprobs: 3, repeatPenalty: 1 }
    const tokens: Token[] = []
    for await (const token of generate(engine, subject.prompt(0), options)) tokens.push(token)
    t.ok(tokens.length > 0)
    for (const { logprob = Number.NaN, topLogprobs = [] } of tokens) {
      t.ok(logprob <= 0, `logprob ${logprob}`)
      t.is(topLogprobs.length, 3)
      t.ok(isSorted(topLogprobs), JSON.stringify(topLogprobs))
      t.ok(Math.abs((topLogprobs[0]?.logprob ?? 1) - logprob) < 1e-3, 'greedy takes the likeliest')
    }
    const plain = await generate(engine, subject.prompt(0), { maxTokens: 1 }).next()
    t.ok(!plain.done && plain.value.logprob === undefined && plain.value.topLogprobs === undefined)
  })
}

function isSorted(tokens: readonly TokenLogprob[]): boolean {
  return tokens.every(
    ({ logprob }, index) => logprob <= 0 && logprob <= (tokens[index - 1]?.logprob ?? 0),
  )
}

function embedChecks(subject: ComplianceSubject): void {
  const texts = [
    'The cat sat on the mat.',
    'A kitten rests on a rug.',
    'Interest rates rose in May.',
  ]

  subject.test('should embed texts as vectors of length 1, together as alone', async (t) => {
    const engine = await subject.shared()
    const together = await engine.embed(texts, FOREVER)
    t.is(together.length, texts.length)
    for (const [index, vector] of together.entries()) {
      t.ok(Math.abs(Math.hypot(...vector) - 1) < 1e-5)
      t.is(vector.length, together[0]?.length)
      const [alone] = await engine.embed([texts[index] ?? ''], FOREVER)
      t.ok(alone !== undefined && scalarProduct(alone, vector) > 0.9999)
    }
  })

  subject.test(
    'should refuse to embed what is out of bounds, and when it is cancelled',
    async (t) => {
      const engine = await subject.shared()
      const wrong = Object.assign<string[], unknown[]>([], [1])
      t.is(await codeOf(engine.embed(wrong, FOREVER)), 'INVALID_REQUEST')
      t.is(await codeOf(engine.embed([], FOREVER)), 'INVALID_REQUEST')
      t.is(await codeOf(engine.embed([''], FOREVER)), 'INVALID_REQUEST')
      const tooMany = Array.from({ length: 100_000 }, () => 'x')
      t.is(await codeOf(engine.embed(tooMany, FOREVER)), 'INVALID_REQUEST')
      t.is(await codeOf(engine.embed(texts, AbortSignal.abort())), 'CANCELLED')
      t.is((await engine.embed(texts, FOREVER)).length, texts.length)
    },
  )
}

function scalarProduct(one: Float32Array, other: Float32Array): number {
  return one.reduce((sum, value, index) => sum + value * (other[index] ?? 0), 0)
}
